#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk info` of images by qemu-img: sparse, compressed, split, a chain.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img
make_guest

for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse twoGbMaxExtentFlat monolithicFlat; do
  qemu-img convert -O vmdk -o subformat=$kind guest.raw "$kind.vmdk" || fail "qemu-img $kind"
  expect 0 info "$kind.vmdk"
  has out "$kind"
  expect 0 info "$kind.vmdk" --json
  check_python '
import json, os, sys
d = json.load(open("out"))
kind = sys.argv[1]
assert d["type"] == kind and d["capacity"] == os.path.getsize("guest.raw"), d
flags = d["flags"]
assert flags["embedded"] == (kind in ("monolithicSparse", "streamOptimized")), d
assert flags["compressed"] == (kind == "streamOptimized"), d
assert (d["grain_bytes"] is None) == kind.endswith("Flat"), d
assert d["grain_bytes"] in (None, 65536), d
assert d["adapter"] == "ide", d' "$kind"
done

qemu-img create -q -f vmdk -b monolithicSparse.vmdk -F vmdk child.vmdk || fail "qemu-img child"
expect 0 info child.vmdk
has out monolithicSparse.vmdk
has out '2 disks'
expect 0 info child.vmdk --chain
has out 'link        1'
expect 0 info child.vmdk --chain --json
check_python '
import json
d = json.load(open("out"))
child, parent = d["chain"]
assert d["chain_length"] == 2 and d["flags"]["has_parent"], d
assert child["parent_cid"] == parent["cid"] == d["parent_cid"], d
assert child["parent_hint"] == "monolithicSparse.vmdk", d
assert parent["path"] == "monolithicSparse.vmdk" and parent["parent_cid"] is None, d'
expect 0 info child.vmdk --no-parent --json
check_python 'import json; assert json.load(open("out"))["chain_length"] == 1'

# The path policy: a parent elsewhere is refused until it is allowed.
mkdir elsewhere && mv child.vmdk elsewhere/
python3 - <<'END' || exit 1
data = open("elsewhere/child.vmdk", "rb").read()
old = b'parentFileNameHint="monolithicSparse.vmdk"'
assert data.count(old) == 1
new = b'parentFileNameHint="../monolithicSparse.vmdk"'
at = data.index(old)
end = data.index(b"\0", at)
area = (data[at:end].replace(old, new)) + b"\0" * 16
data = data[:at] + area + data[at + len(area):]
open("elsewhere/child.vmdk", "wb").write(data)
END
expect 1 info elsewhere/child.vmdk
has err 'monolithicSparse.vmdk'
expect 0 info elsewhere/child.vmdk --allow-path .
expect 0 info elsewhere/child.vmdk --allow-any-path
expect 0 info elsewhere/child.vmdk --no-parent
