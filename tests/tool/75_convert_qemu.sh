#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk convert` of images by qemu-img, which must find its own guest again.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img
make_guest

for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse twoGbMaxExtentFlat monolithicFlat; do
  qemu-img convert -O vmdk -o subformat=$kind guest.raw "$kind.vmdk" || fail "qemu-img $kind"
  for threads in 1 2 8; do
    rm -f out.raw
    expect 0 convert "$kind.vmdk" out.raw -O RAW --threads $threads
    cmp -s out.raw guest.raw || fail "$kind with $threads threads differs"
    [ "$(du -k out.raw | cut -f 1)" -le 3600 ] || fail "$kind: holes are lost"
  done
done
