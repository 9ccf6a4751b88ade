#!/bin/sh
# SPDX-License-Identifier: MIT
# What `vmdk create` makes, qemu-img and libyal open; what qemu-io then writes, we read.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img qemu-io

for kind in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfs vmfsThin \
  vmfsSparse; do
  case $kind in
    vmfsThin) qemu_kind=none ;;
    *) qemu_kind=$kind ;;
  esac
  rm -f disk*
  expect 0 create disk.vmdk 3G -O $kind
  if command -v vmdkinfo >/dev/null 2>&1; then
    vmdkinfo disk.vmdk >info.log 2>&1 || { cat info.log >&2; fail "$kind: vmdkinfo refuses it"; }
    grep -q 3221225472 info.log || fail "$kind: vmdkinfo sees another size"
  fi
  # qemu does not know every createType.
  [ $qemu_kind != none ] || continue
  qemu-img info --output json -f vmdk disk.vmdk >qemu.json || fail "$kind: qemu-img info"
  has qemu.json '"virtual-size": 3221225472'
  case $kind in
    *Sparse)
      qemu-img check -f vmdk disk.vmdk >check.log 2>&1 || { cat check.log >&2; fail "$kind: qemu-img check"; }
      ;;
  esac
  # At the beginning, across the parts of a split disk, and at the end.
  for at in 0 2146402816 3221159936; do
    qemu-io -f vmdk -c "write -P 0x5a $at 65536" disk.vmdk >io.log 2>&1 || { cat io.log >&2; fail "$kind: qemu-io"; }
  done
  truncate -s 3221225472 guest.raw
  check_python 'for at in (0, 2146402816, 3221159936):
    f = open("guest.raw", "r+b")
    f.seek(at)
    f.write(b"\x5a" * 65536)'
  expect 0 compare disk.vmdk guest.raw --raw-b
  rm guest.raw
done
