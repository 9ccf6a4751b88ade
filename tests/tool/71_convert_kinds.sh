#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk convert` to every kind, and what each option makes of the new disk.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

# info_has NAME EXPRESSION: it holds for the JSON of the disk, called d, and its keys, called k.
info_has() {
  expect 0 info "$1" --json --keys --extents
  check_python 'import json, sys
d = json.load(open("out"))
k = {name.lower(): value for name, value in d["keys"].items()}
assert eval(sys.argv[1]), (sys.argv[1], d)' "$2"
}

for kind in monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat streamOptimized \
  vmfs vmfsThin vmfsPreallocated vmfsEagerZeroedThick vmfsSparse; do
  mkdir $kind
  # The case of a kind does not matter.
  expect 0 convert a.vmdk "$kind/new.vmdk" -O "$(echo $kind | tr 'SV' 'sV')"
  silent
  info_has $kind/new.vmdk "d['type'] == '$kind' and d['capacity'] == 3 << 20"
  expect 0 compare $kind/new.vmdk a.raw --raw-b
  # And from every kind.
  expect 0 convert $kind/new.vmdk $kind/out.raw
  cmp -s $kind/out.raw a.raw || fail "from $kind: the image differs"
done
[ "$(find streamOptimized -type f | wc -l)" -eq 2 ] || fail "a stream has more than one file"

# The kind follows from the name.
expect 0 convert a.vmdk named.VMDK
info_has named.VMDK 'd["type"] == "monolithicSparse"'
expect 0 convert a.vmdk named
cmp -s named a.raw || fail "a name without .vmdk is not raw"
expect 0 convert a.vmdk raw.vmdk -O raw
cmp -s raw.vmdk a.raw || fail "-O raw is not heeded"

# Raw bytes are a source where it is said.
expect 1 convert a.raw guessed.vmdk
has err 'hint: '
has err '--from raw'
[ ! -e guessed.vmdk ] || fail "raw bytes were guessed"
expect 0 convert a.raw said.vmdk --from raw
expect 0 compare said.vmdk a.vmdk
expect 1 convert . directory.vmdk --from raw
expect 0 info a.raw --from raw
has out 'kind        raw'
expect 0 hash a.raw --from raw
cut -d ' ' -f 1 out >of_raw
expect 0 hash a.vmdk
cut -d ' ' -f 1 out | cmp -s - of_raw || fail "the digest of raw bytes differs"
expect 0 map a.raw --from raw

# What is said is done.
expect 0 convert a.vmdk said2.vmdk --adapter ide --hwversion 21 --grain 16k --cid 1234abcd --capacity 10M \
  --set toolsVersion=12345 --set ddb.comment='a = b' --set DDB.UUID='60 00 C2 9a'
info_has said2.vmdk 'd["cid"] == "1234abcd" and d["adapter"] == "ide" and d["hardware_version"] == 21'
info_has said2.vmdk 'd["grain_bytes"] == 16384 and d["capacity"] == 10 << 20'
info_has said2.vmdk 'k["ddb.toolsversion"] == "12345" and k["ddb.comment"] == "a = b"'
info_has said2.vmdk 'k["ddb.uuid"] == "60 00 C2 9a"'
expect 0 read said2.vmdk 0 3M
cmp -s out a.raw || fail "the larger disk begins with something else"
expect 0 read said2.vmdk 3M
head -c 7340032 /dev/zero | cmp -s - out || fail "the larger disk does not end with zeros"
expect 1 convert a.vmdk smaller.vmdk --capacity 2M
expect 0 convert a.vmdk parts.vmdk -O twoGbMaxExtentFlat --split 1M
[ "$(find . -name 'parts-f*' | wc -l)" -eq 3 ] || fail "not three parts"
expect 0 convert a.vmdk zero.vmdk --zero-grains
info_has zero.vmdk 'd["header_version"] == 2'
expect 0 convert a.vmdk reserved.vmdk -O monolithicFlat --preallocate reserve
[ "$(du -k reserved-flat.vmdk | cut -f 1)" -ge 3072 ] || fail "nothing is reserved"
# What is not said stays.
expect 0 convert said2.vmdk kept.vmdk
info_has kept.vmdk 'd["adapter"] == "ide" and d["hardware_version"] == 21'
info_has kept.vmdk 'k["ddb.toolsversion"] == "12345" and d["cid"] != "1234abcd"'

# Levels give other bytes, threads do not.
python3 -c 'open("text.raw", "w").write("".join("%d and %x\n" % (i, i * i) for i in range(200000)))'
size() {
  stat -c %s "$1"
}
for level in 0 1 6 12; do
  expect 0 convert text.raw level$level.vmdk --from raw -O streamOptimized --level $level
  expect 0 convert level$level.vmdk - -O raw
  head -c "$(size text.raw)" out | cmp -s - text.raw || fail "level $level: the content differs"
done
[ "$(size level0.vmdk)" -gt "$(size text.raw)" ] || fail "level 0 compresses"
[ "$(size level1.vmdk)" -lt "$(size level0.vmdk)" ] || fail "level 1 does not compress"
[ "$(size level12.vmdk)" -lt "$(size level1.vmdk)" ] || fail "level 12 is not smaller than level 1"
mkdir threads
for threads in 1 2 8; do
  expect 0 convert text.raw threads/disk.vmdk --from raw -O streamOptimized --cid 7 --set uuid=1 \
    --set longContentID=2 --threads $threads --force
  mv threads/disk.vmdk threads/$threads
  cmp -s threads/1 threads/$threads || fail "$threads threads give other bytes"
done

# Twice the same is the same, in other bytes where it is another time or another name.
for kind in streamOptimized monolithicSparse twoGbMaxExtentSparse vmfs; do
  for at in one two; do
    mkdir $at
    SOURCE_DATE_EPOCH=1700000000 expect 0 convert a.vmdk $at/disk.vmdk -O $kind
  done
  diff -r one two >/dev/null || fail "$kind: two runs give different bytes"
  expect 0 info one/disk.vmdk --json --keys
  check_python 'import json
d = json.load(open("out"))
assert 0 < int(d["cid"], 16) < 0xfffffffe, d
k = {name.lower(): value for name, value in d["keys"].items()}
assert k["ddb.longcontentid"].endswith(d["cid"]) and len(k["ddb.longcontentid"]) == 32, k
assert len(k["ddb.uuid"]) == 47, k'
  rm -r one two
done
SOURCE_DATE_EPOCH=1700000000 expect 0 convert a.vmdk - -O streamOptimized
mv out one
SOURCE_DATE_EPOCH=1700000000 expect 0 convert a.vmdk - -O streamOptimized --threads 1
cmp -s out one || fail "two streams differ"
SOURCE_DATE_EPOCH=1700000001 expect 0 convert a.vmdk - -O streamOptimized
cmp -s out one && fail "another time gives the same bytes"
SOURCE_DATE_EPOCH=1700000000 expect 0 convert a.vmdk cid.vmdk --cid 1234
info_has cid.vmdk 'd["cid"] == "00001234" and k["ddb.longcontentid"].endswith("00001234")'
SOURCE_DATE_EPOCH=1700000000 expect 0 convert a.vmdk set.vmdk --set UUID=1 --set longContentID=2
info_has set.vmdk 'k["ddb.uuid"] == "1" and k["ddb.longcontentid"] == "2"'
for at in one two; do
  SOURCE_DATE_EPOCH=1 expect 0 create made.vmdk 1M
  mv made.vmdk $at
  SOURCE_DATE_EPOCH=1 expect 0 snapshot a.vmdk made.vmdk
  mv made.vmdk $at.child
done
cmp -s one two || fail "create: two runs give different bytes"
cmp -s one.child two.child || fail "snapshot: two runs give different bytes"
SOURCE_DATE_EPOCH='' expect 0 convert a.vmdk unset.vmdk
SOURCE_DATE_EPOCH=today expect 2 convert a.vmdk wrong.vmdk

# Files that are there.
cp said.vmdk before
expect 1 convert a.vmdk said.vmdk
has err --force
cmp -s said.vmdk before || fail "a disk was replaced"
expect 0 convert a.vmdk said.vmdk --force -O streamOptimized
info_has said.vmdk 'd["type"] == "streamOptimized"'
expect 1 convert a.vmdk parts.vmdk -O twoGbMaxExtentFlat --force
expect 1 convert said.vmdk said.vmdk --force
expect 1 convert a.vmdk no-such-directory/new.vmdk
expect 1 convert missing.vmdk new.vmdk

rm -f new.vmdk
for wrong in '' '- new.vmdk' 'new.vmdk -O qcow2' 'new.vmdk --from qcow2' 'new.vmdk --level 13' \
  'new.vmdk --level x' 'new.vmdk --threads 0' 'new.vmdk --threads 65' 'new.vmdk --capacity 0' \
  'new.vmdk --capacity much' 'new.vmdk --grain many' 'new.vmdk --split x' 'new.vmdk --adapter ahci' \
  'new.vmdk --hwversion 0' 'new.vmdk --cid ffffffff' 'new.vmdk --set key' 'new.vmdk --target xen' \
  'new.vmdk --preallocate all' 'new.vmdk --sha1' 'new.vmdk --manifest-name x' \
  'new.vmdk --manifest x --manifest-name y' 'new.vmdk --manifest new.vmdk' '-' '- -O vmfs' \
  '- -O raw --manifest -' '- -O raw --digest -' '/dev/null -O vmfs'; do
  # shellcheck disable=SC2086
  expect 2 convert a.vmdk $wrong
  [ ! -e new.vmdk ] || fail "wrong usage made a file: $wrong"
done
expect 2 convert a.vmdk ''
for kind in seSparse fullDevice custom; do
  expect 1 convert a.vmdk new.vmdk -O $kind
done
expect 1 convert a.vmdk new.vmdk --grain 100k
[ ! -e new.vmdk ] || fail "a failed job left a file"
