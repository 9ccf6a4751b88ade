#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk write`: the same bytes as in a plain file, whatever the kind, the offset and the source.
. "$(dirname "$0")/lib.sh"
need python3
random_file data.bin 3000000
truncate -s 5000000 holes.bin
head -c 100000 data.bin | dd of=holes.bin bs=4096 seek=600 conv=notrunc 2>/dev/null

# patch FILE OFFSET SOURCE|zeros SIZE: what the command is to do, in a plain file.
patch() {
  python3 -c 'import sys
name, offset, source, size = sys.argv[1:]
data = bytes(int(size)) if source == "zeros" else open(source, "rb").read()[:int(size)]
f = open(name, "r+b")
f.seek(int(offset))
f.write(data)' "$@" || exit 1
}

same() {
  expect 0 compare "$1" "$2" --raw-b
}

no_flags() {
  expect 0 info "$1" --json
  has out '"unclean": false'
}

for kind in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfsThin vmfsSparse; do
  rm -f disk* guest.raw
  case $kind in
    two*) expect 0 create disk.vmdk 8M -O $kind --split 2M ;;
    *) expect 0 create disk.vmdk 8M -O $kind ;;
  esac
  truncate -s 8388608 guest.raw
  expect 0 info disk.vmdk --json
  cp out before.json

  expect 0 write disk.vmdk 0 -i data.bin
  silent
  patch guest.raw 0 data.bin 3000000
  same disk.vmdk guest.raw
  no_flags disk.vmdk
  check_python 'import json
before = json.load(open("before.json"))
after = json.load(open("out"))
assert before["cid"] != after["cid"], "the content ID stays"'

  # From pipes, at odd places, to the last byte.
  head -c 3000000 data.bin | "$VMDK_TOOL" write disk.vmdk 1234567 >out 2>err || fail "$kind: a pipe"
  patch guest.raw 1234567 data.bin 3000000
  head -c 1 data.bin | "$VMDK_TOOL" write disk.vmdk 8388607 -i - >out 2>err || fail "$kind: the last byte"
  patch guest.raw 8388607 data.bin 1
  "$VMDK_TOOL" write disk.vmdk 5388609 <data.bin >out 2>err && fail "$kind: more than there is room"
  head -c 2999999 data.bin | "$VMDK_TOOL" write disk.vmdk 5388609 >out 2>err || fail "$kind: the end"
  patch guest.raw 5388609 data.bin 2999999
  "$VMDK_TOOL" write disk.vmdk 8M </dev/null >out 2>err || fail "$kind: nothing"
  same disk.vmdk guest.raw

  # Holes become zeros, over data too.
  expect 0 write disk.vmdk 1000001 --input holes.bin --threads 1
  patch guest.raw 1000001 holes.bin 5000000
  expect 0 write disk.vmdk 7M --zero 70000
  patch guest.raw 7340032 zeros 70000
  expect 0 write disk.vmdk 100 --discard 2M
  patch guest.raw 100 zeros 2097152
  same disk.vmdk guest.raw
  no_flags disk.vmdk
  expect 0 write disk.vmdk 0 --discard 8M --progress plain
  has err 'discard: 100%'
  truncate -s 0 guest.raw
  truncate -s 8388608 guest.raw
  same disk.vmdk guest.raw
  expect 0 info disk.vmdk --json
  check_python 'import json
assert json.load(open("out"))["stored_bytes"] <= 1 << 20, "a discarded disk takes space"'
done

# Holes of a file take no space in a disk.
expect 0 create thin.vmdk 1G
truncate -s 1073741824 empty.bin
expect 0 write thin.vmdk 0 -i empty.bin
[ "$(du -k thin.vmdk | cut -f 1)" -le 1024 ] || fail "holes were written"

# Too much: nothing of a file, what fits of a pipe.
expect 0 create small.vmdk 2M
cp small.vmdk small.before
expect 1 write small.vmdk 0 -i data.bin
grep -q '^vmdk: small.vmdk: data.bin' err || fail "the error names no file"
expect 1 write small.vmdk 2097153 -i /dev/null
expect 1 write small.vmdk 1M --zero 1048577
expect 1 write small.vmdk 0 --discard 3M
expect 1 write small.vmdk 0 -i no-such-file
has err no-such-file
expect 1 write small.vmdk 0 -i .
cmp -s small.vmdk small.before || fail "a refused job changed the disk"
head -c 3000000 data.bin | "$VMDK_TOOL" write small.vmdk 1000000 >out 2>err
[ $? -eq 1 ] || fail "a pipe that is too long is no error"
has err 'after 1097152 bytes'
expect 0 read small.vmdk 1000000 -o part.raw
head -c 1097152 data.bin | cmp -s - part.raw || fail "what fits was not written"

# What cannot be written.
make_flat
sha256sum a.vmdk a-f.bin b-f.bin >sums
expect 1 write a.vmdk 1M -i data.bin
grep -q '^vmdk: ' err || fail "no message"
expect 1 write a.vmdk 0 -i a-f.bin
has err a-f.bin
sed 's/^RW/RDONLY/' a.vmdk >r.vmdk
expect 1 write r.vmdk 0 --zero 512
grep -q '^hint: ' err || fail "no hint for a disk that cannot be written"
expect 1 write data.bin 0 --zero 512
expect 1 write missing.vmdk 0 --zero 512
sha256sum -c sums >/dev/null 2>&1 || fail "a refused job changed the disk"
head -c 1000 data.bin | "$VMDK_TOOL" write a.vmdk 2097152 >out 2>err || fail "data of a disk with zeros"
expect 0 write a.vmdk 1M --zero 1M

for wrong in 'small.vmdk' 'small.vmdk x' 'small.vmdk 0 --zero x' 'small.vmdk 0 --zero 1 --discard 1' \
  'small.vmdk 0 -i data.bin --zero 1' 'small.vmdk -1' 'small.vmdk 0 0'; do
  # shellcheck disable=SC2086
  expect 2 write $wrong </dev/null
done

# A full device on the host. The part before it is written, and the disk stays valid.
expect 0 create limited.vmdk 64M
head -c 100000 data.bin | "$VMDK_TOOL" write limited.vmdk 0 >out 2>err || fail "before the limit"
head -c 40000000 /dev/urandom >much.bin
sh -c 'ulimit -f 8000 && exec "$VMDK_TOOL" write limited.vmdk 0 -i much.bin' >out 2>err
[ $? -eq 1 ] || fail "a file size limit is not noticed"
[ "$(grep -c '^vmdk: ' err)" -ge 1 ] || fail "no message"
expect 0 read limited.vmdk -o limited.raw
expect 0 write limited.vmdk 0 -i much.bin
expect 0 read limited.vmdk 0 40000000 -o limited.raw
cmp -s limited.raw much.bin || fail "writing does not go on once there is room"
