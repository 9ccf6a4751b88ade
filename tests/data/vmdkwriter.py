# SPDX-License-Identifier: MIT
"""Writes VMDK files of every kind, for tests.

It is written from the description of the format alone and shares nothing with
the library, so that a misunderstanding in one shows up as a difference to the
other. It keeps the guest's bytes beside the file it makes: what a reader must
give back is known without reading the file. Nearly every number can be made
wrong on purpose.

Units: capacities, grains and places in files are sectors of 512 bytes unless a
name says "bytes".
"""

import hashlib
import random
import struct
import zlib

SECTOR = 512
NO_PARENT = 0xFFFFFFFF
AT_END = 0xFFFFFFFFFFFFFFFF


def ceil(a, b):
    return (a + b - 1) // b


def round_up(a, b):
    return ceil(a, b) * b


# -- Bytes -------------------------------------------------------------------


class Sheet:
    """Bytes with holes: a file, or a guest's disk; below may lie a parent's."""

    def __init__(self, size=0, below=None):
        self.size = size
        self.below = below
        self.pieces = []

    def put(self, offset, data):
        """Writes over what is there, growing where needed."""
        if data:
            self.pieces.append((offset, bytes(data)))
        self.size = max(self.size, offset + len(data))
        return self

    def cut(self, size):
        """Drops what lies beyond size."""
        kept = []
        for offset, data in self.pieces:
            if offset < size:
                kept.append((offset, data[: size - offset]))
        self.pieces = kept
        self.size = size
        return self

    def read(self, offset, length):
        out = bytearray(length)
        if self.below is not None:
            there = max(0, min(length, self.below.size - offset))
            if there:
                out[:there] = self.below.read(offset, there)
        for start, data in self.pieces:
            first = max(start, offset)
            last = min(start + len(data), offset + length)
            if first < last:
                out[first - offset : last - offset] = data[first - start : last - start]
        return bytes(out)

    def digest(self, offset=0, length=None):
        length = self.size - offset if length is None else length
        return hashlib.sha256(self.read(offset, length)).hexdigest()

    def save(self, path):
        with open(path, "wb") as file:
            for offset, data in self.pieces:
                file.seek(offset)
                file.write(data)
            file.truncate(self.size)

    def u32(self, offset, value):
        return self.put(offset, struct.pack("<I", value & 0xFFFFFFFF))

    def u64(self, offset, value):
        return self.put(offset, struct.pack("<Q", value & 0xFFFFFFFFFFFFFFFF))


def stamp(tag, sector, count=1):
    """Sectors that say who they are: easy to compress, never alike."""
    out = bytearray()
    for number in range(sector, sector + count):
        mark = ("%s:%012d|" % (tag, number)).encode("ascii")
        out += (mark * (SECTOR // len(mark) + 1))[:SECTOR]
    return bytes(out)


def noise(tag, length):
    """Bytes that no codec makes shorter; the same for the same tag."""
    return random.Random(tag).getrandbits(8 * length).to_bytes(length, "little") if length else b""


# -- The descriptor ----------------------------------------------------------

DDB = (
    'ddb.adapterType = "lsilogic"',
    'ddb.geometry.cylinders = "1"',
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    'ddb.longContentID = "00112233445566778899aabb7c3a9f10"',
    'ddb.uuid = "60 00 C2 9a 11 22 33 44-55 66 77 88 99 aa bb cc"',
    'ddb.virtualHWVersion = "8"',
)


def descriptor(
    lines,
    kind="monolithicSparse",
    cid="7c3a9f10",
    parent="ffffffff",
    hint=None,
    version="1",
    encoding="UTF-8",
    head=(),
    ddb=DDB,
    eol="\n",
    codec="utf-8",
):
    """The text of a descriptor. None leaves a line out."""
    out = ["# Disk DescriptorFile"]
    if version is not None:
        out.append("version=" + version)
    if encoding is not None:
        out.append('encoding="%s"' % encoding)
    if cid is not None:
        out.append("CID=" + cid)
    if parent is not None:
        out.append("parentCID=" + parent)
    if kind is not None:
        out.append('createType="%s"' % kind)
    if hint is not None:
        out.append('parentFileNameHint="%s"' % hint)
    out += list(head)
    out += ["", "# Extent description"] + list(lines)
    out += ["", "# The Disk Data Base", "#DDB", ""] + list(ddb)
    return (eol.join(out) + eol).encode(codec)


# -- Hosted sparse extents ("KDMV") ------------------------------------------

HEADER_FIELDS = (
    # name, offset, struct code
    ("magic", 0, "4s"),
    ("version", 4, "I"),
    ("flags", 8, "I"),
    ("capacity", 12, "Q"),
    ("grain", 20, "Q"),
    ("descriptor_offset", 28, "Q"),
    ("descriptor_size", 36, "Q"),
    ("gtes", 44, "I"),
    ("rgd", 48, "Q"),
    ("gd", 56, "Q"),
    ("overhead", 64, "Q"),
    ("unclean", 72, "B"),
    ("newlines", 73, "4s"),
    ("compression", 77, "H"),
)


def kdmv_header(values):
    """The 512 bytes of a header."""
    out = bytearray(SECTOR)
    for name, offset, code in HEADER_FIELDS:
        struct.pack_into("<" + code, out, offset, values[name])
    return bytes(out)


class Hosted:
    """A hosted sparse extent with everything that a test may want to break."""

    def __init__(self):
        self.sheet = Sheet()
        self.header = {}
        self.grain = self.gtes = 0
        self.gd = self.rgd = None  # sector of a directory
        self.gt = {}  # directory index -> sector of its table
        self.rgt = {}
        self.at = {}  # grain -> sector of its data or its marker
        self.footer = None  # sector of the footer

    def set(self, **values):
        """Changes fields of the header, not of a footer."""
        self.header.update(values)
        self.sheet.put(0, kdmv_header(self.header))
        return self

    def set_footer(self, **values):
        fields = dict(self.header, gd=self.gd)
        fields.update(values)
        self.sheet.put(self.footer * SECTOR, kdmv_header(fields))
        return self

    def gde(self, index, value):
        self.sheet.u32(self.gd * SECTOR + 4 * index, value)
        return self

    def rgde(self, index, value):
        self.sheet.u32(self.rgd * SECTOR + 4 * index, value)
        return self

    def gte(self, grain, value):
        table = self.gt[grain // self.gtes]
        self.sheet.u32(table * SECTOR + 4 * (grain % self.gtes), value)
        return self

    def rgte(self, grain, value):
        table = self.rgt[grain // self.gtes]
        self.sheet.u32(table * SECTOR + 4 * (grain % self.gtes), value)
        return self

    def cut(self, size):
        self.sheet.cut(size)
        return self


def default_header(capacity, grain, gtes, version, flags, text, area, unclean):
    return {
        "magic": b"KDMV",
        "version": version,
        "flags": flags,
        "capacity": capacity,
        "grain": grain,
        "descriptor_offset": 1 if area else 0,
        "descriptor_size": area,
        "gtes": gtes,
        "rgd": 0,
        "gd": 0,
        "overhead": 0,
        "unclean": unclean,
        "newlines": b"\n \r\n",
        "compression": 0,
    }


ZERO_GRAIN = 1  # an entry instead of data


def hosted(
    capacity,
    grains=None,
    grain=128,
    gtes=512,
    version=1,
    flags=3,
    text=b"",
    area=None,
    redundant=True,
    lazy=False,
    tables="front",
    shift=0,
    unclean=0,
    extra_entries=None,
    header=None,
):
    """Makes a hosted sparse extent.

    grains         grain number -> its bytes (padded), pieces [(offset, bytes)], or ZERO_GRAIN
    area           sectors of the descriptor's area; by default 20 with a text, else 0
    lazy           no tables for ranges without grains (directory entry 0)
    tables         "front", "after" (behind the grains), "mixed" (each table before its grains)
    shift          sectors by which the grains miss their alignment
    """
    grains = grains or {}
    if area is None:
        area = 20 if text else 0
    assert len(text) <= area * SECTOR, "the text does not fit"
    made = Hosted()
    made.grain, made.gtes = grain, gtes
    made.header = default_header(capacity, grain, gtes, version, flags, text, area, unclean)
    sheet = made.sheet
    if text:
        sheet.put(SECTOR, text)
    coverage = gtes * grain
    count = ceil(capacity, coverage)
    gd_sectors = max(1, ceil(count * 4, SECTOR))
    gt_sectors = ceil(gtes * 4, SECTOR)
    used = sorted({number // gtes for number in grains})
    wanted = used if lazy else range(count)
    place = 1 + area

    def take(sectors):
        nonlocal place
        first = place
        place += sectors
        return first

    def take_tables():
        if redundant:
            made.rgd = take(gd_sectors)
            made.rgt = {index: take(gt_sectors) for index in wanted}
        made.gd = take(gd_sectors)
        made.gt = {index: take(gt_sectors) for index in wanted}

    def put_grain(number):
        value = grains[number]
        if value == ZERO_GRAIN:
            made.at[number] = ZERO_GRAIN
            return
        made.at[number] = take(grain)
        pieces = value if isinstance(value, list) else [(0, value)]
        for offset, data in pieces:
            assert offset + len(data) <= grain * SECTOR
            sheet.put(made.at[number] * SECTOR + offset, data)

    if tables == "front":
        take_tables()
        overhead = round_up(place, grain)
        place = overhead + shift
        for number in grains:
            put_grain(number)
    elif tables == "after":
        overhead = round_up(place, grain)
        place = overhead + shift
        for number in grains:
            put_grain(number)
        take_tables()
    else:
        # The directory somewhere in the middle, behind half of the tables.
        overhead = place
        for turn, index in enumerate(wanted):
            made.gt[index] = take(gt_sectors)
            if turn == len(wanted) // 2:
                made.gd = take(gd_sectors)
            for number in grains:
                if number // gtes == index:
                    put_grain(number)
        if made.gd is None:
            made.gd = take(gd_sectors)
        if redundant:
            made.rgd = take(gd_sectors)
            made.rgt = {index: take(gt_sectors) for index in reversed(list(wanted))}
    sheet.size = max(sheet.size, place * SECTOR, overhead * SECTOR)
    # Lasting room for the tables, also where they hold only zeros.
    for index in wanted:
        made.gde(index, made.gt[index])
        if redundant:
            made.rgde(index, made.rgt[index])
    for number, sector in list(made.at.items()) + list((extra_entries or {}).items()):
        made.gte(number, sector)
        if redundant:
            made.rgte(number, sector)
    made.set(rgd=made.rgd or 0, gd=made.gd, overhead=overhead, **(header or {}))
    return made


def guest(capacity, grains, grain=128, below=None):
    """What a guest sees of the grains given to hosted(), stream() and the like."""
    disk = Sheet(capacity * SECTOR, below)
    for number, value in grains.items():
        start = number * grain * SECTOR
        room = min(grain * SECTOR, capacity * SECTOR - start)
        if value == ZERO_GRAIN:
            if below is not None:
                disk.put(start, bytes(room))
            continue
        if isinstance(value, list):
            # The rest of the grain is zero; only wanted without a parent.
            assert below is None
            for offset, data in value:
                disk.put(start + offset, data[: max(0, room - offset)])
        else:
            disk.put(start, value.ljust(grain * SECTOR, b"\0")[:room])
    return disk


# -- Streams (compressed grains) ---------------------------------------------


def zlib_codec(level):
    return lambda data: zlib.compress(data, level)


def raw_codec(data):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def stored_codec(data):
    """zlib with stored blocks only, of uneven lengths."""
    out = bytearray(b"\x78\x01")
    place, length = 0, 1
    while True:
        piece = data[place : place + length]
        place += len(piece)
        out += struct.pack("<BHH", place >= len(data), len(piece), 0xFFFF ^ len(piece)) + piece
        if place >= len(data):
            return bytes(out) + struct.pack(">I", zlib.adler32(data))
        length = min(length * 3 + 1, 30000)


def fixed_codec(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FIXED)
    return packer.compress(data) + packer.flush()


def marker(value, size, kind):
    return struct.pack("<QII", value, size, kind).ljust(SECTOR, b"\0")


EOS, GT, GD, FOOTER, PROGRESS = 0, 1, 2, 3, 4


def stream(
    capacity,
    grains=None,
    grain=128,
    gtes=512,
    version=3,
    flags=None,
    text=b"",
    area=None,
    codec=zlib_codec(6),
    tables="end",
    redundant=False,
    true_gd=False,
    footer=True,
    eos=True,
    overhead=None,
    order=None,
    pad_last=True,
    write_empty_tables=False,
    marker_values=True,
    between=b"",
    progress=False,
    tail=b"",
    grain_tail=False,
    records=None,
    lba=None,
    header=None,
    footer_header=None,
    size_only=False,
):
    """Makes an extent of compressed grains.

    tables        "end": behind their grains with markers; "front": like a plain extent, no markers
    true_gd       the header tells where the directory is although a footer does, too
    order         grain numbers in the order of the file
    pad_last      a last grain of which only a part lies on the disk is stored whole
    between       whole sectors put behind the first grain
    records       grain number -> the bytes to store in place of its compressed data
    lba           grain number -> the address its marker tells in place of its own
    size_only     grains have only their size in front (flag bit 17 clear)
    """
    grains = grains or {}
    records = records or {}
    lba = lba or {}
    if area is None:
        area = 20 if text else 0
    assert len(text) <= area * SECTOR, "the text does not fit"
    if flags is None:
        flags = 0x10001 | (0 if size_only else 0x20000) | (2 if redundant else 0)
    made = Hosted()
    made.grain, made.gtes = grain, gtes
    made.header = default_header(capacity, grain, gtes, version, flags, text, area, 0)
    made.header["compression"] = 1
    made.lengths = {}  # grain -> bytes of its record, the marker's 12 included
    sheet = made.sheet
    if text:
        sheet.put(SECTOR, text)
    count = ceil(capacity, gtes * grain)
    gd_sectors = max(1, ceil(count * 4, SECTOR))
    gt_sectors = ceil(gtes * 4, SECTOR)
    used = sorted({number // gtes for number in grains})
    place = 1 + area

    def take(sectors):
        nonlocal place
        first = place
        place += sectors
        return first

    if tables == "front":
        if redundant:
            made.rgd = take(gd_sectors)
            made.rgt = {index: take(gt_sectors) for index in range(count)}
        made.gd = take(gd_sectors)
        made.gt = {index: take(gt_sectors) for index in range(count)}
    place = overhead = round_up(place, 128) if overhead is None else max(place, overhead)

    def put_grain(number):
        data = grains[number].ljust(grain * SECTOR, b"\0")
        rest = (capacity - number * grain) * SECTOR
        if not pad_last and rest < len(data):
            data = data[:rest]
        packed = records[number] if number in records else codec(data)
        address = lba.get(number, number * grain)
        if isinstance(packed, tuple):  # (size the marker tells, bytes)
            size, packed = packed
        else:
            size = len(packed)
        if size_only:
            record = struct.pack("<I", size) + packed
        else:
            record = struct.pack("<QI", address, size) + packed
        made.at[number] = take(ceil(len(record), SECTOR))
        made.lengths[number] = len(record)
        sheet.put(made.at[number] * SECTOR, record)
        sheet.size = max(sheet.size, place * SECTOR)

    def put_sectors(data):
        sheet.put(take(len(data) // SECTOR) * SECTOR, data)

    numbers = list(grains) if order is None else list(order)
    first = True
    done = set()
    for turn, number in enumerate(numbers):
        put_grain(number)
        if first and between:
            put_sectors(between)
        first = False
        if progress:
            mark = struct.pack("<QIIQ", 0, 0, PROGRESS, number * grain).ljust(SECTOR, b"\0")
            put_sectors(mark * 4)
        index = number // gtes
        more = any(other // gtes == index for other in numbers[turn + 1 :])
        if tables == "end" and not more and index not in done:
            done.add(index)
            put_sectors(marker(gt_sectors if marker_values else 0, 0, GT))
            made.gt[index] = take(gt_sectors)
    if tables == "end":
        if write_empty_tables:
            for index in range(count):
                if index not in made.gt:
                    put_sectors(marker(gt_sectors if marker_values else 0, 0, GT))
                    made.gt[index] = take(gt_sectors)
        put_sectors(marker(gd_sectors if marker_values else 0, 0, GD))
        made.gd = take(gd_sectors)
    sheet.size = max(sheet.size, place * SECTOR)
    for index in made.gt:
        if tables == "front" or index in used or write_empty_tables:
            made.gde(index, made.gt[index])
            if made.rgd:
                made.rgde(index, made.rgt[index])
    for number, sector in made.at.items():
        made.gte(number, sector)
        if made.rgd:
            made.rgte(number, sector)
    at_end = tables == "end" and not true_gd
    made.set(
        gd=AT_END if at_end else made.gd,
        rgd=made.rgd or 0,
        overhead=overhead,
        **(header or {}),
    )
    if footer:
        put_sectors(marker(1 if marker_values else 0, 0, FOOTER))
        made.footer = take(1)
        made.set_footer(**(footer_header or {}))
    if eos:
        put_sectors(marker(0, 0, EOS))
    if grain_tail and numbers:  # as qemu leaves it: a whole grain from the start of the last one
        place = max(place, made.at[numbers[-1]] + grain)
    sheet.size = max(sheet.size, place * SECTOR)
    if tail:
        sheet.put(sheet.size, tail)
    return made


# -- ESX server sparse extents ("COWD") --------------------------------------


class Cowd:
    def __init__(self):
        self.sheet = Sheet()
        self.gt = {}
        self.at = {}

    def gde(self, index, value):
        self.sheet.u32(self.gd * SECTOR + 4 * index, value)
        return self

    def gte(self, grain, value):
        self.sheet.u32(self.gt[grain // 4096] * SECTOR + 4 * (grain % 4096), value)
        return self


COWD_FIELDS = {"version": 4, "flags": 8, "capacity": 12, "grain": 16, "gd": 20, "gdes": 24, "free": 28}


def cowd(capacity, grains=None, grain=1, child=False, all_tables=False, gd=4, unclean=0, **fields):
    """Makes a COWD extent; fields are header fields to write in place of the right ones."""
    grains = grains or {}
    made = Cowd()
    made.gd = gd
    sheet = made.sheet
    count = ceil(capacity, 4096 * grain)
    place = gd + max(1, ceil(count * 4, SECTOR))
    for number, value in grains.items():
        if value == ZERO_GRAIN:
            continue
        index = number // 4096
        if index not in made.gt:
            made.gt[index] = place
            place += 32
        made.at[number] = place
        place += grain
        sheet.put(made.at[number] * SECTOR, value)
    if all_tables:
        for index in range(count):
            if index not in made.gt:
                made.gt[index] = place
                place += 32
    for index, sector in made.gt.items():
        made.gde(index, sector)
    for number, sector in made.at.items():
        made.gte(number, sector)
    for number, value in grains.items():
        if value == ZERO_GRAIN:
            made.gte(number, 1)
    header = bytearray(2048)
    header[0:4] = b"COWD"
    values = {
        "version": 1,
        "flags": 3,
        "capacity": capacity,
        "grain": grain,
        "gd": gd,
        "gdes": count,
        "free": place,
    }
    values.update(fields)
    for name, offset in COWD_FIELDS.items():
        struct.pack_into("<I", header, offset, values[name] & 0xFFFFFFFF)
    if child:
        name = b"base.vmdk"
        header[32 : 32 + len(name)] = name
        struct.pack_into("<II", header, 1056, 7, 8)  # generations
    else:
        struct.pack_into("<III", header, 32, 1, 255, 63)
    header[1064:1068] = b"disk"
    struct.pack_into("<I", header, 1648, unclean)
    sheet.put(0, header)
    sheet.size = max(sheet.size, place * SECTOR)
    return made


# -- seSparse ----------------------------------------------------------------

SE_GRAIN = 8
SE_FIELDS = (
    "magic version capacity grain table flags reserved1 reserved2 reserved3 reserved4 "
    "volatile volatile_size journal_header journal_header_size journal journal_size "
    "gd gd_size gt gt_size bitmap bitmap_size backmap backmap_size grains grains_size"
).split()


def se_entry(index):
    """The rotated entry of an allocated grain."""
    return 0x3 << 60 | (index & 0xFFF) << 48 | index >> 12


class Se:
    def __init__(self):
        self.sheet = Sheet()
        self.tables = {}  # directory index -> table index
        self.index = {}  # grain -> index of its place

    def gde(self, at, value):
        self.sheet.u64(self.gd * SECTOR + 8 * at, value)
        return self

    def gte(self, grain, value):
        table = self.gt + 64 * self.tables[grain // 4096]
        self.sheet.u64(table * SECTOR + 8 * (grain % 4096), value)
        return self

    def set(self, **values):
        self.header.update(values)
        for number, name in enumerate(SE_FIELDS):
            self.sheet.u64(8 * number, self.header[name])
        return self


def sesparse(capacity, grains=None, places=None, entries=None, volatile=None, **fields):
    """Makes a seSparse extent.

    grains    grain number -> 4096 bytes
    places    grain number -> index of its place, where it is not the next one
    entries   grain number -> a whole entry to write (no data)
    volatile  fields of the volatile header to change: magic, free, sequence, replay
    fields    fields of the constant header to change
    """
    grains, places, entries = grains or {}, places or {}, entries or {}
    made = Se()
    sheet = made.sheet
    numbers = sorted(set(grains) | set(entries))
    for number in numbers:
        made.tables.setdefault(number // 4096, len(made.tables))
    made.gd = 4096
    gd_size = max(2048, round_up(ceil(ceil(capacity, 32768) * 8, SECTOR), 2048))
    made.gt = made.gd + gd_size
    gt_size = max(2048, round_up(64 * len(made.tables), 2048))
    bitmap = made.gt + gt_size
    backmap = bitmap + 2048
    made.grains = backmap + 2048
    made.header = dict.fromkeys(SE_FIELDS, 0)
    made.header.update(
        magic=0x00000000CAFEBABE,
        version=0x0000000200000001,
        capacity=capacity,
        grain=SE_GRAIN,
        table=64,
        volatile=1,
        volatile_size=1,
        journal_header=2,
        journal_header_size=2,
        journal=2048,
        journal_size=2048,
        gd=made.gd,
        gd_size=gd_size,
        gt=made.gt,
        gt_size=gt_size,
        bitmap=bitmap,
        bitmap_size=2048,
        backmap=backmap,
        backmap_size=2048,
        grains=made.grains,
        grains_size=round_up(capacity, 2048),
    )
    end = made.grains
    following = 0
    for number in numbers:
        if number in entries:
            continue
        index = places.get(number, following)
        following = max(following, index + 1)
        made.index[number] = index
        sector = made.grains + SE_GRAIN * index
        sheet.put(sector * SECTOR, grains[number].ljust(4096, b"\0"))
        end = max(end, sector + SE_GRAIN)
    for at, table in made.tables.items():
        made.gde(at, 0x1000000000000000 | table)
    for number, index in made.index.items():
        made.gte(number, se_entry(index))
    for number, entry in entries.items():
        made.gte(number, entry)
    values = {"magic": 0x00000000CAFECAFE, "free": len(made.tables), "sequence": 1, "replay": 0}
    values.update(volatile or {})
    for number, name in enumerate(("magic", "free", "sequence", "replay")):
        sheet.u64(SECTOR + 8 * number, values[name])
    made.header["grains_size"] = max(made.header["grains_size"], round_up(end - made.grains, 2048))
    made.set(**fields)
    sheet.size = max(sheet.size, end * SECTOR)
    return made


# -- Tar ---------------------------------------------------------------------


def tar_number(value, width, base256=False):
    if base256 or value >= 8 ** (width - 1):
        return bytes([0x80]) + value.to_bytes(width - 1, "big")
    return ("%0*o" % (width - 1, value)).encode("ascii") + b"\0"


def tar_header(name, size, kind=b"0", base256=False, magic=b"ustar\x0000", prefix=b"", size_field=None):
    out = bytearray(SECTOR)
    out[0 : min(100, len(name))] = name[:100]
    out[100:108] = b"0000644\0"
    out[108:116] = out[116:124] = b"0000000\0"
    out[124:136] = tar_number(size, 12, base256) if size_field is None else size_field
    out[136:148] = b"00000000000\0"
    out[148:156] = b" " * 8
    out[156:157] = kind
    out[257:265] = magic
    out[345 : 345 + len(prefix)] = prefix
    out[148:156] = b"%06o\0 " % sum(out)
    return bytes(out)


def pax_record(key, value):
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


class Tar:
    def __init__(self):
        self.sheet = Sheet()
        self.place = 0
        self.data = {}  # name -> offset of its bytes

    def raw(self, data):
        self.sheet.put(self.place, data)
        self.place += len(data)
        return self

    def member(self, name, data, **how):
        """Adds a file; data is bytes or a Sheet."""
        size = data.size if isinstance(data, Sheet) else len(data)
        self.raw(tar_header(name, how.pop("told", size), **how))
        return self.body(name, data, size)

    def body(self, name, data, size):
        self.data[name] = self.place
        pieces = data.pieces if isinstance(data, Sheet) else [(0, data)]
        for offset, piece in pieces:
            self.sheet.put(self.place + offset, piece)
        self.place = round_up(self.place + size, SECTOR)
        self.sheet.size = max(self.sheet.size, self.place)
        return self

    def end(self, zeros=1024):
        self.sheet.size = self.place + zeros
        return self.sheet
