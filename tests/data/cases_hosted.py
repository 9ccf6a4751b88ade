# SPDX-License-Identifier: MIT
"""Hosted sparse extents: monolithicSparse and twoGbMaxExtentSparse."""

import struct

from images import (
    CORRUPT,
    EMBEDDED,
    ENCRYPTED,
    LIMIT,
    NOT_FOUND,
    NOT_VMDK,
    OK,
    RECOVER,
    RECOVERED,
    UNCLEAN,
    UNSUPPORTED,
    add,
    marks,
    mono,
)
from vmdkwriter import AT_END, SECTOR, ZERO_GRAIN, Sheet, descriptor, guest, hosted, noise, stamp

EITHER = OK + "|" + CORRUPT  # for damage that may be seen when opening or when reading

# -- Good: header, grains, tables --------------------------------------------

add("good-hosted-plain", mono(), "The ordinary monolithicSparse disk.",
    info="type=1,grain=65536,flags=0x8/0x9,extents=1,header=1,kind=1,data=262144,absent=786432,zero=0")
add("good-hosted-empty", mono(grains={}), "No grain is stored.", info="absent=1048576,data=0")
add("good-hosted-full", mono(grains=marks("full", range(16))), "Every grain is stored.", info="data=1048576")
add("good-hosted-noise", mono(grains={n: noise("n%d" % n, 65536) for n in (1, 2, 14)}), "Grains of random bytes.")
add("good-hosted-header-v2", mono(version=2, flags=7), "Header version 2 with flag bit 2.", info="header=2")
add("good-hosted-header-v2-bit-clear", mono(version=2), "Header version 2 without flag bit 2.", info="header=2")
add("good-hosted-header-v3-plain", mono(version=3), "Header version 3 without compression, as change tracking leaves it.",
    info="header=3,flags=0/0x4")
add("good-hosted-low-flags", mono(flags=0x3 | 0xFF00), "Unknown flags in the lower half are harmless.")
add("good-hosted-unclean", mono(unclean=1), "The flag of an unclean shutdown does not keep a disk from opening.",
    info="flags=0x1/0x1")
add("good-hosted-newlines-unchecked", mono(flags=2, patch=lambda h: h.set(newlines=b"\0\0\0\0")),
    "Without flag bit 0 the newline bytes mean nothing.")
add("good-hosted-padding", mono(patch=lambda h: h.sheet.put(79, noise("pad", 433))), "The padding of the header is ignored.")

for grain in (1, 2, 8, 16, 128, 2048):
    last = 20 * grain - 1 if grain < 2048 else 4 * grain - 1
    add("good-hosted-grain-%d" % grain,
        mono(capacity=last + 1, grain=grain, grains=marks("g", [0, 1, last // grain], grain)),
        "Grains of %d sectors." % grain, info="grain=%d" % (grain * SECTOR))
add("good-hosted-grain-16384", mono(capacity=3 * 16384, grain=16384, grains={1: [(0, stamp("g", 16384, 4)), (16383 * SECTOR, stamp("g", 32767, 1))]}),
    "Grains of 8 MiB.", info="grain=8388608")
for power in (21, 22):
    size = 1 << power
    add("good-hosted-grain-2e%d" % power,
        mono(capacity=3 * size - 5, grain=size,
             grains={0: [(0, stamp("h", 0, 8)), ((size - 8) * SECTOR, stamp("h", size - 8, 8))],
                     2: [(5 * SECTOR + 100, stamp("h", 7, 8)), ((size - 13) * SECTOR, stamp("h", 9, 13))]}),
        "Grains of 2^%d sectors, in a host file of holes." % power, info="grain=%d" % (size * SECTOR))

for gtes, grain, capacity in ((1, 8, 160), (7, 8, 400), (128, 8, 5000), (512, 8, 9000), (4096, 1, 9000), (65536, 1, 70000)):
    numbers = [0, 1, capacity // grain // 2, (capacity - 1) // grain]
    add("good-hosted-gtes-%d" % gtes, mono(capacity=capacity, grain=grain, gtes=gtes, grains=marks("t", numbers, grain)),
        "Tables of %d entries." % gtes)

for capacity in (1, 127, 128, 129, 255, 257, 65535, 65536, 65537, 131073):
    numbers = sorted({0, (capacity - 1) // 128, min(511, (capacity - 1) // 128)})
    add("good-hosted-capacity-%d" % capacity, mono(capacity=capacity, grains=marks("c", numbers)),
        "A capacity of %d sectors." % capacity)
add("good-hosted-last-grain-cut", mono(capacity=300, grains=marks("cut", [0, 2]), patch=lambda h: h.cut((h.at[2] + 44) * SECTOR)),
    "The file ends in the part of the last grain that lies beyond the capacity.")
add("good-hosted-2tib", mono(capacity=(1 << 32) - 128, lazy=True, grains=marks("2t", [0, 511, 512, (1 << 25) - 2])),
    "The largest disk that VMware makes of one file; tables only where grains are.")
add("good-hosted-64tib", mono(capacity=1 << 37, lazy=True, grains=marks("64t", [5, (1 << 30) - 1])), "64 TiB with two grains.",
    seconds=1, rss=32)
add("good-hosted-1pib-directory-hole", mono(capacity=1 << 41, lazy=True, redundant=False, flags=1, grains={}),
    "2^25 directory entries in a hole of the file: memory must not grow with them (A22).", rss=32,
    probes=[(0, 65536), (1 << 49, 65536), ((1 << 50) - 4096, 4096)])

# -- Good: entries -----------------------------------------------------------

add("good-hosted-zero-grain", mono(version=2, flags=7, grains={0: stamp("z", 0, 128), 1: ZERO_GRAIN, 2: stamp("z", 256, 128)}),
    "Entry 1 with flag bit 2 reads as zeros.", info="zero=65536,data=131072")
add("good-hosted-zero-grain-bit-clear", mono(grains={0: stamp("z", 0, 128), 1: ZERO_GRAIN, 2: stamp("z", 256, 128)}),
    "Entry 1 without flag bit 2: sector 1 never holds a grain, so it reads as zeros.")
add("good-hosted-directory-zero", mono(capacity=3 * 65536, lazy=True, grains=marks("d0", [3, 1030])),
    "A directory entry of 0: nothing is stored in its range.", info="absent=%d" % (3 * 65536 * SECTOR - 131072))
add("good-hosted-directory-one", mono(capacity=3 * 65536, version=2, flags=7, grains=marks("d1", [3, 1030]), patch=lambda h: h.gde(1, 1).rgde(1, 1)),
    "A directory entry of 1: its range reads as zeros.")
add("good-hosted-tables-after", mono(capacity=2 * 65536, tables="after", grains=marks("ta", [0, 9, 600])), "Directory and tables behind the grains.")
add("good-hosted-tables-mixed", mono(capacity=4 * 65536, tables="mixed", grains=marks("tm", [0, 9, 600, 1100, 2047])), "Tables and directory between the grains.")
add("good-hosted-grains-reversed", mono(grains=marks("rev", range(15, -1, -1))), "Grains stored in falling order.")
add("good-hosted-grains-shuffled", mono(grains=marks("shuf", [5, 4, 0, 1, 2, 15, 14, 3, 9, 10, 11])), "Grains in no order, some of them neighbours.")
add("good-hosted-unaligned-5", mono(shift=5), "Grains that do not begin on a multiple of the grain.")
add("good-hosted-unaligned-127", mono(shift=127), "Grains that do not begin on a multiple of the grain.")
add("good-hosted-entries-beyond", mono(capacity=300, grains=marks("eb", [0, 2]), extra_entries={3: 77, 511: 0xFFFFFFFF}),
    "Table entries beyond the capacity are ignored.")
add("good-hosted-no-rgd", mono(flags=1, redundant=False), "No redundant directory.")
add("good-hosted-rgd-bit-clear", mono(flags=1, patch=lambda h: h.rgde(0, 0xFFFFFFFF)), "A redundant directory without flag bit 1 is ignored.")
add("good-hosted-rgd-offset-zero", mono(redundant=False, flags=3), "Flag bit 1 with a redundant directory at 0: there is none.")
add("good-hosted-rgt-differs", mono(patch=lambda h: h.rgte(3, 0).rgte(5, h.at[0])), "Where two sane tables differ the primary one counts.")
add("good-hosted-recover-flag", mono(), "The flag to recover changes nothing in a sound image.", flags=RECOVER, info="flags=0/0x20,recovered=0")
add("good-hosted-capacity-rounded", mono(capacity=2048, line=2000), "The header's capacity is rounded up to 64 KiB, as VirtualBox does.", info="data=%d" % (3 * 65536 + 80 * SECTOR))
add("good-hosted-capacity-rounded-small", mono(capacity=128, line=1, grains=marks("r", [0])), "One sector in a header of 64 KiB.")
add("good-hosted-same-data", mono(grains={0: stamp("s", 0, 128), 1: stamp("s", 0, 128)}), "Two grains of equal content.")
add("good-hosted-stored-zeros", mono(grains={0: bytes(65536), 1: stamp("sz", 1, 128)}), "A stored grain may hold zeros.", info="data=131072")
add("good-hosted-trailing-bytes", mono(patch=lambda h: h.sheet.put(h.sheet.size, b"x" * 777)), "Bytes behind the last grain do no harm.")
add("good-hosted-small-cache", mono(capacity=40 * 65536, grains=marks("sc", range(0, 20480, 977))), "Many tables with the smallest table cache.",
    options="tables=262144")

for area in (1, 2, 3, 20, 64, 200):
    add("good-hosted-area-%d" % area, mono(area=area, words=dict(ddb=()) if area == 1 else None), "A descriptor area of %d sectors." % area)


def _full_area(ending):
    def make(folder):
        head = descriptor(['RW 2048 SPARSE "disk.vmdk"'])
        fill = 20 * SECTOR - len(head) - len(ending) - 1
        text = head + b"#" * fill + b"\n" + ending
        assert len(text) == 20 * SECTOR
        return mono(text=text)(folder)
    return make


add("good-hosted-area-full", _full_area(b"#\n"), "The text fills its area to the last byte.")
for word in ("parentFileNameHint", "CID", "parentCID=", "createType", "RW", "ddb."):
    add("bad-hosted-area-ends-%s" % word.strip("=.").lower(), _full_area(word.encode()),
        "The word %s ends the descriptor's area (A29): never read beyond it." % word, open=EITHER, read=OK)

# -- Good: names and renaming ------------------------------------------------

add("good-hosted-renamed", mono(lines=['RW 2048 SPARSE "another-name.vmdk"'], name="disk.vmdk"),
    "The embedded descriptor names a file that is not there: the disk was renamed.")


def _renamed_beside(folder):
    folder.put("original.vmdk", hosted(2048, marks("wrong", [0, 3]), text=descriptor(['RW 2048 SPARSE "original.vmdk"'])).sheet)
    return mono(lines=['RW 2048 SPARSE "original.vmdk"'])(folder)


add("good-hosted-renamed-other-exists", _renamed_beside, "The embedded descriptor names another disk that is there; the data is this file's.")


def _embedded_two(folder):
    second = stamp("second", 0, 64)
    folder.put("more.bin", second)
    disk = mono(lines=['RW 2048 SPARSE "disk.vmdk"', 'RW 64 FLAT "more.bin" 0'], words=dict(kind="custom"))(folder)
    return disk.put(disk.size, second)


add("good-hosted-embedded-two-lines", _embedded_two, "An embedded descriptor with a second extent.", info="extents=2")


def _carrier(folder):
    data = stamp("carry", 0, 96)
    folder.put("disk-flat.vmdk", data)
    text = descriptor(['RW 64 FLAT "disk-flat.vmdk" 0', "RW 8 ZERO", 'RW 32 FLAT "disk-flat.vmdk" 64'], kind="monolithicFlat")
    made = hosted(128, text=text).set(capacity=0, gd=0, rgd=0, flags=1)
    folder.put("disk.vmdk", made.sheet.cut(21 * SECTOR))
    return Sheet().put(0, data[: 64 * SECTOR]).put(72 * SECTOR, data[64 * SECTOR :])


add("good-hosted-carrier", _carrier, "A header of capacity 0 only carries the descriptor of flat extents.", info="extents=3")

# -- Good: split disks -------------------------------------------------------


def split(sizes=(300, 256, 100), kind="twoGbMaxExtentSparse", grain=16, name="disk", patch=None, areas=0, words=None, numbering="-s%03d", told=None):
    """twoGbMaxExtentSparse: a maker."""

    def make(folder):
        lines, disk = [], Sheet()
        for number, sectors in enumerate(sizes, 1):
            file = name + numbering % number + ".vmdk"
            lines.append('RW %d SPARSE "%s"' % ((told or {}).get(number, sectors), file))
            grains = marks("s%d" % number, {0, (sectors - 1) // grain}, grain)
            made = hosted(sectors, grains, grain, area=areas)
            if patch:
                patch(number, made)
            folder.put(file, made.sheet)
            part = guest(sectors, grains, grain)
            start = disk.size
            for offset, data in part.pieces:
                disk.put(start + offset, data)
            disk.size = start + part.size
        folder.put(name + ".vmdk", descriptor(lines, kind=kind, **(words or {})))
        return disk

    return make


add("good-split-three", split(), "Three sparse pieces.", info="type=3,extents=3,flags=0/8")
add("good-split-2gb-spelling", split(kind="2GbMaxExtentSparse"), "createType spelled 2GbMaxExtentSparse.", info="type=3")
add("good-split-qemu", split(areas=20), "Pieces with a descriptor area of NULs, as qemu makes them.")
add("good-split-one", split(sizes=(77,)), "A single piece.")
add("good-split-tiny-pieces", split(sizes=(1,) * 40, grain=1), "Forty pieces of one sector.", info="extents=40")
add("good-split-few-files", split(sizes=(16,) * 40, grain=8), "Forty files with eight of them open at a time.", options="files=8")
add("good-split-unclean", split(patch=lambda n, h: h.set(unclean=1) if n == 2 else None), "One piece was not closed.", info="flags=1/1")
add("good-split-sizes-mixed", split(sizes=(4096, 1, 129, 2), grain=128), "Pieces of very different sizes.")


def _bare_piece(folder):
    return split()(folder)


for number in (1, 2, 3):
    add("good-bare-piece-s%03d" % number, _bare_piece, "A piece is given; the descriptor beside it is opened.", entry="disk-s%03d.vmdk" % number, info="extents=3")
add("good-bare-piece-qemu", split(areas=20), "A piece with an empty descriptor area is given.", entry="disk-s002.vmdk")
add("bad-bare-piece-alone", lambda f: f.put("disk-s001.vmdk", hosted(128, marks("b", [0])).sheet),
    "A piece whose descriptor is gone.", entry="disk-s001.vmdk", open=NOT_FOUND, message="disk-s001.vmdk")
add("bad-hosted-no-descriptor", lambda f: f.put("disk.vmdk", hosted(128, marks("b", [0])).sheet),
    "A sparse file without a descriptor, and none beside.", open="|".join((NOT_FOUND, CORRUPT, NOT_VMDK)), message="disk.vmdk")
add("bad-bare-piece-not-listed", lambda f: (split()(f), f.put("disk-s009.vmdk", hosted(128, marks("b", [0])).sheet))[0],
    "The descriptor beside a bare piece does not name it.", entry="disk-s009.vmdk", open="|".join((NOT_FOUND, CORRUPT)), message="disk-s009.vmdk")

# -- Bad: the header ---------------------------------------------------------


def bad_header(name, why, status=CORRUPT, message="disk.vmdk", read=CORRUPT, line=None, **fields):
    add("bad-hosted-" + name, mono(grains=marks("mono", [0]), patch=lambda h: h.set(**fields), line=line), why, open=status, read=read, message=message)


bad_header("magic", "The first byte of the magic is damaged.", NOT_VMDK, magic=b"XDMV")
bad_header("magic-reversed", "The magic in the other byte order.", NOT_VMDK, magic=b"VMDK")
add("unsupported-hosted-version-4", mono(patch=lambda h: h.set(version=4)), "Header version 4.", open=UNSUPPORTED, message="disk.vmdk;4")
add("unsupported-hosted-version-max", mono(patch=lambda h: h.set(version=0xFFFFFFFF)), "Header version 2^32-1.", open=UNSUPPORTED, message="disk.vmdk")
for bit in (18, 24, 31):
    add("unsupported-hosted-flag-%d" % bit, mono(flags=3 | 1 << bit), "Unknown bit %d in the half of flags that must be understood." % bit,
        open=UNSUPPORTED, message="disk.vmdk;flag")
for field, damage in ((0, b"\r \r\n"), (1, b"\n\0\r\n"), (2, b"\n \n\n"), (3, b"\n \r\r")):
    bad_header("newline-%d" % field, "Newline byte %d is damaged: the file went through a text-mode transfer." % field, message="disk.vmdk;newline|line end|text", newlines=damage)


def _text_mode(folder):
    made = hosted(2048, marks("mono", [0, 3]), text=descriptor(['RW 2048 SPARSE "disk.vmdk"']))
    folder.put("disk.vmdk", made.sheet.read(0, made.sheet.size).replace(b"\n", b"\r\n"))


add("bad-hosted-text-mode", _text_mode, "Every LF of the file became CR LF.", open=CORRUPT, message="disk.vmdk;newline|line end|text")
for value, label in ((0, "0"), (3, "3"), (24, "24"), (100, "100"), (1 << 32, "2e32"), (1 << 40, "2e40"), (1 << 55, "2e55"), (1 << 63, "2e63"), (AT_END, "ones")):
    bad_header("grain-" + label, "A grain of %d sectors." % value, message="disk.vmdk;grain", grain=value)
for value, label in ((0, "0"), (0xFFFFFFFF, "ones"), (1 << 31, "2e31"), (1 << 26, "2e26")):
    bad_header("gtes-" + label, "Tables of %d entries, which do not fit into the file (A20)." % value if value else "Tables of 0 entries.", "|".join((CORRUPT, UNSUPPORTED, LIMIT)), gtes=value)
for value, label in ((1 << 54, "2e54"), (1 << 55, "2e55"), (1 << 63, "2e63"), (AT_END, "ones"), ((1 << 55) + 2048, "wraps")):
    bad_header("capacity-" + label, "A capacity of %d sectors, in header and extent line." % value, CORRUPT + "|" + LIMIT, capacity=value, line=value)
bad_header("capacity-directory-outside", "A capacity whose directory does not fit into the file.", capacity=1 << 50, line=1 << 50)
bad_header("capacity-one-entry-tables", "Tables of one entry blow the directory up (A20).", capacity=1 << 40, line=1 << 40, gtes=1, grain=8)
bad_header("capacity-below-line", "The header is smaller than the extent line.", message="disk.vmdk;2048|1048576;1024|524288", capacity=1024)
bad_header("capacity-far-above-line", "The header is far larger than the extent line (A58).", message="disk.vmdk;2048|1048576;60000|30720000", capacity=60000)
for value, label in ((0, "0"), (1, "1"), (5, "in-descriptor"), (1 << 20, "outside"), (1 << 55, "wraps"), ((1 << 55) + 26, "wraps-onto-itself"), (AT_END - 1, "ones-but-one"), (1 << 63, "2e63")):
    bad_header("gd-" + label, "The directory lies at sector %d (A50, A51)." % value, EITHER if label in ("1", "in-descriptor") else CORRUPT, gd=value)
bad_header("gd-at-end-plain", "A directory at the end makes no sense without compression.", gd=AT_END)
for value, label in ((1 << 20, "outside"), (1 << 55, "wraps"), (AT_END, "ones")):
    bad_header("rgd-" + label, "The redundant directory lies at sector %d." % value, EITHER, read=OK, rgd=value)
bad_header("overhead-outside", "The overhead ends beyond the file.", EITHER, overhead=1 << 30)
for fields, label in (
    (dict(descriptor_offset=1 << 30), "offset-outside"),
    (dict(descriptor_offset=1 << 55), "offset-wraps"),
    (dict(descriptor_size=1 << 40), "size-huge"),
    (dict(descriptor_size=1 << 55), "size-wraps"),
    (dict(descriptor_size=AT_END), "size-ones"),
):
    bad_header("descriptor-" + label, "The descriptor's area leads outside the file: %s." % label, CORRUPT + "|" + LIMIT, **fields)
bad_header("descriptor-offset-zero", "The header knows no descriptor.", "|".join((NOT_FOUND, CORRUPT, NOT_VMDK)), descriptor_offset=0, descriptor_size=0)
bad_header("compression-without-flag", "A compression algorithm without the flag (A61).", message="disk.vmdk;compress", compression=1)
bad_header("flag-without-compression", "The compression flag without an algorithm (A61).", message="disk.vmdk;compress", flags=0x10003)
add("unsupported-hosted-compression-2", mono(patch=lambda h: h.set(flags=0x30001, compression=2)), "Compression algorithm 2.", open="|".join((UNSUPPORTED, CORRUPT)), message="disk.vmdk;compress")
bad_header("markers-without-compression", "Flag bit 17 without bit 16.", "|".join((CORRUPT, UNSUPPORTED)), flags=0x20003)


def _self_carrier(folder):
    made = hosted(128, text=descriptor(['RW 64 SPARSE "disk.vmdk"'])).set(capacity=0)
    folder.put("disk.vmdk", made.sheet)


add("bad-hosted-carrier-of-itself", _self_carrier, "A header of capacity 0 whose descriptor lists its own file (A24).", open=CORRUPT, message="disk.vmdk")


add("bad-hosted-embedded-flat", mono(lines=['RW 2048 FLAT "other-flat.vmdk" 0']), "A header with grains holds a descriptor that begins with a flat extent.", open=CORRUPT, message="disk.vmdk")


def _carrier_missing(folder):
    made = hosted(128, text=descriptor(['RW 64 FLAT "gone-flat.vmdk" 0'], kind="monolithicFlat")).set(capacity=0)
    folder.put("disk.vmdk", made.sheet)


add("bad-hosted-carrier-missing-extent", _carrier_missing, "The flat extent that an embedded descriptor names is gone.", open=NOT_FOUND, message="gone-flat.vmdk")


def _cipher(folder):
    made = hosted(2048, marks("mono", [0]), area=20)
    made.sheet.put(SECTOR, noise("cipher", 20 * SECTOR))
    folder.put("disk.vmdk", made.sheet)


add("bad-hosted-descriptor-not-text", _cipher, "The descriptor's area holds noise: encrypted or damaged.", open="|".join((ENCRYPTED, CORRUPT)), message="disk.vmdk")

# -- Bad: directory and tables -----------------------------------------------


def bad_entry(name, why, patch, **how):
    expect = {key: how.pop(key) for key in ("open", "read", "flags", "hint", "info") if key in how}
    expect.setdefault("open", OK)
    expect.setdefault("read", CORRUPT)
    how.setdefault("grains", marks("mono", [0, 15]))
    add("bad-hosted-" + name, mono(patch=patch, **how), why, message="disk.vmdk", **expect)


for value, label in ((2, "2"), (20, "in-descriptor"), (21, "in-rgd"), (22, "in-rgt"), (26, "in-gd"), (27, "in-gt"), (127, "below-overhead")):
    bad_entry("gte-" + label, "A table entry leads to sector %d, into metadata (A52)." % value, lambda h, v=value: h.gte(4, v).rgte(4, v))
for label, where in (
    ("at-eof", lambda h: h.sheet.size // SECTOR),
    ("runs-over-eof", lambda h: h.sheet.size // SECTOR - 1),
    ("beyond-eof", lambda h: 1 << 24),
    ("ones", lambda h: 0xFFFFFFFF),
    ("2e31", lambda h: 1 << 31),
):
    bad_entry("gte-" + label, "A table entry leads beyond the end of the file (A50).", lambda h, w=where: h.gte(4, w(h)).rgte(4, w(h)))


def _late(shift):
    """An entry that leads shift sectors before a table behind the grains; the file goes on behind the tables."""

    def patch(h):
        h.sheet.size += 200 * SECTOR
        h.gte(4, h.gt[0] - shift).rgte(4, h.gt[0] - shift)

    return patch


bad_entry("gte-in-late-table", "A table entry leads into a table that lies behind the grains (A52).", _late(0), tables="after")
bad_entry("gte-over-late-table", "A table entry leads to a place where a grain overlaps a table behind the grains.", _late(64), tables="after")
for label, value in (("ones", 0xFFFFFFFF), ("2", 2), ("directory-itself", 26), ("at-eof", "eof"), ("runs-over-eof", "eof-1"), ("in-rgd", 21)):
    def _gde(h, value=value):
        end = h.sheet.size // SECTOR
        number = {"eof": end, "eof-1": end - 1}.get(value, value)
        h.gde(0, number).rgde(0, number)
    bad_entry("gde-" + label, "Both directories lead to a table that cannot be: %s." % label, _gde)
add("bad-hosted-gde-no-redundant", mono(redundant=False, patch=lambda h: h.set(flags=1).gde(0, 0xFFFFFFF0)),
    "A directory entry is damaged and there is no second one to recover from.", flags=RECOVER, open=OK, read=CORRUPT, message="disk.vmdk")


def _stay_readable(h):
    h.gte(4, 0xFFFFFFF0).rgte(4, 0xFFFFFFF0)


add("bad-hosted-gte-others-readable", mono(patch=_stay_readable), "One damaged entry: what lies before it still reads.", open=OK, read=CORRUPT,
    message="disk.vmdk", info="good_until=262144,good_from=327680")

# -- Recover -----------------------------------------------------------------


def recover(name, why, patch, at_open=False, **how):
    """Once without the flag: an error with a hint; once with it: the right bytes."""
    make = mono(capacity=2 * 65536, grains=marks("rec", [0, 3, 511, 513, 1000]), patch=patch, **how)
    add("bad-recover-" + name, make, why + " Refused without the flag.", open=CORRUPT if at_open else EITHER, read=CORRUPT,
        message="disk.vmdk", hint="recover")
    add("good-recover-" + name, make, why + " Read with the flag.", flags=RECOVER, info="recovered=1,flags_after=0x%x/0x%x" % (RECOVERED, RECOVERED))


recover("gde-ones", "A directory entry of all ones, the redundant one is sane.", lambda h: h.gde(1, 0xFFFFFFFF))
recover("gde-at-eof", "A directory entry at the end of the file, the redundant one is sane (A59).", lambda h: h.gde(0, h.sheet.size // SECTOR))
recover("gde-in-header", "A directory entry inside the descriptor, the redundant one is sane.", lambda h: h.gde(0, 3))
recover("gde-zero", "A directory entry of 0 where the redundant one leads to a table.", lambda h: h.gde(0, 0))
recover("gd-outside", "The directory lies beyond the file, the redundant one does not.", lambda h: h.set(gd=1 << 24), at_open=True)
recover("gd-zero", "The directory lies at sector 0, the redundant one is sane.", lambda h: h.set(gd=0), at_open=True)
recover("gte-ones", "A table entry of all ones, the redundant one is sane.", lambda h: h.gte(3, 0xFFFFFFFF))
recover("gte-in-metadata", "A table entry inside the descriptor, the redundant one is sane.", lambda h: h.gte(513, 7))
recover("gte-two-tables", "Damaged entries in two tables, the redundant ones are sane.", lambda h: h.gte(0, 5).gte(1000, 0xFFFFFF00))


def _lost_table(h):
    h.sheet.put(h.gt[0] * SECTOR, b"\xff" * 2048)


recover("gt-overwritten", "A whole table is overwritten with ones.", _lost_table)
bad_entry("recover-both-bad", "Both copies of an entry are damaged: nothing to recover from.", lambda h: h.gte(3, 0xFFFFFFFF).rgte(3, 0xFFFFFFFE), flags=RECOVER)

# -- Bad: cut files (A60) ----------------------------------------------------

CUTS = (
    (0, NOT_VMDK, "-"),
    (3, NOT_VMDK, "-"),
    (4, CORRUPT + "|" + NOT_VMDK, "-"),
    (80, CORRUPT + "|" + NOT_VMDK, "-"),
    (511, CORRUPT + "|" + NOT_VMDK, "-"),
    (512, CORRUPT, "-"),
    (700, CORRUPT, "-"),
    (21 * SECTOR - 1, CORRUPT, "-"),
    (21 * SECTOR, CORRUPT, "-"),
    (26 * SECTOR, CORRUPT, "-"),
    (26 * SECTOR + 3, CORRUPT, "-"),
    (27 * SECTOR, EITHER, CORRUPT),
    (30 * SECTOR, EITHER, CORRUPT),
    (31 * SECTOR, EITHER, CORRUPT),
    (128 * SECTOR, EITHER, CORRUPT),
    (128 * SECTOR + 1, EITHER, CORRUPT),
    (300 * SECTOR, EITHER, CORRUPT),
    ((128 + 4 * 128) * SECTOR - 1, EITHER, CORRUPT),
)
for size, status, read in CUTS:
    add("bad-hosted-cut-%06d" % size, mono(patch=lambda h, s=size: h.cut(s)), "The file ends after %d bytes." % size,
        open=status, read=read, message="disk.vmdk")
    if size >= 21 * SECTOR:
        add("bad-recover-cut-%06d" % size, mono(patch=lambda h, s=size: h.cut(s)), "The file ends after %d bytes; the flag to recover invents nothing." % size,
            flags=RECOVER, open=EITHER, read=CORRUPT, message="disk.vmdk")

# -- Bad: split disks --------------------------------------------------------


def bad_split(name, why, status=CORRUPT, make=None, message="disk-s002.vmdk", read=CORRUPT, **how):
    add("bad-split-" + name, make or split(**how), why, open=status, read=read, message=message)


def _without_second(folder):
    import os
    split()(folder)
    os.remove(folder.at("disk-s002.vmdk"))


bad_split("missing", "The second piece is gone.", NOT_FOUND, make=_without_second)
bad_split("empty", "The second piece is empty.", CORRUPT + "|" + NOT_VMDK, patch=lambda n, h: h.cut(0) if n == 2 else None)
bad_split("cut-header", "The second piece ends in its header.", patch=lambda n, h: h.cut(300) if n == 2 else None)
bad_split("cut-grains", "The second piece ends in its grains.", EITHER, patch=lambda n, h: h.cut(h.sheet.size - 1) if n == 2 else None)
bad_split("magic", "The second piece has another magic.", CORRUPT + "|" + NOT_VMDK, patch=lambda n, h: h.set(magic=b"KDMW") if n == 2 else None)
bad_split("capacity-below-line", "The second piece is smaller than its line.", message="disk-s002.vmdk;256|131072;200|102400", patch=lambda n, h: h.set(capacity=200) if n == 2 else None)
bad_split("capacity-above-line", "The second piece is far larger than its line.", message="disk-s002.vmdk;256|131072;9999|5119488", patch=lambda n, h: h.set(capacity=9999) if n == 2 else None)
bad_split("grain-0", "The second piece has a grain of 0.", CORRUPT, patch=lambda n, h: h.set(grain=0) if n == 2 else None)
add("unsupported-split-version-4", split(patch=lambda n, h: h.set(version=4) if n == 2 else None), "The second piece has header version 4.", open=UNSUPPORTED, message="disk-s002.vmdk;4")


def _swapped(folder):
    import os
    split()(folder)
    os.rename(folder.at("disk-s001.vmdk"), folder.at("x"))
    os.rename(folder.at("disk-s003.vmdk"), folder.at("disk-s001.vmdk"))
    os.rename(folder.at("x"), folder.at("disk-s003.vmdk"))


bad_split("swapped", "Two pieces of different sizes changed their names.", make=_swapped, message="disk-s00")


def _twice(folder):
    folder.put("disk-s001.vmdk", hosted(256, marks("w", [0])).sheet)
    folder.put("disk.vmdk", descriptor(['RW 256 SPARSE "disk-s001.vmdk"'] * 2, kind="twoGbMaxExtentSparse"))


bad_split("same-file-twice", "Two lines name the same sparse file.", make=_twice, message="disk-s001.vmdk")


def _twice_linked(folder):
    folder.put("disk-s001.vmdk", hosted(256, marks("w", [0])).sheet)
    folder.hardlink("disk-s001.vmdk", "disk-s002.vmdk")
    folder.put("disk.vmdk", descriptor(['RW 256 SPARSE "disk-s001.vmdk"', 'RW 256 SPARSE "disk-s002.vmdk"'], kind="twoGbMaxExtentSparse"))


bad_split("same-file-hard-link", "Two names of one sparse file.", make=_twice_linked, message="disk-s00")
bad_split("nested-descriptor", "A sparse line names a text descriptor (A24).", CORRUPT + "|" + NOT_VMDK,
          make=lambda f: (f.put("disk-s001.vmdk", descriptor(['RW 8 SPARSE "disk-s001.vmdk"'])), f.put("disk.vmdk", descriptor(['RW 8 SPARSE "disk-s001.vmdk"'], kind="twoGbMaxExtentSparse")))[0],
          message="disk-s001.vmdk")
bad_split("itself", "A sparse line names its own descriptor.", CORRUPT + "|" + NOT_VMDK,
          make=lambda f: f.put("disk.vmdk", descriptor(['RW 8 SPARSE "disk.vmdk"'], kind="twoGbMaxExtentSparse")), message="disk.vmdk")
bad_split("cowd-inside", "A sparse line names a file with the magic of another kind.",
          make=lambda f: (f.put("disk-s001.vmdk", b"COWD" + struct.pack("<II", 1, 3) + bytes(4000)), f.put("disk.vmdk", descriptor(['RW 8 SPARSE "disk-s001.vmdk"'], kind="twoGbMaxExtentSparse")))[0],
          message="disk-s001.vmdk")
