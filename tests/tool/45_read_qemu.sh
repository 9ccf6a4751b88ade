#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk read`, `hash` and `compare` against what qemu-img sees in its own images.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img sha256sum
make_guest

for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse twoGbMaxExtentFlat monolithicFlat; do
  qemu-img convert -O vmdk -o subformat=$kind guest.raw "$kind.vmdk" || fail "qemu-img $kind"
  qemu-img convert -O raw "$kind.vmdk" by-qemu.raw || fail "qemu-img $kind to raw"
  for part in '0 41943552' '1048000 4096' '4194303 2' '20971520 65536' '31457280 200000' '41943039 513'; do
    # shellcheck disable=SC2086
    set -- $part
    expect 0 read "$kind.vmdk" "$1" "$2"
    tail -c +$(($1 + 1)) by-qemu.raw | head -c "$2" | cmp -s - out || fail "$kind: read $part differs"
  done
  wanted=$(sha256sum <by-qemu.raw | cut -d ' ' -f 1)
  expect 0 hash "$kind.vmdk"
  [ "$(cat out)" = "$wanted  $kind.vmdk" ] || fail "$kind: wrong digest"
  expect 0 compare "$kind.vmdk" guest.raw --raw-b
  expect 0 compare "$kind.vmdk" monolithicSparse.vmdk
done
