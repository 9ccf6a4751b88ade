#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk info` as text and as JSON.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

expect 0 info a.vmdk
has out 'a.vmdk'
has out 'custom'
has out '3 MiB (3145728 bytes)'
has out '12345678'
has out 'lsilogic'
has out '3 cylinders, 64 heads, 32 sectors'
has out '3 extents'
[ ! -s err ] || fail "messages for a sound disk"
if grep -q 'b-f.bin' out; then fail "extents without --extents"; fi
expect 0 info a.vmdk --extents --keys
grep -qE '^ +2 +2097152 +1048576 +flat +RW +b-f.bin$' out || fail "the third extent is wrong"
grep -qE '^ +1 +1048576 +1048576 +zero +RW +-$' out || fail "the second extent is wrong"
has out 'ddb.geometry.heads = 64'

expect 0 info a.vmdk --json
python3 -m json.tool out >/dev/null || fail "no JSON"
check_python '
import json
d = json.load(open("out"))
assert d["file"] == d["path"] == "a.vmdk", d
assert d["type"] == d["create_type"] == "custom", d
assert d["capacity"] == 3 << 20 and d["file_bytes"] >= 2 << 20, d
assert d["cid"] == "12345678" and d["parent_cid"] is None, d
assert d["extent_count"] == 3 and d["chain_length"] == 1, d
assert d["adapter"] == "lsilogic" and d["hardware_version"] == 4, d
assert d["geometry"] == {"cylinders": 3, "heads": 64, "sectors": 32}, d
assert d["bios_geometry"] is None and d["grain_bytes"] is None, d
assert d["flags"]["compressed"] is False and d["flags"]["has_parent"] is False, d
assert not {"chain", "extents", "keys"} & set(d), d'

expect 0 info a.vmdk --json --chain --extents --keys
cp out everything.json
check_python '
import json
d = json.load(open("out"))
assert [e["kind"] for e in d["extents"]] == ["flat", "zero", "flat"], d
assert [e["offset"] for e in d["extents"]] == [0, 1 << 20, 2 << 20], d
assert [e["file"] for e in d["extents"]] == ["a-f.bin", None, "b-f.bin"], d
assert d["keys"]["ddb.virtualHWVersion"] == "4", d
assert len(d["chain"]) == 1 and d["chain"][0]["link"] == 0, d
assert d["chain"][0]["extents"] == d["extents"], d'

# Each field stands in the documentation.
check_python '
import json, sys
doc = open(sys.argv[1]).read()
def walk(value, parent):
    if isinstance(value, list):
        for v in value: walk(v, parent)
    elif isinstance(value, dict):
        for k, v in value.items():
            assert parent == "keys" or "`" + k + "`" in doc, k
            walk(v, k)
walk(json.load(open("everything.json")), "")' "$project/docs/json.md"

# A name that is no UTF-8 must not break the document.
odd=$(printf 'odd\377name.vmdk')
if cp a.vmdk "$odd" 2>/dev/null; then
  expect 0 info "$odd" --json --extents
  check_python 'import json; assert "\ufffdname" in json.load(open("out", encoding="utf-8"))["file"]'
  expect 0 info "$odd"
  has out 'odd\xffname.vmdk'
fi

# Nor does a name reach the terminal as it is.
odd=$(printf 'e\033[2Jvil\n\302\233.vmdk')
cp a.vmdk "$odd"
for verb in info hash map; do
  expect 0 $verb "$odd"
  if LC_ALL=C grep -q "$(printf '\033')" out; then fail "$verb prints an escape character"; fi
done
expect 0 hash "$odd"
has out '  e\x1b[2Jvil\x0a\u{9b}.vmdk'
[ "$(lines_of out)" -eq 1 ] || fail "a name makes a second line"
