#!/bin/sh
# SPDX-License-Identifier: MIT
# Disks inside an OVA or tar, by every verb.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img sha256sum
make_guest
qemu-img convert -O vmdk -o subformat=streamOptimized guest.raw disk1.vmdk || fail "qemu-img"
qemu-img create -q -f vmdk -o subformat=streamOptimized disk2.vmdk 5M || fail "qemu-img"
echo '<Envelope/>' >x.ovf
python3 -c '
import tarfile
for name, members in (("one.ova", ["x.ovf", "disk1.vmdk"]), ("two.ova", ["x.ovf", "disk1.vmdk", "disk2.vmdk"])):
    with tarfile.open(name, "w", format=tarfile.USTAR_FORMAT) as t:
        for m in members:
            t.add(m)'
wanted=$(sha256sum <guest.raw | cut -d ' ' -f 1)

expect 0 info one.ova --json
check_python '
import json
d = json.load(open("out"))
assert d["flags"]["member"] and d["type"] == "streamOptimized", d
assert d["capacity"] == (40 << 20) + 512, d'
expect 0 hash one.ova
[ "$(cat out)" = "$wanted  one.ova" ] || fail "wrong digest"
expect 1 info two.ova
expect 0 info two.ova --member disk2.vmdk
has out '5 MiB'
expect 0 info two.ova:disk2.vmdk
has out '5 MiB'
expect 0 hash two.ova:disk1.vmdk
[ "$(cut -d ' ' -f 1 out)" = "$wanted" ] || fail "wrong digest of a member"
expect 0 compare two.ova --member disk1.vmdk two.ova
expect 1 info two.ova --member missing.vmdk
expect 0 convert one.ova out.raw -O raw
cmp -s out.raw guest.raw || fail "the image differs"
expect 0 map one.ova --json
check_python '
import json
d = json.load(open("out"))
assert sum(d["totals"].values()) == d["capacity"], d
assert all(r["compressed"] for r in d["runs"] if r["kind"] == "data"), d'

# The archive is a file of the disk.
expect 1 convert one.ova one.ova -O raw --force
expect 1 read two.ova:disk1.vmdk -o two.ova
