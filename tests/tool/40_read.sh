#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk read`: parts and the whole, to standard output and to a file.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

expect 0 read a.vmdk
cmp -s out a.raw || fail "the whole disk differs"
for threads in 1 2; do
  for part in '0 1' '511 2' '1048575 2' '2097151 4097' '1000000 2000000' '3145727 1' '3145728 0'; do
    # Two numbers.
    # shellcheck disable=SC2086
    set -- $part
    expect 0 read a.vmdk "$1" "$2" --threads $threads
    tail -c +$(($1 + 1)) a.raw | head -c "$2" | cmp -s - out || fail "read $part differs"
  done
done
expect 0 read a.vmdk 2M
cmp -s out b-f.bin || fail "from an offset to the end differs"

expect 0 read a.vmdk 1000 2M -o part
tail -c +1001 a.raw | head -c 2097152 | cmp -s - part || fail "the part in a file differs"
[ ! -s out ] || fail "output beside -o"
expect 0 read a.vmdk 0 10 --output=part
head -c 10 a.raw | cmp -s - part || fail "a file that was there is not replaced"
expect 0 read a.vmdk 0 10 -o -
head -c 10 a.raw | cmp -s - out || fail "-o - is not standard output"

# Nothing is touched when the part lies beyond the disk.
expect 1 read a.vmdk 3M 1 -o part
head -c 10 a.raw | cmp -s - part || fail "a failure changed the file"
expect 1 read a.vmdk 4M -o new
[ ! -e new ] || fail "a failure made a file"

# Never over a file of the disk itself, by whatever name.
ln -s b-f.bin link-to-b
for victim in a.vmdk a-f.bin ./b-f.bin link-to-b; do
  expect 1 read a.vmdk -o "$victim"
done
cat a-f.bin b-f.bin >both
{ head -c 1048576 a.raw; tail -c 1048576 a.raw; } | cmp -s - both || fail "an extent was changed"

# A link to another file stays a link.
echo old >target
ln -s target link
expect 0 read a.vmdk 0 100 -o link
[ -L link ] || fail "the link is gone"
head -c 100 a.raw | cmp -s - target || fail "the target of the link was not written"
ls ./*.tmp-* >/dev/null 2>&1 && fail "temporary files are left"
exit 0
