#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk compare`: 0 the same, 1 different, 2 trouble; what it counts.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

expect 0 compare a.vmdk a.vmdk
has out same
expect 0 compare a.vmdk a.raw --raw-b
expect 0 compare a.raw a.vmdk --raw-a
expect 0 compare a.raw a.raw --raw-a --raw-b
expect 0 compare a.vmdk a.raw --raw-b --threads 1

# Raw bytes are not guessed.
expect 2 compare a.vmdk a.raw
has err '--raw-b'
expect 2 compare a.raw a.vmdk
has err '--raw-a'
expect 2 compare a.vmdk missing --raw-b
expect 2 compare a.vmdk . --raw-b

# change OFFSET...: b.raw is a.raw with these bytes changed.
change() {
  cp a.raw b.raw
  python3 -c '
import sys
f = open("b.raw", "r+b")
for at in map(int, sys.argv[1:]):
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 0x80]))' "$@"
}
change 1500000
expect 1 compare a.vmdk b.raw --raw-b
has out 'offset 1500000 (sector 2929)'
has out '1 bytes in 1 sectors'
expect 1 compare b.raw a.vmdk --raw-a
has out 'offset 1500000 (sector 2929)'
# Two in one sector, one on each side of the border of two, the last byte.
change 512 1023 1048575 1048576 3145727
for threads in 1 2; do
  expect 1 compare a.vmdk b.raw --raw-b --threads $threads
  has out 'offset 512 (sector 1)'
  has out '5 bytes in 4 sectors'
done
expect 1 compare -q a.vmdk b.raw --raw-b
[ ! -s out ] || fail "-q prints"
expect 0 compare -q a.vmdk a.raw --raw-b
[ ! -s out ] || fail "-q prints"

# Other sizes are a difference, even if the rest is zeros.
cp a.raw longer.raw
truncate -s 4194304 longer.raw
expect 1 compare a.vmdk longer.raw --raw-b
has out '3145728 and 4194304'
has out 'offset 3145728'
has out '0 bytes in 0 sectors'
expect 1 compare -q longer.raw a.vmdk --raw-a
head -c 1000 a.raw >shorter.raw
expect 1 compare a.vmdk shorter.raw --raw-b
has out 'offset 1000'

# Holes in both are not read: this ends at once.
printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="custom"\nRW 8589934592 ZERO\n' >z.vmdk
truncate -s 4398046511104 z.raw 2>/dev/null || exit 0
if command -v timeout >/dev/null 2>&1; then
  timeout 60 "$VMDK_TOOL" compare z.vmdk z.raw --raw-b >out 2>err || fail "4 TiB of nothing take a minute"
fi
