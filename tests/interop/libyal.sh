#!/bin/sh
# SPDX-License-Identifier: MIT
# The tools of libyal's libvmdk: vmdkinfo tells the same of a disk as `vmdk info`, and where vmdkmount
# may mount, the bytes it shows are those of `vmdk convert`.
. "$(dirname "$0")/../tool/lib.sh"
need vmdkinfo qemu-img qemu-io python3
trap 'unmount; cd / && rm -rf "$work"' EXIT

mounted='' shown=0
unmount() {
  [ -n "$mounted" ] || return 0
  { fusermount -u "$mounted" || fusermount3 -u "$mounted" || umount "$mounted"; } 2>/dev/null
  mounted=
}

# shows FILE: compares the bytes, if there is a way to mount.
shows() {
  [ -n "${can_mount:-}" ] || return 0
  rm -f by-us.raw
  expect 0 convert "$1" by-us.raw -O raw
  mkdir -p mount
  if ! vmdkmount "$1" mount >mount.log 2>&1 </dev/null; then
    # Of vmdkmount 20200926, which tells flat disks but does not mount them.
    grep -q 'Unsupported disk type' mount.log && return 0
    cat mount.log >&2
    fail "vmdkmount $1"
  fi
  mounted=$PWD/mount
  cmp mount/vmdk1 by-us.raw >&2 || fail "$1: vmdkmount shows other bytes"
  unmount
  shown=$((shown + 1))
}

# tells FILE: compares the fields.
tells() {
  vmdkinfo "$1" >theirs 2>&1 || { cat theirs >&2; fail "vmdkinfo $1"; }
  expect 0 info "$1" --json --extents
  check_python '
import json, re
ours = json.load(open("out"))
theirs = open("theirs").read()
head, *extents = re.split(r"\nExtent: \d+\n", theirs)

def field(text, name):
    return re.search(r"^\s*%s:\s*(.*)$" % re.escape(name), text, re.M).group(1)

def size(text):
    return int(re.search(r"\(?(\d+) bytes\)?", text).group(1))

types = {"Monolithic sparse": "monolithicSparse", "Monolithic flat": "monolithicFlat",
         "2GB extent sparse": "twoGbMaxExtentSparse", "2GB extent flat": "twoGbMaxExtentFlat",
         "Stream optimized": "streamOptimized"}
assert types[field(head, "Disk type")] == ours["type"], theirs
assert size(field(head, "Media size")) == ours["capacity"], theirs
assert int(field(head, "Content identifier"), 16) == int(ours["cid"], 16), theirs
parent = int(field(head, "Parent content identifier"), 16)
assert (None if parent == 0xFFFFFFFF else parent) == (ours["parent_cid"] and int(ours["parent_cid"], 16)), theirs
assert int(field(head, "Number of extents")) == ours["extent_count"] == len(ours["extents"]) == len(extents), theirs
for text, extent in zip(extents, ours["extents"]):
    assert field(text, "Filename") == extent["file"].split("/")[-1], (text, extent)
    kinds = {"Sparse": ("sparse", "stream"), "Flat": ("flat",)}
    assert extent["kind"] in kinds[field(text, "Type")], (text, extent)
    assert size(field(text, "Size")) == extent["size"], (text, extent)
    assert int(field(text, "Start offset")) == extent["file_offset"], (text, extent)' || exit 1
}

# -- Is mounting allowed here? --------------------------------------------------
qemu-img create -q -f vmdk probe.vmdk 1M || fail "probe"
mkdir mount
if command -v vmdkmount >/dev/null 2>&1 && [ -c /dev/fuse ] && vmdkmount probe.vmdk mount >mount.log 2>&1 </dev/null; then
  mounted=$PWD/mount
  [ -r mount/vmdk1 ] && can_mount=yes
  unmount
fi
[ -n "${can_mount:-}" ] || echo "vmdkmount cannot be used here: vmdkinfo alone" >&2

for size in 66560 34603008 3221225472; do
  for kind in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized; do
    rm -f ./*.vmdk guest.raw
    image=$kind-$size.vmdk
    qemu-img create -q -f raw guest.raw $size || fail "guest.raw"
    qemu-io -f raw -c 'write -P 0x11 0 512' -c 'write -P 0x22 30720 4096' -c "write -P 0x33 $((size - 512)) 512" \
      guest.raw >io.log 2>&1 || fail "qemu-io"
    qemu-img convert -f raw -O vmdk -o subformat=$kind guest.raw "$image" || fail "qemu-img $image"
    tells "$image"
    [ $size = 3221225472 ] || shows "$image"
  done
done

qemu-img convert -f raw -O vmdk -o subformat=monolithicSparse guest.raw base.vmdk || fail "base"
qemu-img create -q -f vmdk -b base.vmdk -F vmdk child.vmdk || fail "child"
tells child.vmdk
[ -z "${can_mount:-}" ] || [ $shown -ge 3 ] || fail "vmdkmount showed only $shown disks"
