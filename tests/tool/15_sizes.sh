#!/bin/sh
# SPDX-License-Identifier: MIT
# Sizes and offsets on the command line.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

# same OFFSET LENGTH BYTES BYTES: the first two mean the bytes that follow.
same() {
  expect 0 read a.vmdk "$1" "$2"
  tail -c +$(($3 + 1)) a.raw | head -c "$4" | cmp -s - out || fail "read $1 $2 is not $3 $4"
}
same 0 512 0 512
same 1k 2K 1024 2048
same 1m 1M 1048576 1048576
same 2M 64k 2097152 65536
same 00512 010 512 10
same 3M 0 3145728 0

for size in '' k -1 +1 1.5M 1kB 0x10 12q ' 1' '1 ' 1MM; do
  expect 2 read a.vmdk 0 -- "$size"
done
# More than 64 bits hold, in digits or through the unit.
for size in 18446744073709551616 16E 18014398509481984k 99999999999999999999999T; do
  expect 2 read a.vmdk "$size"
  has err "64 bits"
done
# They fit, but the disk is smaller.
for size in 18446744073709551615 15E 62T 4M; do
  expect 1 read a.vmdk "$size"
  has err 3145728
done
expect 1 read a.vmdk 3M 1
expect 1 read a.vmdk 1M 18446744073709551615
