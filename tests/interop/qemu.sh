#!/bin/sh
# SPDX-License-Identifier: MIT
# Every kind of image that qemu-img makes, of several sizes, written to at odd places, alone and in
# chains: the command must see what qemu-img sees.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-img qemu-io sha256sum cmp python3

kinds='monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized'

# io FORMAT FILE COMMAND...
io() {
  io_format=$1 io_file=$2
  shift 2
  for io_command in "$@"; do set -- "$@" -c "$io_command"; shift; done
  qemu-io -f "$io_format" "$@" "$io_file" >io.log 2>&1 || { cat io.log >&2; fail "qemu-io $io_file"; }
  if grep -q 'failed\|rror' io.log; then cat io.log >&2; fail "qemu-io $io_file"; fi
}

# same FILE: hash, convert and compare agree with the raw image that qemu-img makes of it.
same() {
  rm -f by-qemu.raw by-us.raw
  qemu-img convert -f vmdk -O raw "$1" by-qemu.raw || fail "qemu-img convert $1"
  same_wanted=$(sha256sum <by-qemu.raw | cut -d ' ' -f 1)
  expect 0 hash "$1"
  [ "$(cat out)" = "$same_wanted  $1" ] || fail "$1: hash differs from that of qemu-img's raw image"
  expect 0 convert "$1" by-us.raw -O raw
  cmp by-qemu.raw by-us.raw >&2 || fail "$1: the raw image differs from qemu-img's"
  expect 0 compare "$1" by-qemu.raw --raw-b
}

# differs FILE: compare notices one changed byte of by-qemu.raw, so that `same` means something.
differs() {
  differs_size=$(wc -c <by-qemu.raw)
  python3 -c 'import sys
with open("by-qemu.raw", "r+b") as f:
    f.seek(int(sys.argv[1]) // 2)
    byte = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([byte[0] ^ 1]))' "$differs_size"
  expect 1 compare "$1" by-qemu.raw --raw-b
}

# -- Sizes and kinds: empty, then with data ------------------------------------
for size in 512 66560 34603008; do
  # The same bytes in each kind: at both ends, across grains, and at places that are no multiple of one.
  rm -f guest.raw
  qemu-img create -q -f raw guest.raw $size || fail "qemu-img guest.raw"
  case $size in
    512) set -- 'write -P 0x11 0 512' ;;
    66560) set -- 'write -P 0x11 0 512' 'write -P 0x22 65024 1536' 'write -P 0x33 30720 2048' ;;
    *) set -- 'write -P 0x11 0 512' 'write -P 0x22 65024 1024' 'write -P 0x33 1048576 65536' \
      'write -P 0x44 3000832 200704' 'write -P 0x55 33553920 1024' 'write -P 0x66 34602496 512' \
      'write -P 0x00 20971520 131072' 'write -P 0x77 20971520 512' ;;
  esac
  io raw guest.raw "$@"
  for kind in $kinds; do
    image="$kind $size.vmdk"
    rm -f ./*.vmdk
    if [ "$kind" != streamOptimized ]; then
      qemu-img create -q -f vmdk -o subformat="$kind" "$image" $size || fail "qemu-img create $image"
      same "$image"
      io vmdk "$image" "$@"
    else
      qemu-img convert -f raw -O vmdk -o subformat="$kind" guest.raw "$image" || fail "qemu-img convert $image"
    fi
    same "$image"
    cmp by-us.raw guest.raw >&2 || fail "$image does not hold what was written"
    differs "$image"
  done
done

# -- Random writes -------------------------------------------------------------
python3 - >writes <<'END'
import random
r = random.Random(20)
for n in range(60):
    size = r.choice([512, 1024, 4096, 65536, 70144, 200704])
    at = r.randrange(0, 40 * 2**20 - size) // 512 * 512
    print("write -P %d %d %d" % (r.randrange(1, 256), at, size))
END
for kind in monolithicSparse twoGbMaxExtentSparse monolithicFlat; do
  rm -f ./*.vmdk
  qemu-img create -q -f vmdk -o subformat="$kind" disk.vmdk 40M || fail "qemu-img create $kind"
  qemu-io -f vmdk disk.vmdk <writes >io.log 2>&1 || fail "qemu-io $kind"
  same disk.vmdk
done

# -- Zeroed grains -------------------------------------------------------------
for kind in monolithicSparse twoGbMaxExtentSparse; do
  rm -f ./*.vmdk
  qemu-img create -q -f vmdk -o subformat=$kind,zeroed_grain=on base.vmdk 34603008 || fail "zeroed_grain"
  io vmdk base.vmdk 'write -P 0x11 0 1048576' 'write -z 131072 262144' 'write -P 0x22 196608 512'
  same base.vmdk
  # In a child a zeroed grain hides what its parent holds.
  qemu-img create -q -f vmdk -o zeroed_grain=on -b base.vmdk -F vmdk child.vmdk || fail "child"
  io vmdk child.vmdk 'write -z 0 65536' 'write -z 524288 131072' 'write -P 0x33 589824 512'
  same child.vmdk
done

# -- Chains of three -----------------------------------------------------------
for kind in $kinds; do
  rm -f ./*.vmdk
  qemu-img convert -f raw -O vmdk -o subformat="$kind" guest.raw base.vmdk || fail "base $kind"
  # qemu-img makes children of sparse kinds alone.
  qemu-img create -q -f vmdk -b base.vmdk -F vmdk middle.vmdk 2>create.log || continue
  io vmdk middle.vmdk 'write -P 0x91 65024 70144' 'write -P 0x92 10485760 512' 'write -P 0x93 34602496 512'
  qemu-img create -q -f vmdk -b middle.vmdk -F vmdk top.vmdk || fail "top $kind"
  io vmdk top.vmdk 'write -P 0xa1 66048 512' 'write -P 0xa2 1048576 1024' 'write -P 0xa3 33553408 1536'
  for image in top.vmdk middle.vmdk base.vmdk; do same "$image"; done
  expect 0 info top.vmdk --json
  check_python 'import json; assert json.load(open("out"))["chain_length"] == 3'
  # A parent that was written to is not the one the children were made on.
  if [ "$kind" = monolithicSparse ]; then
    io vmdk base.vmdk 'write -P 0xff 0 512'
    expect 1 hash top.vmdk
    has err base.vmdk
  fi
done
[ -e top.vmdk ] || fail "qemu-img made no chain at all"

# -- Adapter types, hardware versions -------------------------------------------
for adapter in ide lsilogic buslogic legacyESX; do
  for kind in monolithicSparse monolithicFlat; do
    rm -f ./*.vmdk
    qemu-img create -q -f vmdk -o subformat=$kind,adapter_type=$adapter,hwversion=7 disk.vmdk 33M || fail "$adapter"
    expect 0 info disk.vmdk --json
    check_python '
import json, sys
d = json.load(open("out"))
assert d["adapter"] == sys.argv[1] and d["hardware_version"] == 7, d
assert d["type"] == sys.argv[2] and d["capacity"] == 33 << 20, d
assert d["geometry"]["sectors"] == 63 and d["geometry"]["heads"] in (16, 255), d' $adapter "$kind"
  done
done

# -- 5 GiB, of which a little is used ------------------------------------------
rm -f ./*.vmdk ./*.raw
qemu-img create -q -f raw guest.raw 5G || fail "guest.raw"
set -- 'write -P 0x11 0 512' 'write -P 0x22 2147483136 1024' 'write -P 0x33 4294966784 66048' 'write -P 0x44 5368708608 512'
io raw guest.raw "$@"
qemu-img create -q -f vmdk -o subformat=monolithicSparse mono.vmdk 5G || fail "mono"
qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentSparse split.vmdk 5G || fail "split"
qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentFlat flat.vmdk 5G || fail "flat"
for image in mono split flat; do
  io vmdk $image.vmdk "$@"
  expect 0 compare $image.vmdk guest.raw --raw-b
done
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized guest.raw stream.vmdk || fail "stream"
expect 0 compare stream.vmdk guest.raw --raw-b
expect 0 compare stream.vmdk split.vmdk
wanted=$(sha256sum <guest.raw | cut -d ' ' -f 1)
expect 0 hash split.vmdk
[ "$(cat out)" = "$wanted  split.vmdk" ] || fail "5 GiB: wrong digest"
expect 0 convert stream.vmdk by-us.raw -O raw --threads 2
qemu-img compare -q -f raw -F raw by-us.raw guest.raw || fail "5 GiB: the raw image differs"
[ "$(du -k by-us.raw | cut -f 1)" -le 4096 ] || fail "5 GiB: holes are lost"
