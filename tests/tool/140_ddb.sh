#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk ddb`: shows and changes keys of the disk database, and nothing else.
. "$(dirname "$0")/lib.sh"
need python3
make_flat
cp a.vmdk a.before

expect 0 ddb a.vmdk
[ "$(head -n 1 out)" = 'ddb.adapterType=lsilogic' ] || fail "the list does not begin with the adapter"
[ "$(lines_of out)" -eq 5 ] || fail "not five keys"
expect 0 ddb a.vmdk adapterType ddb.virtualHWVersion DDB.GEOMETRY.HEADS
[ "$(tr '\n' ' ' <out)" = 'lsilogic 4 64 ' ] || fail "other values"
expect 1 ddb a.vmdk uuid
has err 'vmdk: a.vmdk: the disk database has no ddb.uuid'
[ ! -s out ] || fail "output for a missing key"
expect 0 ddb a.vmdk --json
check_python 'import json
ddb = json.load(open("out"))
assert ddb["file"] == "a.vmdk" and ddb["path"].endswith("a.vmdk"), ddb
assert list(ddb["keys"]) == ["ddb.adapterType", "ddb.virtualHWVersion", "ddb.geometry.cylinders",
                             "ddb.geometry.heads", "ddb.geometry.sectors"], ddb
assert ddb["keys"]["ddb.geometry.cylinders"] == "3", ddb'
cmp -s a.vmdk a.before || fail "reading changed the descriptor"

# One key changes, the rest stays byte for byte.
expect 0 ddb a.vmdk adapterType=pvscsi
silent
sed 's/"lsilogic"/"pvscsi"/' a.before | cmp -s - a.vmdk || fail "more than a key changed"
expect 0 ddb a.vmdk adapterType=lsilogic
cmp -s a.vmdk a.before || fail "back is not as before"
expect 0 ddb a.vmdk comment='x = y' --remove virtualHWVersion --remove noSuchKey comment
[ "$(cat out)" = 'x = y' ] || fail "a new key is not shown"
expect 0 ddb a.vmdk --json --remove ddb.comment virtualHWVersion=13
check_python 'import json
keys = json.load(open("out"))["keys"]
assert "ddb.comment" not in keys and keys["ddb.virtualHWVersion"] == "13", keys'
expect 0 ddb a.vmdk empty=
expect 0 ddb a.vmdk empty
[ "$(lines_of out)" -eq 1 ] || fail "an empty value is not shown"
expect 0 compare a.vmdk a.raw --raw-b

# Inside a sparse file. The content ID stays, and so does what the guest sees.
expect 0 create s.vmdk 4M --cid 12341234
expect 0 write s.vmdk 0 -i a-f.bin
expect 0 info s.vmdk --json
cp out before.json
expect 0 read s.vmdk -o s.raw
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
  expect 0 ddb s.vmdk "note$number=$(printf '%060d' $number)" "adapterType=buslogic"
done
expect 0 ddb s.vmdk note7
[ "$(cat out)" = "$(printf '%060d' 7)" ] || fail "a key is lost"
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do expect 0 ddb s.vmdk --remove "note$number"; done
expect 0 info s.vmdk --json
check_python 'import json
before, after = (json.load(open(name)) for name in ("before.json", "out"))
assert before["cid"] == after["cid"], "the content ID changed"
assert after["adapter"] == "buslogic", after["adapter"]
assert not after["flags"]["unclean"], after["flags"]'
expect 0 compare s.vmdk s.raw --raw-b
expect 1 ddb s.vmdk "long=$(printf '%030000d' 1)"
expect 0 ddb s.vmdk
if grep -q '^ddb.long=' out; then fail "a key that does not fit was set"; fi

# A child shows its own; the hint has the parent's.
expect 0 snapshot s.vmdk c.vmdk
expect 0 ddb c.vmdk comment=child
expect 0 ddb s.vmdk
cp out parent.out
expect 0 ddb c.vmdk --remove adapterType
expect 1 ddb c.vmdk adapterType
has err 'hint: a parent has it: buslogic'
expect 0 ddb s.vmdk
cmp -s out parent.out || fail "the parent was changed"

# What cannot be.
cp a.vmdk a.before
expect 1 ddb a.vmdk "key=$(printf 'two\nlines')"
expect 1 ddb a.vmdk 'key=a"b'
for wrong in '=1' '' 'CID =1' 'a b=1' 'x"=1' 'a/b'; do expect 2 ddb a.vmdk "$wrong"; done
expect 2 ddb a.vmdk --remove ''
expect 2 ddb a.vmdk --recover key=1
expect 1 ddb missing.vmdk key=1
cmp -s a.vmdk a.before || fail "a refused change was made"
if ls ./*.tmp-* >/dev/null 2>&1; then fail "temporary files are left"; fi
