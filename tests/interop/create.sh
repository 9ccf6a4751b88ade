#!/bin/sh
# SPDX-License-Identifier: MIT
# New disks and snapshots beside qemu and libyal: each opens what it can, finds nothing wrong with it, and
# what qemu writes into it is read here. What a program cannot do is named.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-img qemu-io python3
command -v vmdkinfo >/dev/null 2>&1 || echo "there is no vmdkinfo: qemu alone" >&2

kinds="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfs vmfsThin vmfsPreallocated
  vmfsEagerZeroedThick vmfsSparse"

# qemu_knows KIND
qemu_knows() {
  case $1 in vmfsThin | vmfsPreallocated | vmfsEagerZeroedThick) return 1 ;; esac
}

# told WHAT: says it once.
told=' '
tell() {
  case $told in *" $1 "*) return 0 ;; esac
  told="$told$1 "
  shift
  echo "$*" >&2
}

# refused FILE KIND: qemu-img does not open it, so that the list above is right.
refused() {
  tell "$2" "qemu-img does not know $2"
  ! qemu-img info -f vmdk "$1" >qemu.log 2>&1 || fail "qemu-img opens $2"
}

# io FILE COMMAND...: qemu-io runs each command.
io() {
  io_file=$1
  shift
  for io_command in "$@"; do
    qemu-io -f vmdk -c "$io_command" "$io_file" >io.log 2>&1 && ! grep -qi 'failed\|error' io.log ||
      { cat io.log >&2; fail "qemu-io $io_command on $io_file"; }
  done
}

# checked FILE: qemu-img finds nothing wrong, where it can look.
checked() {
  qemu-img check -f vmdk "$1" >check.log 2>&1
  case $? in
    0) ;;
    63) tell "check $2" "qemu-img check does not look at $2" ;;
    *) cat check.log >&2; fail "qemu-img check $1" ;;
  esac
}

# seen_by_libyal FILE KIND BYTES
seen_by_libyal() {
  command -v vmdkinfo >/dev/null 2>&1 || return 0
  vmdkinfo "$1" >theirs 2>&1 || { cat theirs >&2; fail "vmdkinfo $1"; }
  grep -Eq "Media size:.*\b$3 bytes" theirs || { cat theirs >&2; fail "vmdkinfo $1: another size"; }
}

# -- Empty disks, and what qemu writes into them --------------------------------
for size in 512 65024 66048 33554432 34603520; do
  for kind in $kinds; do
    rm -f disk* guest.raw
    expect 0 create disk.vmdk $size -O "$kind"
    silent
    seen_by_libyal disk.vmdk "$kind" $size
    if ! qemu_knows "$kind"; then
      refused disk.vmdk "$kind"
      continue
    fi
    qemu-img info --output json -f vmdk disk.vmdk >qemu.json || fail "qemu-img info: $kind"
    has qemu.json "\"virtual-size\": $size"
    checked disk.vmdk "$kind"
    truncate -s $size guest.raw
    qemu-img compare -q -f vmdk -F raw disk.vmdk guest.raw || fail "$kind of $size bytes is not empty for qemu"
    expect 0 compare disk.vmdk guest.raw --raw-b
    set -- "write -P 0x11 0 512" "write -P 0x22 $((size - 512)) 512"
    [ $size -lt 1000000 ] || set -- "$@" "write -P 0x33 1048000 200704" "write -P 0x44 16777216 1"
    io disk.vmdk "$@"
    for command in "$@"; do qemu-io -f raw -c "$command" guest.raw >io.log 2>&1 || fail "qemu-io guest.raw"; done
    checked disk.vmdk "$kind"
    expect 0 compare disk.vmdk guest.raw --raw-b
  done
done

# -- Grains, parts, adapters ----------------------------------------------------
for grain in 4k 8k 32k 128k 1M; do
  for kind in monolithicSparse twoGbMaxExtentSparse vmfsSparse; do
    rm -f disk* guest.raw
    expect 0 create disk.vmdk 70M -O $kind --grain $grain --adapter ide
    # libyal takes hosted grains of 4 KiB for damage.
    if [ "$grain $kind" = "4k ${kind%Sparse}Sparse" ] && [ $kind != vmfsSparse ]; then
      tell 4k "vmdkinfo does not take grains of 4 KiB"
    else
      seen_by_libyal disk.vmdk $kind 73400320
    fi
    checked disk.vmdk $kind
    truncate -s 70M guest.raw
    set -- "write -P 0x11 0 512" "write -P 0x22 3001344 70144" "write -P 0x33 73399808 512"
    io disk.vmdk "$@"
    for command in "$@"; do qemu-io -f raw -c "$command" guest.raw >io.log 2>&1 || fail "qemu-io guest.raw"; done
    expect 0 compare disk.vmdk guest.raw --raw-b
    checked disk.vmdk $kind
  done
done
for kind in twoGbMaxExtentSparse twoGbMaxExtentFlat; do
  rm -f disk* guest.raw
  expect 0 create disk.vmdk 70M -O $kind --split 16M
  [ -e disk-s005.vmdk ] || [ -e disk-f005.vmdk ] || fail "$kind: there is no fifth part"
  seen_by_libyal disk.vmdk $kind 73400320
  truncate -s 70M guest.raw
  set -- "write -P 0x11 16776704 1024" "write -P 0x22 33550336 200704" "write -P 0x33 73399808 512"
  io disk.vmdk "$@"
  for command in "$@"; do qemu-io -f raw -c "$command" guest.raw >io.log 2>&1 || fail "qemu-io guest.raw"; done
  expect 0 compare disk.vmdk guest.raw --raw-b
done

# -- Large ones ------------------------------------------------------------------
for size in 2199023255040 2199023255552 2199023256064; do
  for kind in monolithicSparse twoGbMaxExtentSparse monolithicFlat vmfs; do
    rm -f disk*
    split=
    [ $kind != twoGbMaxExtentSparse ] || split='--split 512G'
    expect 0 create disk.vmdk $size -O $kind $split
    qemu-img info --output json -f vmdk disk.vmdk >qemu.json || fail "qemu-img info: $kind of $size bytes"
    has qemu.json "\"virtual-size\": $size"
    seen_by_libyal disk.vmdk $kind $size
    io disk.vmdk "write -P 0x77 $((size - 512)) 512"
    expect 0 read disk.vmdk $((size - 512)) 512 -o sector
    check_python 'assert open("sector", "rb").read() == b"\x77" * 512'
  done
done
rm -f disk*
expect 0 create disk.vmdk 62T
qemu-img info --output json -f vmdk disk.vmdk >qemu.json || fail "qemu-img info: 62 TiB"
has qemu.json '"virtual-size": 68169720922112'
io disk.vmdk 'write -P 0x77 68169720921600 512'
expect 0 read disk.vmdk 68169720921600 512 -o sector
check_python 'assert open("sector", "rb").read() == b"\x77" * 512'

# -- Snapshots: qemu reads the chain, and writes its top -------------------------
rm -f disk* guest.raw
for kind in $kinds; do
  for child in '' monolithicSparse twoGbMaxExtentSparse vmfsSparse; do
    rm -f base* middle* top* guest.raw
    expect 0 create base.vmdk 34603520 -O "$kind" --adapter ide
    random_file piece 300000
    "$VMDK_TOOL" write base.vmdk 1000000 -i piece 2>err || fail "write base.vmdk"
    "$VMDK_TOOL" write base.vmdk 34303520 -i piece 2>err || fail "write base.vmdk"
    expect 0 snapshot base.vmdk middle.vmdk ${child:+-O $child}
    random_file other 70000
    "$VMDK_TOOL" write middle.vmdk 1100000 -i other 2>err || fail "write middle.vmdk"
    expect 0 snapshot middle.vmdk top.vmdk --grain 16k
    check_python '
import os
piece, other = open("piece", "rb").read(), open("other", "rb").read()
disk = bytearray(34603520)
disk[1000000:1300000] = piece
disk[34303520:34603520] = piece
disk[1100000:1170000] = other
open("guest.raw", "wb").write(disk)'
    expect 0 compare top.vmdk guest.raw --raw-b
    for image in middle top; do seen_by_libyal $image.vmdk chain 34603520; done
    if ! qemu_knows "$kind"; then
      refused base.vmdk "$kind"
      continue
    fi
    for image in middle top; do
      qemu-img compare -q -f vmdk -F raw $image.vmdk guest.raw || fail "$image.vmdk of $kind: qemu sees other bytes"
      checked $image.vmdk "${child:-$kind}"
    done
    set -- "write -P 0x91 65024 70144" "write -P 0x92 1100288 512" "write -P 0x93 34603008 512"
    io top.vmdk "$@"
    for command in "$@"; do qemu-io -f raw -c "$command" guest.raw >io.log 2>&1 || fail "qemu-io guest.raw"; done
    expect 0 compare top.vmdk guest.raw --raw-b
    qemu-img compare -q -f vmdk -F raw top.vmdk guest.raw || fail "top.vmdk of $kind: qemu sees other bytes"
  done
done

# A child of a parent in a folder below.
rm -rf base* middle* top* sub
mkdir sub
expect 0 create sub/base.vmdk 1M
"$VMDK_TOOL" write sub/base.vmdk 0 -i piece 2>err || fail "write sub/base.vmdk"
expect 0 snapshot sub/base.vmdk top.vmdk
expect 0 convert top.vmdk by-us.raw -O raw
qemu-img compare -q -f vmdk -F raw top.vmdk by-us.raw || fail "sub/base.vmdk: qemu sees other bytes"
cmp -n 300000 by-us.raw piece >&2 || fail "sub/base.vmdk is not read"
