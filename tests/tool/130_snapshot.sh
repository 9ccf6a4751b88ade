#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk snapshot`: a child shows its parent, takes what is written, and leaves the parent alone.
. "$(dirname "$0")/lib.sh"
need python3
random_file data.bin 700000

for kind in monolithicSparse:monolithicSparse monolithicFlat:monolithicSparse \
  twoGbMaxExtentSparse:twoGbMaxExtentSparse vmfsThin:vmfsSparse vmfsSparse:vmfsSparse; do
  mkdir work && cd work || exit 1
  expect 0 create base.vmdk 6M -O "${kind%:*}"
  expect 0 write base.vmdk 100000 -i ../data.bin
  expect 0 read base.vmdk -o guest.raw
  sha256sum base*.vmdk >sums
  expect 0 snapshot base.vmdk child.vmdk
  silent
  expect 0 info child.vmdk --json --chain
  check_python 'import json, sys
child, parent = json.load(open("out"))["chain"]
assert child["type"] == sys.argv[1], child["type"]
assert child["cid"] == child["parent_cid"] == parent["cid"], child
assert child["parent_hint"] == "base.vmdk", child["parent_hint"]
assert child["capacity"] == 6 << 20, child["capacity"]' "${kind#*:}"
  expect 0 compare child.vmdk guest.raw --raw-b

  # Across the edge of what the parent holds; then a grandchild of zeros.
  expect 0 write child.vmdk 750001 -i ../data.bin
  expect 0 snapshot child.vmdk grandchild.vmdk --grain 4k
  expect 0 write grandchild.vmdk 150000 --zero 100000
  expect 0 write grandchild.vmdk 700000 --discard 200000
  check_python 'data = open("../data.bin", "rb").read()
guest = bytearray(open("guest.raw", "rb").read())
guest[750001:750001 + len(data)] = data
open("child.raw", "wb").write(guest)
guest[150000:250000] = bytes(100000)
guest[700000:900000] = bytes(200000)
open("grandchild.raw", "wb").write(guest)'
  expect 0 compare child.vmdk child.raw --raw-b
  expect 0 compare grandchild.vmdk grandchild.raw --raw-b
  expect 0 compare base.vmdk guest.raw --raw-b
  sha256sum -c sums >/dev/null 2>&1 || fail "$kind: the parent was changed"

  # A parent that is written to is noticed.
  expect 0 write base.vmdk 0 --zero 512
  expect 0 write base.vmdk 0 -i guest.raw
  expect 1 info child.vmdk
  has err base.vmdk
  cd .. && rm -r work
done

# Kinds and names.
mkdir -p pool/base
expect 0 create pool/base/disk.vmdk 3M
expect 0 snapshot pool/base/disk.vmdk pool/split.vmdk -O TWOGBMAXEXTENTSPARSE --grain 8k --set comment=a
expect 0 info pool/split.vmdk --json --keys
check_python 'import json
info = json.load(open("out"))
assert info["type"] == "twoGbMaxExtentSparse", info["type"]
assert info["grain_bytes"] == 8192, info["grain_bytes"]
assert info["parent_hint"] == "base/disk.vmdk", info["parent_hint"]
assert info["keys"]["ddb.comment"] == "a", info["keys"]'
expect 0 snapshot pool/base/disk.vmdk pool/zero.vmdk --zero-grains
expect 0 info pool/zero.vmdk --json
has out '"header_version": 2,'

# A parent that opening the child would refuse.
mkdir elsewhere
expect 1 snapshot pool/base/disk.vmdk elsewhere/child.vmdk
[ -z "$(ls elsewhere)" ] || fail "a failed job left a file"
expect 0 snapshot pool/base/disk.vmdk elsewhere/child.vmdk --hint ../pool/base/disk.vmdk
expect 1 info elsewhere/child.vmdk
expect 0 info elsewhere/child.vmdk --allow-path pool
expect 0 snapshot elsewhere/child.vmdk elsewhere/grandchild.vmdk --allow-path pool
expect 1 snapshot elsewhere/child.vmdk elsewhere/other.vmdk
[ ! -e elsewhere/other.vmdk ] || fail "a failed job left a file"

# What is there stays; what is not there is no parent.
cp pool/zero.vmdk zero.before
expect 1 snapshot pool/base/disk.vmdk pool/zero.vmdk
cmp -s pool/zero.vmdk zero.before || fail "a disk was replaced"
expect 1 snapshot pool/zero.vmdk pool/zero.vmdk
expect 1 snapshot missing.vmdk new.vmdk
has err missing.vmdk
[ ! -e new.vmdk ] || fail "a failed job left a file"
expect 1 snapshot pool/base/disk.vmdk pool/flat.vmdk -O monolithicFlat
expect 2 snapshot pool/base/disk.vmdk
expect 2 snapshot pool/base/disk.vmdk new.vmdk -O qcow2
expect 2 snapshot pool/base/disk.vmdk new.vmdk --recover
