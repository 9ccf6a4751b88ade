#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk map`: lines, JSON, picture.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

expect 0 map a.vmdk
[ "$(lines_of out)" -eq 4 ] || fail "not a heading and three runs"
grep -qE '^ +0 +1048576 +data +0 +0 +0 +a-f\.bin$' out || fail "the first run is wrong"
grep -qE '^ +1048576 +1048576 +zero +0 +1$' out || fail "the second run is wrong"
grep -qE '^ +2097152 +1048576 +data +0 +2 +0 +b-f\.bin$' out || fail "the third run is wrong"

expect 0 map a.vmdk --json
python3 -m json.tool out >/dev/null || fail "no JSON"
check_python '
import json
d = json.load(open("out"))
assert d["file"] == "a.vmdk" and d["capacity"] == 3 << 20, d
first, second, third = d["runs"]
assert first == {"offset": 0, "length": 1 << 20, "kind": "data", "link": 0, "extent": 0,
                 "compressed": False, "file": "a-f.bin", "file_offset": 0}, first
assert second["kind"] == "zero" and second["file"] is None, second
assert third["offset"] == 2 << 20 and third["extent"] == 2, third
assert d["totals"] == {"data": 2 << 20, "zero": 1 << 20, "absent": 0}, d'
cp out map.json

check_svg='
import sys, xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
ns = "{http://www.w3.org/2000/svg}"
assert root.tag == ns + "svg", root.tag
rects = root.findall(ns + "rect")
assert 3 < len(rects) < 20000, len(rects)
texts = "\n".join(t.text for t in root.iter(ns + "text"))
for wanted in sys.argv[2:]:
    assert wanted in texts, (wanted, texts)
width, height = float(root.get("width")), float(root.get("height"))
for r in rects[1:]:
    x, y, w = float(r.get("x")), float(r.get("y")), float(r.get("width"))
    assert 0 <= x and x + w <= width and 0 <= y < height and w > 0, r.attrib
'
expect 0 map a.vmdk --svg map.svg
[ ! -s out ] || fail "--svg alone prints lines"
check_python "$check_svg" map.svg a.vmdk '3 MiB' '2 MiB (66.7%) data in link 0' '1 MiB (33.3%) zeros'
expect 0 map a.vmdk --svg -
cmp -s out map.svg || fail "--svg - differs"
expect 0 map a.vmdk --json --svg again.svg
cmp -s out map.json || fail "--json with --svg differs"
cmp -s again.svg map.svg || fail "the picture differs"

# Names are escaped in XML.
odd='<b>&"'\''.vmdk'
cp a.vmdk "$odd"
expect 0 map "$odd" --svg odd.svg
check_python "$check_svg" odd.svg '<b>&"'\''.vmdk'

# A picture is never written over the disk.
cp a-f.bin before
expect 1 map a.vmdk --svg a-f.bin
cmp -s before a-f.bin || fail "the picture replaced an extent"
expect 1 map a.vmdk --svg a.vmdk
expect 1 map a.vmdk --svg no-such-dir/map.svg
