#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk measure`, `vmdk info --target` and the other places of --target.
. "$(dirname "$0")/lib.sh"
need python3
make_guest

expect 0 convert guest.raw sparse.vmdk --from raw
expect 0 convert guest.raw stream.vmdk --from raw -O streamOptimized

# number FIELD: of the JSON document in out.
number() {
  python3 -c 'import json, sys; print(int(json.load(open("out"))[sys.argv[1]]))' "$1"
}

for kind in raw monolithicSparse streamOptimized twoGbMaxExtentSparse vmfs vmfsSparse; do
  mkdir made
  expect 0 convert sparse.vmdk made/new.vmdk -O $kind
  takes=$(du -s --block-size=1 --apparent-size made/new.vmdk | cut -f 1)
  for source in sparse.vmdk stream.vmdk 'guest.raw --from raw'; do
    # shellcheck disable=SC2086
    expect 0 measure $source -O $kind --json
    [ "$(number needed)" -le "$(number most)" ] || fail "$kind: more is needed than the most"
    [ $kind != streamOptimized ] || [ "$(number needed)" -ge "$takes" ] || fail "$kind: less than it takes"
  done
  if [ $kind = streamOptimized ]; then
    expect 0 measure sparse.vmdk -O $kind --json --exact
    [ "$(number exact)" -eq 1 ] || fail "--exact is not exact"
    [ "$(number needed)" -eq "$takes" ] || fail "--exact says $(number needed), it takes $takes"
    expect 0 measure sparse.vmdk -O $kind --json --exact --level 0
    [ "$(number needed)" -gt "$takes" ] || fail "--level is not heeded"
  fi
  rm -r made
done
expect 0 measure sparse.vmdk --target ova
has out 'needed  at most '
has out 'most    '
expect 0 measure sparse.vmdk --target ova --exact
has out 'needed  '
expect 0 measure sparse.vmdk -O monolithicFlat --capacity 1G --json
[ "$(number most)" -ge 1073741824 ] || fail "--capacity is not heeded"
expect 2 measure sparse.vmdk
expect 2 measure sparse.vmdk -O qcow2
expect 1 measure missing.vmdk -O raw
expect 1 measure guest.raw -O raw
has err '--from raw'
expect 1 measure sparse.vmdk -O monolithicSparse --target ova

# What each product takes and refuses.
for target in workstation fusion esxi virtualbox qemu ova aws; do
  expect 0 convert sparse.vmdk $target.vmdk --target $target
  expect 0 info $target.vmdk --target $target
  has out "target      $target accepts it"
  expect 0 compare $target.vmdk sparse.vmdk
done
expect 0 create made.vmdk 10M --target ESXi
expect 0 info made.vmdk --target esxi
expect 1 info sparse.vmdk --target ova
has out 'target      ova refuses it'
has out 'because     '
[ ! -s err ] || fail "a verdict on standard error"
expect 1 info sparse.vmdk --target ova --json
check_python 'import json
t = json.load(open("out"))["target"]
assert t["name"] == "ova" and t["accepted"] is False, t
assert len(t["reasons"]) >= 1 and t["reasons"][0]["reason"], t'
expect 0 info stream.vmdk --target ova --json
check_python 'import json
t = json.load(open("out"))["target"]
assert t == {"name": "ova", "accepted": True, "reasons": []}, t'
expect 1 convert sparse.vmdk refused.vmdk --target ova -O monolithicSparse
has err 'hint: '
expect 1 convert sparse.vmdk refused.vmdk --target esxi --adapter nvme
[ ! -e refused.vmdk ] || fail "a refused disk was made"
expect 2 info sparse.vmdk --target xen
expect 2 create new.vmdk 1M --target xen
