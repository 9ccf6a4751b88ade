# SPDX-License-Identifier: MIT
"""Extents of ESX: COWD (vmfsSparse, vmfsThin) and seSparse."""

from images import CORRUPT, LIMIT, NOT_FOUND, NOT_VMDK, OK, UNSUPPORTED, add, marks
from vmdkwriter import SECTOR, ZERO_GRAIN, Sheet, cowd, descriptor, guest, se_entry, sesparse, stamp

EITHER = OK + "|" + CORRUPT

# -- COWD --------------------------------------------------------------------


def delta(capacity=10000, grains=None, grain=1, kind="vmfsSparse", patch=None, line=None, cut=None, **how):
    def make(folder):
        content = marks("cow", [0, 1, 2, 100, 4095, 4096, 9999], grain) if grains is None else grains
        told = capacity if line is None else line
        made = cowd(capacity, content, grain, **how)
        if patch:
            patch(made)
        if cut is not None:
            made.sheet.cut(cut)
        folder.put("disk-delta.vmdk", made.sheet)
        folder.put("disk.vmdk", descriptor(['RW %d VMFSSPARSE "disk-delta.vmdk"' % told], kind=kind))
        seen = min(capacity, told)
        return guest(seen, {n: v for n, v in content.items() if n * grain < seen}, grain)

    return make


add("good-cowd-root", delta(), "A COWD extent without a parent.", info="type=7,kind=3,grain=512,data=3584,absent=%d" % (9993 * 512))
add("good-cowd-child-header", delta(child=True), "The header in the form of a child.")
add("good-cowd-empty", delta(grains={}), "No grain is stored.", info="data=0")
add("good-cowd-all-tables", delta(grains=marks("cow", [5], 1), all_tables=True), "All tables are there.")
add("good-cowd-directory-zero", delta(capacity=40000, grains=marks("cow", [5, 39999], 1)), "Directory entries of 0 in the middle.")
for grain in (1, 2, 4, 8, 128, 2048):
    capacity = 5 * grain if grain > 8 else 5000 * grain
    numbers = [0, 1, 4] if grain > 8 else [0, 1, 4, 4095, 4096, 4999]
    add("good-cowd-grain-%d" % grain, delta(capacity=capacity, grain=grain, grains=marks("cg", numbers, grain)), "Grains of %d sectors." % grain, info="grain=%d" % (grain * SECTOR))
add("good-cowd-partial-last", delta(capacity=1001, grain=4, grains=marks("cp", [0, 250], 4)), "The last grain lies only in part on the disk.")
add("good-cowd-partial-last-cut", delta(capacity=1001, grain=4, grains=marks("cp", [0, 250], 4), patch=lambda c: c.sheet.cut((c.at[250] + 1) * SECTOR)), "The file ends behind the part of the last grain that lies on the disk.")
add("good-cowd-entry-one", delta(grains={0: stamp("c1", 0, 1), 1: ZERO_GRAIN, 2: stamp("c1", 2, 1)}), "Entry 1 can be no data: zeros.")
add("good-cowd-free-stale", delta(free=5), "The next free sector is stale, as qemu leaves it.")
add("good-cowd-unclean", delta(unclean=1), "The flag of an unclean shutdown.", info="flags=1/1")
add("good-cowd-reversed", delta(grains=marks("cow", [9999, 4096, 4095, 7, 6, 5, 0], 1)), "Grains in falling order.")
add("good-cowd-one-sector", delta(capacity=1, grains=marks("cow", [0], 1)), "A disk of one sector.")
add("good-cowd-2tib", delta(capacity=(1 << 32) - 1, grains=marks("cow", [0, (1 << 31), (1 << 32) - 2], 1)), "The largest COWD extent: its directory has a million entries.", rss=32)
add("good-cowd-thin", delta(kind="vmfsThin"), "vmfsThin over a COWD extent.", info="type=9,kind=3")


def several(folder):
    lines, disk = [], Sheet()
    for number, (sectors, grain) in enumerate(((5000, 1), (333, 4), (2048, 128)), 1):
        grains = marks("m%d" % number, {0, (sectors - 1) // grain}, grain)
        folder.put("disk-%d-delta.vmdk" % number, cowd(sectors, grains, grain).sheet)
        lines.append('RW %d VMFSSPARSE "disk-%d-delta.vmdk"' % (sectors, number))
        start = disk.size
        part = guest(sectors, grains, grain)
        for offset, data in part.pieces:
            disk.put(start + offset, data)
        disk.size = start + part.size
    folder.put("disk.vmdk", descriptor(lines, kind="vmfsSparse"))
    return disk


add("good-cowd-several", several, "Several COWD extents of different grains.", info="extents=3")
add("good-cowd-bare", delta(), "The data file is given; the descriptor beside it is opened.", entry="disk-delta.vmdk")


def bad_cowd(name, why, status=CORRUPT, read="-", message="disk-delta.vmdk", prefix="bad-cowd-", **how):
    add(prefix + name, delta(**how), why, open=status, read=read, message=message)


def field(offset, value):
    return lambda c: c.sheet.u32(offset, value)


bad_cowd("magic", "Another magic.", CORRUPT + "|" + NOT_VMDK, patch=lambda c: c.sheet.put(0, b"COWX"))
for value in (0, 2, 0xFFFFFFFF):
    bad_cowd("version-%d" % (value & 0xFFFF), "COWD version %d." % value, "|".join((UNSUPPORTED, CORRUPT)), version=value, prefix="unsupported-cowd-")
for value in (0, 3, 24, 4095, 0x80000001, 0xFFFFFFFF):
    bad_cowd("grain-%d" % value, "A grain of %d sectors (A27)." % value, patch=field(16, value))
bad_cowd("grain-2e31", "A grain of 2^31 sectors.", patch=field(16, 1 << 31))
for value, label in ((0, "0"), (1, "1"), (3, "in-header"), (1 << 20, "outside"), (0xFFFFFFFF, "ones")):
    bad_cowd("gd-" + label, "The directory lies at sector %d." % value, EITHER if label in ("1", "in-header") else CORRUPT, read=CORRUPT, patch=field(20, value))
for value, label in ((0, "0"), (1, "1"), (2, "2")):
    bad_cowd("few-gdes-" + label, "The directory has %s entries where 3 are needed." % label, EITHER, read=CORRUPT, patch=field(24, value))
bad_cowd("many-gdes", "The directory has 2^32-1 entries.", EITHER, read=OK, patch=field(24, 0xFFFFFFFF))
bad_cowd("capacity-below-line", "The header is smaller than the extent line.", message="disk-delta.vmdk;10000|5120000;9000|4608000", patch=field(12, 9000))
bad_cowd("capacity-zero", "A capacity of 0.", patch=field(12, 0))
bad_cowd("capacity-far-above-line", "The header is far larger than the extent line.", line=5000, message="disk-delta.vmdk;10000|5120000;5000|2560000")
for label, value in (("in-header", 3), ("in-directory", 4), ("ones", 0xFFFFFFFF), ("outside", 1 << 24)):
    bad_cowd("gde-" + label, "A directory entry leads where no table can be: %s." % label, OK, read=CORRUPT, patch=lambda c, v=value: c.gde(1, v))
bad_cowd("gde-runs-over-eof", "The last table runs over the end of the file.", OK, read=CORRUPT, patch=lambda c: c.gde(1, c.sheet.size // SECTOR - 31))
for label, value in (("in-header", 2), ("in-directory", 4), ("in-table", 6), ("ones", 0xFFFFFFFF), ("outside", 1 << 24)):
    bad_cowd("gte-" + label, "A table entry leads where no grain can be: %s." % label, OK, read=CORRUPT, patch=lambda c, v=value: c.gte(50, v))
bad_cowd("gte-in-other-table", "A table entry leads into the table of other grains (A52).", OK, read=CORRUPT, grains=marks("cow", [0, 50, 4096], 1), patch=lambda c: c.gte(50, c.gt[1] + 3))
bad_cowd("gte-at-eof", "A table entry leads to the end of the file.", OK, read=CORRUPT, patch=lambda c: c.gte(50, c.sheet.size // SECTOR))
bad_cowd("empty-file", "The data file is empty.", CORRUPT + "|" + NOT_VMDK, cut=0)
bad_cowd("cut-header", "The data file ends in its header.", CORRUPT, cut=600)
bad_cowd("cut-directory", "The data file ends before its directory.", CORRUPT, cut=2048)
bad_cowd("cut-table", "The data file ends in a table.", EITHER, read=CORRUPT, cut=4000)
bad_cowd("cut-grains", "The data file lacks its last byte.", EITHER, read=CORRUPT, patch=lambda c: c.sheet.cut(c.sheet.size - 1))


def cowd_twice(folder):
    folder.put("disk-delta.vmdk", cowd(100, marks("x", [0], 1)).sheet)
    folder.put("disk.vmdk", descriptor(['RW 100 VMFSSPARSE "disk-delta.vmdk"'] * 2, kind="vmfsSparse"))


add("bad-cowd-same-file-twice", cowd_twice, "Two lines name the same COWD file.", open=CORRUPT, message="disk-delta.vmdk")


def cowd_as_sparse(folder):
    folder.put("disk-delta.vmdk", cowd(100, marks("x", [0], 1)).sheet)
    folder.put("disk.vmdk", descriptor(['RW 100 SESPARSE "disk-delta.vmdk"'], kind="seSparse"))


add("bad-cowd-called-sesparse", cowd_as_sparse, "A line says SESPARSE, the file is COWD.", open=CORRUPT + "|" + NOT_VMDK, message="disk-delta.vmdk")

# -- seSparse ----------------------------------------------------------------


def se(capacity=60000, grains=None, patch=None, line=None, kind="seSparse", cut=None, **how):
    def make(folder):
        content = marks("se", [0, 1, 7, 4095, 4096, 7499], 8) if grains is None else grains
        told = capacity if line is None else line
        made = sesparse(capacity, content, **how)
        if patch:
            patch(made)
        if cut is not None:
            made.sheet.cut(cut)
        folder.put("disk-sesparse.vmdk", made.sheet)
        folder.put("disk.vmdk", descriptor(['RW %d SESPARSE "disk-sesparse.vmdk"' % told], kind=kind, ddb=('ddb.grain = "8"',)))
        return guest(min(capacity, told), content, 8)

    return make


add("good-sesparse-plain", se(), "A seSparse extent.", info="type=8,kind=4,grain=4096,data=%d,extents=1" % (6 * 4096))
add("good-sesparse-empty", se(grains={}), "No grain is stored.", info="data=0,absent=30720000")
for kind in ("SeSparse", "sesparse", "SESPARSE"):
    add("good-sesparse-type-" + {"SeSparse": "odd", "sesparse": "lower", "SESPARSE": "upper"}[kind], se(kind=kind), "createType %s." % kind, info="type=8")
for index in (0, 1, 4094, 4095, 4096, 5000, 12295):
    add("good-sesparse-index-%d" % index, se(grains=marks("si", [3, 5], 8), places={3: index}), "A grain at index %d." % index)
add("good-sesparse-index-2e30", se(grains=marks("si", [3, 5], 8), places={3: 1 << 30}), "A grain at index 2^30, 4 TiB into the file.")
add("good-sesparse-index-2e28", se(grains=marks("si", [3, 5], 8), places={3: (1 << 28) + 4097}), "A grain at index 2^28+4097.")
add("good-sesparse-shuffled", se(grains=marks("sh", range(40, 60), 8), places={40 + n: (n * 7) % 20 for n in range(20)}), "Grains in no order.")
add("good-sesparse-run", se(grains=marks("sr", range(3950, 4250), 8)), "A run of grains over the edge of two tables.", info="data=%d" % (300 * 4096))
add("good-sesparse-unmapped", se(entries={1: 1 << 60, 3: 1 << 60 | 77}, grains=marks("sn", [0, 2], 8)), "Entries of type 1, also with bits left over.", info="zero=8192,data=8192")
add("good-sesparse-zeroed", se(entries={1: 2 << 60, 3: 2 << 60 | se_entry(5) & 0x0FFFFFFFFFFFFFFF}, grains=marks("sn", [0, 2], 8)), "Entries of type 2, also with bits left over.", info="zero=8192,data=8192")
add("good-sesparse-tables-shuffled", se(capacity=200000, grains={n: stamp("st", n * 8, 8) for n in (20000, 0, 9000)}), "Three tables.")


def swap_tables(s):
    first, second = s.tables[0], s.tables[1]
    a = s.sheet.read((s.gt + 64 * first) * SECTOR, 32768)
    b = s.sheet.read((s.gt + 64 * second) * SECTOR, 32768)
    s.sheet.put((s.gt + 64 * first) * SECTOR, b).put((s.gt + 64 * second) * SECTOR, a)
    s.gde(0, 1 << 60 | second).gde(1, 1 << 60 | first)


add("good-sesparse-tables-swapped", se(patch=swap_tables), "Tables stand in the order of their first use.")
for capacity in (1, 7, 9, 32767, 32769):
    add("good-sesparse-capacity-%d" % capacity, se(capacity=capacity, grains=marks("sc", {0, (capacity - 1) // 8}, 8)), "A capacity of %d sectors." % capacity)
add("good-sesparse-62tib", se(capacity=62 << 31, grains=marks("sb", [0, 1 << 30, (62 << 28) - 1], 8)), "62 TiB: a directory of 31 MiB, three tables.", rss=32)
add("good-sesparse-bare", se(), "The data file is given; the descriptor beside it is opened.", entry="disk-sesparse.vmdk")
add("good-sesparse-gd-size-1", se(gd_size=1), "A directory of one sector, enough for this disk.")
add("good-sesparse-journal-sequence", se(volatile=dict(sequence=123456789)), "A used journal that need not be replayed.")


def bad_se(name, why, status=CORRUPT, read="-", message="disk-sesparse.vmdk", prefix="bad-sesparse-", **how):
    add(prefix + name, se(**how), why, open=status, read=read, message=message)


ANY_REFUSAL = "|".join((UNSUPPORTED, CORRUPT))
bad_se("magic", "Another magic.", CORRUPT + "|" + NOT_VMDK, magic=0xCAFEBABF)
bad_se("magic-swapped", "The magic in the other byte order.", CORRUPT + "|" + NOT_VMDK, magic=0xBEBAFECA)
for value, label in ((0x0000000200000000, "2.0"), (0x0000000200000002, "2.2"), (0x0000000300000001, "3.1"), (1, "0.1")):
    bad_se("version-" + label, "Version %s." % label, ANY_REFUSAL, version=value, prefix="unsupported-sesparse-")
for value in (0, 1, 7, 9, 16, 1 << 63):
    bad_se("grain-%d" % value, "A grain of %d sectors." % value, ANY_REFUSAL, grain=value)
for value in (0, 63, 128, 1 << 63):
    bad_se("table-size-%d" % value, "Tables of %d sectors." % value, ANY_REFUSAL, table=value)
for bit in (0, 31, 63):
    bad_se("flag-%d" % bit, "Flag %d is set." % bit, ANY_REFUSAL, flags=1 << bit, prefix="unsupported-sesparse-")
for number in (1, 2, 3, 4):
    bad_se("reserved%d" % number, "Reserved field %d is used." % number, ANY_REFUSAL, prefix="unsupported-sesparse-", **{"reserved%d" % number: 1})
bad_se("pad", "The padding of the header is used.", "|".join((OK, UNSUPPORTED, CORRUPT)), read=OK, patch=lambda s: s.sheet.put(300, b"\1"))
for label, place in (("tables", "gt"), ("directory", "gd"), ("volatile", "volatile")):
    bad_se("grains-on-" + label, "The grain area overlaps another region (A52).", message="disk-sesparse.vmdk;overlap", patch=lambda s, p=place: s.set(grains=s.header[p]))
bad_se("volatile-magic", "The magic of the volatile header is wrong.", volatile=dict(magic=0xCAFECAFF))
bad_se("volatile-outside", "The volatile header lies beyond the file.", patch=lambda s: s.set(volatile=1 << 40))
bad_se("volatile-wraps", "The volatile header lies at 2^55 sectors.", patch=lambda s: s.set(volatile=(1 << 55) + 1))
bad_se("replay", "The journal has to be replayed: the tables are not what they should be.", ANY_REFUSAL, volatile=dict(replay=1), message="disk-sesparse.vmdk;journal", prefix="unsupported-sesparse-")
bad_se("replay-byte", "The journal has to be replayed, another value.", ANY_REFUSAL, volatile=dict(replay=0x100), message="disk-sesparse.vmdk;journal", prefix="unsupported-sesparse-")
for value, label in ((1 << 30, "outside"), ((1 << 55) + 4096, "wraps"), (0xFFFFFFFFFFFFFFFF, "ones"), (0, "0")):
    bad_se("gd-" + label, "The directory lies at sector %d." % value, EITHER if label == "0" else CORRUPT, read=CORRUPT, patch=lambda s, v=value: s.set(gd=v))
    bad_se("gt-" + label, "The tables lie at sector %d." % value, EITHER, read=CORRUPT, patch=lambda s, v=value: s.set(gt=v))
    bad_se("grains-" + label, "The grains lie at sector %d." % value, EITHER, read=CORRUPT, patch=lambda s, v=value: s.set(grains=v))
bad_se("gd-size-0", "A directory of 0 sectors.", EITHER, read=CORRUPT, patch=lambda s: s.set(gd_size=0))
bad_se("gd-size-small", "A directory that does not cover the disk.", EITHER, read=CORRUPT, capacity=3000000, grains=marks("se", [0, 374999], 8), patch=lambda s: s.set(gd_size=1))
bad_se("capacity-below-line", "The header is smaller than the extent line.", line=70000, message="disk-sesparse.vmdk;60000|30720000;70000|35840000")
bad_se("capacity-0", "A capacity of 0.", patch=lambda s: s.set(capacity=0))
bad_se("capacity-ones", "A capacity of 2^64-1.", CORRUPT + "|" + LIMIT, patch=lambda s: s.set(capacity=0xFFFFFFFFFFFFFFFF))
for nibble in range(4, 16):
    bad_se("entry-type-%d" % nibble, "A table entry of type %d." % nibble, OK, read=CORRUPT, patch=lambda s, n=nibble: s.gte(20, n << 60 | 5))
bad_se("entry-type-0-bits", "A table entry of type 0 with bits left over.", OK, read=CORRUPT, patch=lambda s: s.gte(20, 5))
for index in (1 << 20, 1 << 32, (1 << 60) - 1):
    bad_se("entry-index-%d" % index, "A grain at index %d, beyond the file." % index, OK, read=CORRUPT, patch=lambda s, i=index: s.gte(20, se_entry(i)))
for value, label in ((0x2000000000000000, "type-2"), (0x1000000000000000 | 1 << 32, "bit-32"), (1, "type-0"), (0xFFFFFFFFFFFFFFFF, "ones"), (0x9000000000000000, "type-9")):
    bad_se("gde-" + label, "A directory entry with wrong upper bits: %s." % label, OK, read=CORRUPT, patch=lambda s, v=value: s.gde(1, v))
for index in (2048, 0xFFFFFFFF):
    bad_se("gde-table-%d" % index, "A directory entry that names table %d." % index, OK, read=CORRUPT, patch=lambda s, i=index: s.gde(1, 1 << 60 | i))
bad_se("entry-beyond-region", "A grain behind the region that the header gives to grains, but inside the file.", OK, read=OK + "|" + CORRUPT,
       grains=marks("se", [0, 1, 2, 3], 8), patch=lambda s: s.set(grains_size=16))
bad_se("empty-file", "The data file is empty.", CORRUPT + "|" + NOT_VMDK, cut=0)
bad_se("cut-header", "The data file ends in its header.", CORRUPT + "|" + NOT_VMDK, cut=300)
bad_se("cut-volatile", "The data file ends before its volatile header.", CORRUPT, cut=512)
bad_se("cut-directory", "The data file ends before its directory.", CORRUPT, cut=4096 * SECTOR)
bad_se("cut-tables", "The data file ends before its tables.", EITHER, read=CORRUPT, cut=6144 * SECTOR)
bad_se("cut-grains", "The data file lacks its last byte.", EITHER, read=CORRUPT, patch=lambda s: s.sheet.cut(s.sheet.size - 1))
add("bad-sesparse-alone", lambda f: f.put("disk-sesparse.vmdk", sesparse(64, marks("a", [0], 8)).sheet), "A seSparse extent without its descriptor.", entry="disk-sesparse.vmdk",
    open="|".join((NOT_FOUND, NOT_VMDK)), message="disk-sesparse.vmdk")
