#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk map` of images by qemu-img, checked against their files byte by byte.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img
make_guest

check_map='
import json
d = json.load(open("out"))
guest = open("guest.raw", "rb").read()
at, before = 0, None
sums = {"data": 0, "zero": 0, "absent": 0}
for r in d["runs"]:
    assert r["offset"] == at and r["length"] > 0, r
    at += r["length"]
    sums[r["kind"]] += r["length"]
    seen = guest[r["offset"]:r["offset"] + r["length"]]
    if r["kind"] != "data":
        assert seen.count(0) == len(seen), r
        assert r["file"] is None and r["file_offset"] is None, r
        assert (r["link"] is None) == (r["kind"] == "absent"), r
    elif not r["compressed"]:
        f = open(r["file"], "rb")
        f.seek(r["file_offset"])
        assert f.read(r["length"]) == seen, r
    same = lambda k: before is not None and before[k] == r[k]
    if same("kind") and same("link") and same("extent") and same("compressed"):
        assert r["kind"] == "data" and not r["compressed"], ("not joined", before, r)
        assert before["file_offset"] + before["length"] != r["file_offset"], (before, r)
    before = r
assert at == d["capacity"] == len(guest), at
assert sums == d["totals"], sums
assert sums["data"] >= 3 << 20, sums
'
for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse twoGbMaxExtentFlat monolithicFlat; do
  qemu-img convert -O vmdk -o subformat=$kind guest.raw "$kind.vmdk" || fail "qemu-img $kind"
  expect 0 map "$kind.vmdk" --json
  check_python "$check_map"
done
expect 0 map streamOptimized.vmdk
has out compressed

# Neighbours on the disk that are not neighbours in the file are not joined.
if command -v qemu-io >/dev/null 2>&1; then
  cp guest.raw whole.raw
  qemu-img create -q -f vmdk -o subformat=monolithicSparse order.vmdk 4M || fail "qemu-img"
  for at in 128 0 64 512 256 320; do
    qemu-io -f vmdk -c "write -P $((at / 64 + 1)) ${at}k 64k" order.vmdk >/dev/null || fail "qemu-io"
  done
  qemu-io -f vmdk -c 'write -P 99 1M 3M' order.vmdk >/dev/null || fail "qemu-io"
  qemu-img convert -O raw order.vmdk guest.raw || fail "qemu-img"
  expect 0 map order.vmdk --json
  check_python "$check_map"
  mv whole.raw guest.raw
fi

# A chain: the child holds one piece, its parent the rest.
if command -v qemu-io >/dev/null 2>&1; then
  qemu-img create -q -f vmdk -b monolithicSparse.vmdk -F vmdk child.vmdk || fail "qemu-img child"
  qemu-io -f vmdk -c 'write -P 7 5M 1M' child.vmdk >/dev/null || fail "qemu-io"
  qemu-img convert -O raw child.vmdk guest.raw || fail "qemu-img"
  expect 0 map child.vmdk --json
  check_python "$check_map"
  check_python '
import json
runs = json.load(open("out"))["runs"]
assert {r["link"] for r in runs} == {0, 1, None}, runs
child = [r for r in runs if r["link"] == 0]
assert len(child) == 1 and child[0]["offset"] == 5 << 20 and child[0]["length"] == 1 << 20, child'
  expect 0 map child.vmdk --svg child.svg
  has child.svg 'data in link 0: child.vmdk'
  has child.svg 'data in link 1: monolithicSparse.vmdk'
fi

# The largest disk there is becomes a picture of bounded size.
qemu-img create -q -f vmdk -o subformat=monolithicSparse huge.vmdk 62T >/dev/null || fail "qemu-img 62T"
expect 0 map huge.vmdk --svg huge.svg
[ "$(wc -c <huge.svg)" -lt 1000000 ] || fail "the picture is too large"
has huge.svg '62 TiB'
check_python 'import xml.etree.ElementTree as ET; ET.parse("huge.svg")'
expect 0 map huge.vmdk
[ "$(lines_of out)" -eq 2 ] || fail "an empty disk is more than one run"
