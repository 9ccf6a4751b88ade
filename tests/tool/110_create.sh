#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk create`: every kind reads as zeros, options reach the descriptor, nothing is replaced or left.
. "$(dirname "$0")/lib.sh"
need python3

# files: how many are in this directory, but for those of the test.
files() {
  find . -type f ! -name out ! -name err ! -name '*.raw' ! -name python.log | wc -l | tr -d ' '
}

truncate -s 10485760 zeros.raw
for kind in monolithicSparse:1 monolithicFlat:2 twoGbMaxExtentSparse:2 twoGbMaxExtentFlat:2 vmfs:2 \
  vmfsThin:2 vmfsPreallocated:2 vmfsEagerZeroedThick:2 vmfsSparse:2; do
  name=${kind%:*}
  # The case of a kind does not matter.
  expect 0 create "$name.vmdk" 10M -O "$(echo "$name" | tr 'SV' 'sV')"
  silent
  [ "$(files)" -eq "${kind#*:}" ] || fail "$name: $(files) files"
  expect 0 info "$name.vmdk" --json --extents
  check_python 'import json, sys
info = json.load(open("out"))
assert info["type"] == sys.argv[1], info["type"]
assert info["create_type"] == sys.argv[1], info["create_type"]
assert info["capacity"] == 10 << 20, info["capacity"]
assert info["adapter"] == "lsilogic" and info["hardware_version"] == 4, info
assert not info["flags"]["unclean"], info["flags"]
assert info["parent_cid"] is None and info["cid"] not in ("00000000", "ffffffff"), info
assert sum(e["size"] for e in info["extents"]) == 10 << 20' "$name"
  expect 0 compare "$name.vmdk" zeros.raw --raw-b
  rm -f "$name"*
done

# What is said is done.
expect 0 create disk.vmdk 100M --adapter IDE --hwversion 21 --grain 16k --cid 1234abcd \
  --set toolsVersion=12345 --set ddb.comment='a = b' --set DDB.UUID='60 00 C2 9a'
expect 0 info disk.vmdk --json --keys
check_python 'import json
info = json.load(open("out"))
assert info["cid"] == "1234abcd", info["cid"]
assert info["adapter"] == "ide" and info["hardware_version"] == 21, info
assert info["grain_bytes"] == 16384, info["grain_bytes"]
keys = {name.lower(): value for name, value in info["keys"].items()}
assert keys["ddb.toolsversion"] == "12345", keys
assert keys["ddb.comment"] == "a = b", keys
assert keys["ddb.uuid"] == "60 00 C2 9a", keys
assert info["geometry"]["heads"] == 16 and info["geometry"]["sectors"] == 63, info'
expect 0 create parts.vmdk 10M -O twogbmaxextentflat --split 4M
[ "$(stat -c %s parts-f001.vmdk parts-f002.vmdk parts-f003.vmdk | tr '\n' ' ')" = '4194304 4194304 2097152 ' ] ||
  fail "the parts are not 4, 4 and 2 MiB"
expect 0 create odd.vmdk 1000
expect 0 info odd.vmdk --json
has out '"capacity": 1024,'
expect 0 create zero.vmdk 1M --zero-grains
expect 0 info zero.vmdk --json
has out '"header_version": 2,'

# Twice the same is the same.
for kind in monolithicSparse twoGbMaxExtentSparse vmfsSparse vmfsThin; do
  for at in one two; do
    mkdir "$at"
    expect 0 create "$at/disk.vmdk" 300M -O $kind --cid 77777777 --set uuid=1 --set longContentID=2
  done
  diff -r one two >/dev/null || fail "$kind: two runs give different bytes"
  rm -r one two
done

# Space beforehand.
expect 0 create none.vmdk 8M -O monolithicFlat
expect 0 create reserve.vmdk 8M -O monolithicFlat --preallocate reserve
expect 0 create written.vmdk 8M -O vmfsEagerZeroedThick --progress plain
has err 'create: 100%'
[ "$(du -k none-flat.vmdk | cut -f 1)" -le 64 ] || fail "a thin file takes space"
[ "$(du -k reserve-flat.vmdk | cut -f 1)" -ge 8192 ] || fail "nothing is reserved"
[ "$(du -k written-flat.vmdk | cut -f 1)" -ge 8192 ] || fail "nothing is written"
expect 0 create huge.vmdk 62T
[ "$(du -k huge.vmdk | cut -f 1)" -le 262144 ] || fail "an empty disk of 62 TiB takes $(du -k huge.vmdk)"

# What is there stays.
before=$(files)
cp disk.vmdk disk.raw
expect 1 create disk.vmdk 10M
has err 'vmdk: disk.vmdk: '
cmp -s disk.vmdk disk.raw || fail "a disk was replaced"
echo precious >data-flat.vmdk
before=$((before + 1))
expect 1 create data.vmdk 10M -O monolithicFlat
has err data-flat.vmdk
[ "$(cat data-flat.vmdk)" = precious ] || fail "a data file was replaced"
expect 1 create no-such-directory/disk.vmdk 10M
has err no-such-directory
expect 1 create "$(printf 'line\nend.vmdk')" 10M -O monolithicFlat
[ "$(files)" -eq "$before" ] || fail "a failed job left files"

# Kinds that are not created in place.
expect 1 create stream.vmdk 10M -O streamOptimized
has err 'vmdk: stream.vmdk: '
expect 1 create se.vmdk 10M -O seSparse
expect 1 create cowd.vmdk 3T -O vmfsSparse
expect 1 create grain.vmdk 10M --grain 100k

for wrong in 'disk2.vmdk' 'disk2.vmdk 0' 'disk2.vmdk 10Q' 'disk2.vmdk -5' 'disk2.vmdk 1M -O qcow2' \
  'disk2.vmdk 1M --adapter ahci' 'disk2.vmdk 1M --hwversion 0' 'disk2.vmdk 1M --preallocate all' \
  'disk2.vmdk 1M --cid 0' 'disk2.vmdk 1M --cid ffffffff' 'disk2.vmdk 1M --cid 123456789' \
  'disk2.vmdk 1M --set key' 'disk2.vmdk 1M --set =value' 'disk2.vmdk 1M --grain many'; do
  # shellcheck disable=SC2086
  expect 2 create $wrong
done
expect 2 create '' 1M
[ "$(files)" -eq "$before" ] || fail "wrong usage left files"
