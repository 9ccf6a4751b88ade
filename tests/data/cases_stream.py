# SPDX-License-Identifier: MIT
"""Streams: compressed grains, markers, footers (streamOptimized)."""

import struct
import zlib

from images import COMPRESSED, CORRUPT, LIMIT, NOT_FOUND, NOT_VMDK, OK, RECOVER, UNSUPPORTED, add, marks, streamed
from vmdkwriter import (
    AT_END,
    GT,
    PROGRESS,
    SECTOR,
    Sheet,
    descriptor,
    fixed_codec,
    guest,
    kdmv_header,
    marker,
    noise,
    raw_codec,
    stamp,
    stored_codec,
    stream,
    zlib_codec,
)

EITHER = OK + "|" + CORRUPT
BOTH = "1,4"  # read alone and with four threads


def good(name, why, make=None, info="-", **how):
    expect = {key: how.pop(key) for key in ("seconds", "rss", "options", "probes", "flags", "threads") if key in how}
    expect.setdefault("threads", BOTH)
    add("good-stream-" + name, make or streamed(**how), why, info=info, **expect)


def bad(name, why, status=CORRUPT, read="-", message="disk.vmdk", make=None, **how):
    expect = {key: how.pop(key) for key in ("seconds", "rss", "options", "flags", "hint", "info") if key in how}
    add("bad-stream-" + name, make or streamed(**how), why, open=status, read=read, message=message, threads=BOTH, **expect)


def bad_grain(name, why, **how):
    """Opens; reading the damaged grain is an error."""
    bad(name, why, status=OK, read=CORRUPT, **how)


RANGE = marks("flow", range(16))
RANDOM = {0: noise("r0", 65536), 1: stamp("r1", 128, 128), 9: noise("r9", 65536), 15: noise("r15", 65536)}

# -- Good: the shapes of the writers -----------------------------------------

good("vmware", "VMware's shape: tables behind their grains, directory at the end, footer.", access="RDONLY", inner="generated-stream.vmdk",
     info="type=5,grain=65536,flags=0xc/0xc,header=3,kind=2,data=262144,absent=786432")
good("virtualbox", "VirtualBox's shape: a header of full grains, the line of 2,000 sectors.", capacity=2048, line=2000, access="RDONLY", codec=zlib_codec(1))
good("qemu", "qemu's shape: both directories in front, no markers, no footer, no end.", tables="front", redundant=True, footer=False, eos=False,
     grain_tail=True, pad_last=False, capacity=2000, info="header=3,flags=4/4")
good("qemu-unordered", "qemu's shape with grains as they were written.", tables="front", redundant=True, footer=False, eos=False, grain_tail=True,
     grains=RANGE, order=[9, 3, 0, 15, 1, 2, 4, 14, 5, 6, 8, 7, 10, 13, 12, 11])
good("open-vmdk", "open-vmdk's shape: directory in front, grains right behind it, an end marker.", tables="front", footer=False, overhead=0, codec=zlib_codec(9),
     inner="disk", pad_last=False, capacity=2000)
good("vmdktool", "vmdktool's shape: the header tells the directory, a footer repeats it.", true_gd=True, write_empty_tables=True, codec=zlib_codec(9),
     words=dict(ddb=('ddb.adapterType = "lsilogic"',)), area=1, access="RDONLY", inner="generated-stream.vmdk")
good("vmdkstream", "VMDKstream's shape: a short last grain.", pad_last=False, capacity=2000, area=1, words=dict(ddb=()), access="RDONLY", inner="call-me-stream.vmdk")
good("starwind", "StarWind's shape: directory in front, fastest compression, CID 0.", tables="front", footer=False, codec=zlib_codec(1), words=dict(cid="00000000"), info="cid=0")
for version in (1, 2, 3):
    good("version-%d" % version, "A stream with header version %d." % version, version=version, info="header=%d" % version)
good("empty", "No grain is stored.", grains={}, info="data=0,absent=1048576")
good("full", "Every grain is stored.", grains=RANGE, info="data=1048576")
good("many-tables", "Five tables, one of them without grains.", capacity=5 * 65536, grains=marks("mt", [0, 511, 512, 1023, 1600, 2048, 2559]))
good("sixteen-mib", "256 grains in a row, for readers that inflate ahead.", capacity=256 * 128, grains={n: stamp("run%d" % n, n, 128) for n in range(256)})
good("runs-and-gaps", "Runs of grains with gaps between them.", capacity=200 * 128, grains={n: stamp("gap%d" % n, n, 128) for n in range(200) if n % 7 < 4})
good("noise-runs", "24 grains that no codec makes shorter.", capacity=24 * 128, grains={n: noise("nr%d" % n, 65536) for n in range(24)})
good("8tib", "A stream of 8 TiB with three grains.", capacity=1 << 34, grains=marks("8t", [0, 1 << 20, (1 << 27) - 1]))

# -- Good: codecs ------------------------------------------------------------

good("zlib-7801", "zlib streams that begin with 78 01.", codec=zlib_codec(1))
good("zlib-789c", "zlib streams that begin with 78 9c.", codec=zlib_codec(6))
good("zlib-78da", "zlib streams that begin with 78 da.", codec=zlib_codec(9))
good("zlib-stored", "zlib streams of stored blocks.", codec=stored_codec, grains=RANDOM)
good("zlib-level-0", "zlib streams without compression.", codec=zlib_codec(0))
good("zlib-fixed", "zlib streams of fixed Huffman codes.", codec=fixed_codec)
good("raw-deflate", "Raw deflate, as VMware's note says.", codec=raw_codec)
good("raw-deflate-stored", "Raw deflate of random bytes.", codec=raw_codec, grains=RANDOM)
good("incompressible", "Grains whose compressed form is larger than the grain.", grains=RANDOM)


def _bloated(data):
    """zlib in blocks of one to 30 stored bytes: half as large again as the grain."""
    out = bytearray(b"\x78\x01")
    for place in range(0, len(data), 12):
        piece = data[place : place + 12]
        out += struct.pack("<BHH", place + 12 >= len(data), len(piece), 0xFFFF ^ len(piece)) + piece
    return bytes(out) + struct.pack(">I", zlib.adler32(data))


good("bloated", "Grains stored in tiny blocks: half as large again as the grain.", codec=_bloated)
for grain in (1, 8, 16, 64, 256, 2048, 16384):
    numbers = [0, 1, 3] if grain < 16384 else [1]
    good("grain-%d" % grain, "Grains of %d sectors." % grain, capacity=4 * grain, grain=grain, grains=marks("sg", numbers, grain), info="grain=%d" % (grain * SECTOR))
for gtes in (1, 7, 128, 4096):
    good("gtes-%d" % gtes, "Tables of %d entries." % gtes, capacity=20 * 16, grain=16, gtes=gtes, grains=marks("sn", [0, 5, 6, 7, 19], 16))

# -- Good: the last grain ----------------------------------------------------

for capacity in (1, 127, 129, 1921, 2047):
    last = (capacity - 1) // 128
    good("last-padded-%d" % capacity, "%d sectors, the last grain stored whole." % capacity, capacity=capacity, grains=marks("lp", {0, last}))
    good("last-short-%d" % capacity, "%d sectors, only the rest of the last grain stored." % capacity, capacity=capacity, grains=marks("lp", {0, last}), pad_last=False)

# -- Good: order, markers, tails ---------------------------------------------

good("reversed", "Grains in falling order.", grains=RANGE, order=range(15, -1, -1))
good("shuffled", "Grains in no order.", grains=RANGE, order=[5, 0, 15, 2, 3, 4, 1, 14, 6, 13, 7, 12, 8, 11, 9, 10])
good("marker-values-zero", "Markers of tables, directory and footer tell a length of 0.", marker_values=False)
good("progress-markers", "Progress markers behind every grain.", progress=True, grains=RANGE)
good("unknown-markers", "Markers of unknown types between the grains.", between=marker(0, 0, 77) + marker(2, 0, 0x80000001) + bytes(1024))
good("garbage-between", "A sector that is no marker, between grains: the tables count.", between=b"\xee" * 512)
good("stray-copy", "An old copy of a grain that no table names.", between=struct.pack("<QI", 0, 40).ljust(512, b"\7"))
good("two-footers", "An older footer in the middle of the file.",
     between=marker(1, 0, 3) + kdmv_header(dict(magic=b"KDMV", version=3, flags=0x30001, capacity=4096, grain=128, descriptor_offset=1, descriptor_size=20, gtes=512, rgd=0, gd=7, overhead=128, unclean=0, newlines=b"\n \r\n", compression=1)))
for count in (1, 100, 511):
    good("stray-bytes-%d" % count, "%d stray bytes behind the end marker." % count, tail=b"x" * count)
for count in (512, 1024, 4096, 65536):
    good("padded-%d" % count, "%d zero bytes behind the end marker." % count, tail=bytes(count))
good("padded-odd", "1,000 zero bytes behind the end marker.", tail=bytes(1000))
good("directory-zero", "A directory entry of 0: no table was written for its range.", capacity=3 * 65536, grains=marks("dz", [0, 1100]))
good("empty-tables-written", "Tables without grains are written as well.", capacity=3 * 65536, grains=marks("dz", [0, 1100]), write_empty_tables=True)
good("front-no-end", "Tables in front, nothing behind the last grain.", tables="front", footer=False, eos=False)
good("overhead-129", "Grains begin at a sector that is no multiple of the grain.", overhead=129)
good("overhead-21", "Grains begin right behind the descriptor.", overhead=0)
good("renamed", "The embedded descriptor names a file that is not there.", inner="disk1-original.vmdk")


def _renamed_beside(folder):
    folder.put("original.vmdk", stream(2048, marks("wrong", [0, 1]), text=descriptor(['RW 2048 SPARSE "original.vmdk"'], kind="streamOptimized")).sheet)
    return streamed(inner="original.vmdk")(folder)


good("renamed-other-exists", "The embedded descriptor names another stream that is there; the data is this file's.", make=_renamed_beside)


def _two_streams(folder):
    parts = [(1000, marks("p1", [0, 7])), (640, marks("p2", [1, 4]))]
    disk = Sheet()
    for number, (sectors, grains) in enumerate(parts, 1):
        folder.put("disk-s%03d.vmdk" % number, stream(sectors, grains).sheet)
        start = disk.size
        part = guest(sectors, grains)
        for offset, data in part.pieces:
            disk.put(start + offset, data)
        disk.size = start + part.size
    folder.put("disk.vmdk", descriptor(['RW 1000 SPARSE "disk-s001.vmdk"', 'RW 640 SPARSE "disk-s002.vmdk"'], kind="custom"))
    return disk


good("two-extents", "Two streams make one disk.", make=_two_streams, info="extents=2")


def _outside_text(folder):
    grains = marks("out", [0, 3])
    folder.put("data.vmdk", stream(2048, grains).sheet)
    folder.put("disk.vmdk", descriptor(['RW 2048 SPARSE "data.vmdk"'], kind="streamOptimized"))
    return guest(2048, grains)


good("text-descriptor", "The descriptor is a file of its own.", make=_outside_text, info="type=5")
good("small-caches", "The smallest caches.", grains=marks("small", range(0, 1024, 5)), capacity=1024 * 128, options="tables=262144,files=8", probes=[(0, 1 << 20), (40 << 20, 1 << 20)])
add("good-stream-size-only", streamed(size_only=True, tables="front", footer=False), "Flag bit 17 is clear: grains have only their size in front.", threads=BOTH, info="markers=0", open="|".join((OK, UNSUPPORTED)))

# -- Bad: the footer ---------------------------------------------------------

for field, value, numbers in (
    ("capacity", 4096, ";2048|1048576;4096|2097152"),
    ("grain", 256, ";128|65536;256|131072"),
    ("gtes", 1024, ";512;1024"),
    ("descriptor_offset", 2, ""),
    ("descriptor_size", 19, ""),
    ("version", 2, ""),
    ("flags", 0x30003, ""),
    ("compression", 0, ""),
):
    bad("footer-" + field.replace("_", "-"), "Header and footer tell different things: %s (A57)." % field.replace("_", " "), footer_header={field: value}, message="disk.vmdk" + numbers)
bad("footer-magic", "The footer's magic is damaged.", footer_header=dict(magic=b"KDMX"))
bad("footer-version-4", "The footer has version 4.", CORRUPT + "|" + UNSUPPORTED, footer_header=dict(version=4))
bad("footer-newlines", "The footer's newline bytes are damaged.", footer_header=dict(newlines=b"\n \n\n"))
bad("footer-says-footer", "The footer says that the directory is in a footer (A11).", footer_header=dict(gd=AT_END))
for value, label in ((0, "0"), (1 << 22, "outside"), (1 << 55, "wraps"), (AT_END - 1, "ones-but-one")):
    bad("footer-gd-" + label, "The footer's directory lies at sector %d." % value, footer_header=dict(gd=value))
bad("footer-missing", "The header says there is a footer, and there is none.", footer=False)
bad("footer-and-end-missing", "The file was cut before its footer.", footer=False, eos=False)
bad("footer-marker-type", "The marker before the footer has another type.", EITHER, read=OK,
    patch=lambda h: h.sheet.put((h.footer - 1) * SECTOR, marker(1, 0, 9)))
bad("end-marker-damaged", "The end marker is none.", EITHER, read=OK, patch=lambda h: h.sheet.put((h.footer + 1) * SECTOR, b"\xff" * SECTOR))
bad("garbage-behind-end", "Two sectors of garbage behind the end marker.", EITHER, read=OK, tail=b"\xa5" * 1024)
bad("directories-differ", "Header and footer both name a directory, and not the same.", EITHER, read=OK, true_gd=True, write_empty_tables=True,
    patch=lambda h: h.set(gd=h.gd - 3))
bad("plain-at-end", "A footer without compression.", patch=lambda h: h.set(flags=3, compression=0).set_footer(flags=3, compression=0))
bad("capacity-below-line", "Header and footer are smaller than the extent line.", line=4096, message="disk.vmdk;2048|1048576;4096|2097152")

for where, place, status in (
    ("header", 300, CORRUPT + "|" + NOT_VMDK),
    ("descriptor", 3000, CORRUPT),
    ("grains", 70 * 1024, CORRUPT),
    ("last-byte", -1, EITHER),
    ("last-sector", -512, CORRUPT),
    ("footer", -1024, CORRUPT),
    ("half", None, CORRUPT),
):
    bad("cut-" + where, "The stream was cut: %s." % where, status,
        patch=lambda h, p=place: h.cut(h.sheet.size // 2 if p is None else p if p > 0 else h.sheet.size + p), read=OK if where == "last-byte" else "-")
for where, place in (("grains", 70 * 1024), ("last-grain", None)):
    bad("front-cut-" + where, "A stream with tables in front was cut: %s." % where, EITHER, read=CORRUPT, tables="front", footer=False, eos=False, grains=RANDOM,
        patch=lambda h, p=place: h.cut(p or (h.sheet.size - SECTOR)))
add("good-recover-stream-no-end", streamed(patch=lambda h: h.cut(h.sheet.size - SECTOR)), "The end marker is missing; with the flag to recover everything may be read.",
    flags=RECOVER, open=EITHER, threads=BOTH)

# -- Bad: markers and grains -------------------------------------------------

bad_grain("lba-of-another", "The marker tells the address of another grain (A56).", lba={5: 15 * 128}, message="disk.vmdk;1920|983040")
bad_grain("lba-off-by-one", "The marker's address is a sector off.", lba={5: 5 * 128 + 1})
bad_grain("lba-beyond", "The marker's address lies beyond the disk.", lba={5: 1 << 40})
bad_grain("lba-high-bits", "The marker's address is right but for bit 63.", lba={5: (1 << 63) | 5 * 128})
bad_grain("two-entries-one-grain", "Two table entries name one grain.", patch=lambda h: h.gte(6, h.at[5]))
bad_grain("entry-to-table", "A table entry leads to a table's marker.", patch=lambda h: h.gte(6, h.gt[0] - 1))
bad_grain("entry-to-data", "A table entry leads into the middle of a grain.", grains=RANDOM, patch=lambda h: h.gte(6, h.at[9] + 20))
bad_grain("entry-to-header", "A table entry leads to the descriptor.", patch=lambda h: h.gte(6, 3))
bad_grain("entry-outside", "A table entry leads beyond the file.", patch=lambda h: h.gte(6, 1 << 25))
bad_grain("entry-ones", "A table entry of all ones.", patch=lambda h: h.gte(6, 0xFFFFFFFF))
bad_grain("table-outside", "A directory entry leads beyond the file.", patch=lambda h: h.gde(0, 1 << 25))
bad_grain("table-in-header", "A directory entry leads into the descriptor.", patch=lambda h: h.gde(0, 2))


def size(value):
    return lambda h: h.sheet.u32(h.at[5] * SECTOR + 8, value)


bad_grain("size-0", "A grain of 0 compressed bytes.", patch=size(0))
bad_grain("size-1", "A grain of 1 compressed byte.", patch=size(1))
bad_grain("size-ones", "A grain of 2^32-1 compressed bytes.", patch=size(0xFFFFFFFF), rss=32)
bad_grain("size-2gib", "A grain of 2^31 compressed bytes.", patch=size(1 << 31), rss=32)
bad_grain("size-above-bound", "A compressed size that no grain can have (A32).", patch=size(4 * 65536 + 65537), tail=b"")
bad_grain("size-beyond-file", "The compressed bytes end beyond the file.", patch=lambda h: h.sheet.u32(h.at[15] * SECTOR + 8, 8192 * 7))
bad_grain("size-cuts", "The compressed size is too small.", patch=lambda h: h.sheet.u32(h.at[5] * SECTOR + 8, h.lengths[5] - 12 - 5))

GRAIN = stamp("flow", 5 * 128, 128)
PACKED = zlib.compress(GRAIN)
bad_grain("zlib-noise", "The compressed bytes are noise.", records={5: noise("zn", 700)})
bad_grain("zlib-zeros", "The compressed bytes are zeros.", records={5: bytes(700)})
bad_grain("zlib-flipped", "A bit in the compressed bytes is flipped.", records={5: PACKED[:100] + bytes([PACKED[100] ^ 0x10]) + PACKED[101:]})
bad_grain("zlib-header", "The method in the zlib header is damaged.", records={5: b"\x79\x9c" + PACKED[2:]})
bad_grain("zlib-dictionary", "The zlib header asks for a dictionary.", records={5: b"\x78\xbb\0\0\0\1" + PACKED[2:]})
bad_grain("zlib-adler", "The checksum of a grain is wrong.", records={5: PACKED[:-4] + struct.pack(">I", zlib.adler32(GRAIN) ^ 1)})
bad_grain("zlib-adler-missing", "The checksum of a grain is missing.", records={5: PACKED[:-4]})
bad_grain("zlib-cut", "The compressed bytes end early.", records={5: PACKED[: len(PACKED) // 2]})
bad_grain("zlib-short", "A grain in the middle inflates to a sector too little.", records={5: zlib.compress(GRAIN[:-512])})
bad_grain("zlib-short-by-one", "A grain in the middle inflates to a byte too little.", records={5: zlib.compress(GRAIN[:-1])})
bad_grain("zlib-empty", "A grain inflates to nothing.", records={5: zlib.compress(b"")})
bad_grain("zlib-long-by-one", "A grain inflates to a byte too much.", records={5: zlib.compress(GRAIN + b"x")})
bad_grain("zlib-long", "A grain inflates to twice its size.", records={5: zlib.compress(GRAIN + GRAIN)})
bad_grain("zlib-bomb", "A grain inflates to 64 MiB (A38).", records={5: zlib.compress(bytes(64 << 20), 9)}, rss=32)
bad_grain("raw-bomb", "A grain of raw deflate inflates to 64 MiB.", records={5: raw_codec(bytes(64 << 20))}, rss=32)
bad_grain("raw-short", "A grain of raw deflate inflates to too little.", records={5: raw_codec(GRAIN[:-512])})
bad_grain("raw-cut", "A grain of raw deflate ends early.", records={5: raw_codec(GRAIN)[:-300]})
bad_grain("last-too-short", "The last grain lacks sectors that lie on the disk.", capacity=2000, records={15: zlib.compress(stamp("flow", 15 * 128, 70))})
bad_grain("last-too-long", "The last grain inflates to more than a grain.", capacity=2000, records={15: zlib.compress(stamp("flow", 15 * 128, 129))})
bad_grain("others-readable", "One damaged grain: the others still read.", records={5: noise("zn", 700)}, info="good_until=327680,good_from=393216")
bad_grain("others-readable-many", "A damaged grain in a long run: what lies around it still reads.", capacity=64 * 128,
          grains={n: stamp("run%d" % n, n, 128) for n in range(64)}, records={40: noise("zn", 700)}, info="good_until=2621440,good_from=2686976")
bad_grain("recover-flag", "The flag to recover does not make a damaged grain readable.", records={5: noise("zn", 700)}, flags=RECOVER)

bad("algorithm-without-flag", "A compression algorithm without the flag (A61).", patch=lambda h: h.set(flags=0x1).set_footer(flags=0x1), message="disk.vmdk;compress")
bad("flag-without-algorithm", "The compression flag without an algorithm (A61).", patch=lambda h: h.set(compression=0).set_footer(compression=0), message="disk.vmdk;compress")
add("unsupported-stream-algorithm-7", streamed(patch=lambda h: h.set(compression=7).set_footer(compression=7)), "An unknown compression algorithm.", open="|".join((UNSUPPORTED, CORRUPT)), message="disk.vmdk;compress")
add("unsupported-stream-flag-18", streamed(patch=lambda h: h.set(flags=0x70001).set_footer(flags=0x70001)), "An unknown flag in the upper half.", open=UNSUPPORTED, message="disk.vmdk;flag")
add("unsupported-stream-version-4", streamed(version=4), "A stream of header version 4.", open=UNSUPPORTED, message="disk.vmdk;4")


def _tables_64_bit(folder):
    """Entries of 64 bits, as one writer made them."""
    made = stream(2048, marks("w", [0, 1]), text=descriptor(['RW 2048 SPARSE "disk.vmdk"'], kind="streamOptimized"))
    table = made.gt[0] * SECTOR
    made.sheet.put(table, struct.pack("<QQ", made.at[0], made.at[1]) + bytes(2032))
    folder.put("disk.vmdk", made.sheet)


bad_grain("entries-64-bit", "Table entries of 64 bits: the second grain's entry stands in the third's place.", make=_tables_64_bit)
