#!/bin/sh
# SPDX-License-Identifier: MIT
# What `vmdk convert` writes beside qemu and libyal: every kind out of every kind that qemu-img writes, streams
# through pipes. Each program opens what it can, sees the same bytes, and finds nothing wrong.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-img python3
command -v vmdkinfo >/dev/null 2>&1 || echo "there is no vmdkinfo: qemu alone" >&2

kinds="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfs vmfsThin vmfsPreallocated
  vmfsEagerZeroedThick vmfsSparse streamOptimized"
theirs="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized"

# qemu_knows KIND
qemu_knows() {
  case $1 in vmfsThin | vmfsPreallocated | vmfsEagerZeroedThick) return 1 ;; esac
}

# guest SIZE: a disk with data that shrinks, data that does not, zeros that are stored, and holes.
guest() {
  rm -f guest.raw
  check_python '
import os, random, sys
size, state = int(sys.argv[1]), random.Random(7)
with open("guest.raw", "wb") as disk:
    disk.truncate(size)
    for at in sorted({0, 70000, 131072, 900000, size // 3, size // 2, size - 66000, size - 513}):
        if 0 <= at < size:
            disk.seek(at)
            piece = state.randbytes(30000) + b"the same again " * 3000 + bytes(40000)
            disk.write(piece[: size - at])' "$1"
}

# same FILE KIND SIZE: all programs see the guest in it.
same() {
  expect 0 compare "$1" guest.raw --raw-b
  if command -v vmdkinfo >/dev/null 2>&1; then
    vmdkinfo "$1" >info.log 2>&1 || { cat info.log >&2; fail "vmdkinfo $1"; }
    grep -Eq "Media size:.*\b$3 bytes" info.log || { cat info.log >&2; fail "vmdkinfo $1: another size"; }
  fi
  qemu_knows "$2" || return 0
  qemu-img compare -q -f vmdk -F raw "$1" guest.raw || fail "$1: qemu sees other bytes"
  qemu-img check -f vmdk "$1" >check.log 2>&1
  case $? in
    0 | 63) ;;
    *) cat check.log >&2; fail "qemu-img check $1" ;;
  esac
}

for size in 512 66048 1049088 34603520; do
  guest $size
  # -- Ours, out of raw, and back --
  for kind in $kinds; do
    rm -f ours*
    expect 0 convert guest.raw ours.vmdk --from raw -O "$kind"
    same ours.vmdk "$kind" $size
    rm -f back.raw
    expect 0 convert ours.vmdk back.raw -O raw
    cmp -s back.raw guest.raw || fail "$kind of $size bytes: not the same when it comes back"
    if qemu_knows "$kind"; then
      rm -f back.raw
      qemu-img convert -f vmdk -O raw ours.vmdk back.raw || fail "qemu-img convert: $kind"
      cmp -s back.raw guest.raw || fail "$kind of $size bytes: qemu-img convert gives other bytes"
    fi
  done

  # -- Theirs to every kind of ours --
  for from in $theirs; do
    rm -f theirs*
    qemu-img convert -f raw -O vmdk -o subformat="$from" guest.raw theirs.vmdk || fail "qemu-img convert: $from"
    for kind in $kinds; do
      rm -f ours*
      expect 0 convert theirs.vmdk ours.vmdk -O "$kind"
      same ours.vmdk "$kind" $size
    done
  done
done

# -- Streams through pipes ------------------------------------------------------
guest 34603520
"$VMDK_TOOL" convert guest.raw - --from raw -O streamOptimized >ours.vmdk || fail "to a pipe"
same ours.vmdk streamOptimized 34603520
rm -f theirs.vmdk
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized guest.raw theirs.vmdk || fail "qemu-img streamOptimized"
for stream in ours theirs; do
  for kind in $kinds; do
    rm -f piped*
    cat $stream.vmdk | "$VMDK_TOOL" convert - piped.vmdk -O "$kind" >out 2>err || fail "$stream to $kind through a pipe"
    same piped.vmdk "$kind" 34603520
  done
done
# Not larger than theirs.
ours=$(wc -c <ours.vmdk) theirs=$(wc -c <theirs.vmdk)
[ "$ours" -le "$theirs" ] || fail "our stream has $ours bytes, theirs $theirs"

# -- Grains, levels --------------------------------------------------------------
for options in '--level 1' '--level 12' '--level 0' '--threads 1' '--threads 8' '--grain 4k' '--grain 1M'; do
  rm -f ours.vmdk
  # shellcheck disable=SC2086
  expect 0 convert guest.raw ours.vmdk --from raw -O streamOptimized $options
  expect 0 compare ours.vmdk guest.raw --raw-b
  qemu-img compare -q -f vmdk -F raw ours.vmdk guest.raw || fail "$options: qemu sees other bytes"
done

# -- More than 2 GiB --------------------------------------------------------------
guest 5368709632
for kind in twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized monolithicSparse; do
  rm -f ours*
  expect 0 convert guest.raw ours.vmdk --from raw -O $kind
  qemu-img compare -q -f vmdk -F raw ours.vmdk guest.raw || fail "$kind of 5 GiB: qemu sees other bytes"
done

# -- A chain of qemu's -------------------------------------------------------------
if command -v qemu-io >/dev/null 2>&1; then
  guest 34603520
  rm -f base.vmdk child.vmdk ours*
  qemu-img convert -f raw -O vmdk guest.raw base.vmdk || fail "base"
  qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk || fail "child"
  for command in 'write -P 0x91 65024 70144' 'write -P 0x93 34603008 512'; do
    qemu-io -f vmdk -c "$command" child.vmdk >io.log 2>&1 || fail "qemu-io child"
    qemu-io -f raw -c "$command" guest.raw >io.log 2>&1 || fail "qemu-io guest"
  done
  for kind in $kinds; do
    rm -f ours*
    expect 0 convert child.vmdk ours.vmdk -O "$kind"
    same ours.vmdk "$kind" 34603520
  done
fi
