# SPDX-License-Identifier: MIT
"""Flat extents of every keyword, ZERO and NOACCESS, raw device mappings."""

from images import CORRUPT, DENIED, LIMIT, NOT_FOUND, NOT_VMDK, OK, UNSUPPORTED, add, flat, marks
from vmdkwriter import Sheet, cowd, descriptor, hosted, stamp

# -- Good: every createType of flat extents ----------------------------------

add("good-flat-monolithic", flat(), "monolithicFlat.", info="type=2,grain=0,header=0,flags=0/0xff,extents=1,kind=0,data=32768")
add("good-flat-monolithic-odd-case", flat(kind="MONOLITHICflat"), "createType in odd case.", info="type=2")
add("good-flat-f001-name", flat(parts=((64, "disk-f001.vmdk", 0),)), "monolithicFlat with a file called -f001.", info="type=2")
add("good-flat-split", flat(parts=((64, "disk-f001.vmdk", 0), (32, "disk-f002.vmdk", 0), (1, "disk-f003.vmdk", 0)), kind="twoGbMaxExtentFlat"),
    "twoGbMaxExtentFlat of three files.", info="type=4,extents=3")
add("good-flat-split-2gb", flat(parts=((64, "disk-f001.vmdk", 0), (32, "disk-f002.vmdk", 0)), kind="2GbMaxExtentFlat"), "2GbMaxExtentFlat.", info="type=4")
add("good-flat-split-odd-case", flat(parts=((9, "disk-f001.vmdk", 0),), kind="TwoGBMaxExtentFlat"), "twoGbMaxExtentFlat in odd case.", info="type=4")
for kind, number in (
    ("vmfs", 6), ("VMFS", 6), ("vmfsThin", 9), ("vmfsthin", 9), ("vmfsPreallocated", 10), ("vmfsThick", 10),
    ("vmfsEagerZeroedThick", 11), ("VmfsEagerzeroedthick", 11),
):
    add("good-flat-type-" + kind + ("-odd" if kind in ("vmfsthin", "VMFS", "VmfsEagerzeroedthick") else ""),
        flat(kind=kind, keyword="VMFS", offsets=False), "createType %s." % kind, info="type=%d,kind=0" % number)
add("good-flat-vmfs-offset", flat(kind="vmfs", keyword="VMFS"), "A VMFS line with an offset of 0.")
add("good-flat-vmfs-offset-16", flat(parts=((48, "disk-flat.vmdk", 16),), kind="vmfs", keyword="VMFS"), "A VMFS line with an offset of 16.")
add("good-flat-no-offset", flat(offsets=False), "A FLAT line without an offset.")
add("good-flat-offset-63", flat(parts=((100, "disk-flat.vmdk", 63),)), "A FLAT line that begins at sector 63 of its file.")
add("good-flat-one-file-many-offsets", flat(parts=((63, "disk-pt.vmdk", 0), (20, "disk-pt.vmdk", 126), (63, "disk-pt.vmdk", 63), (1, "disk-pt.vmdk", 7)), kind="custom"),
    "One file at several offsets.", info="type=17,extents=4")
add("good-flat-zero-sized-lines", flat(parts=((0, "disk-a.vmdk", 0), (8, "disk-b.vmdk", 0), (0, "disk-b.vmdk", 8), (8, "disk-c.vmdk", 0), (0, "disk-c.vmdk", 0))),
    "Lines of 0 sectors at start, middle and end.")
add("good-flat-one-sector", flat(parts=((1, "disk-flat.vmdk", 0),)), "A disk of one sector.")
add("good-flat-full-device", flat(parts=((77, "disk.bin", 0),), kind="fullDevice"), "fullDevice whose device is a regular file.", info="type=15")
add("good-flat-partitioned-device", flat(parts=((63, "disk-pt.vmdk", 0), (10, "part.bin", 5)), kind="partitionedDevice"), "partitionedDevice of regular files.", info="type=16")
add("good-flat-rdm", flat(parts=((64, "disk-rdm.vmdk", 0),), kind="vmfsRDM", keyword="VMFSRDM", offsets=False), "A mapping file that is a full dump.", info="type=13")
add("good-flat-rdm-long-name", flat(parts=((64, "disk-rdm.vmdk", 0),), kind="vmfsRawDeviceMap", keyword="VMFSRDM", offsets=False), "vmfsRawDeviceMap with a full dump.", info="type=13")
add("good-flat-rdmp", flat(parts=((64, "disk-rdmp.vmdk", 0),), kind="vmfsRDMP", keyword="VMFSRDM", offsets=False), "vmfsRDMP with a full dump.", info="type=14")
add("good-flat-rdmp-long-name", flat(parts=((64, "disk-rdmp.vmdk", 0),), kind="vmfsPassthroughRawDeviceMap", keyword="VMFSRDM", offsets=False), "vmfsPassthroughRawDeviceMap with a full dump.", info="type=14")
add("good-flat-raw", flat(parts=((64, "disk-raw.bin", 0),), kind="vmfsRaw", keyword="VMFSRAW", offsets=False), "vmfsRaw whose device is a regular file.", info="type=12")


def longer(folder):
    disk = flat()(folder)
    folder.put("disk-flat.vmdk", disk.read(0, disk.size) + b"beyond" * 1000)
    return disk


add("good-flat-longer-file", longer, "The file is longer than its line says; the rest is ignored.")


def looks_like(content):
    def make(folder):
        data = content.ljust(64 * 512, b"\0")
        folder.put("disk-flat.vmdk", data)
        folder.put("disk.vmdk", descriptor(['RW 64 FLAT "disk-flat.vmdk" 0'], kind="monolithicFlat"))
        return Sheet().put(0, data)
    return make


add("good-flat-holds-descriptor", looks_like(descriptor(['RW 64 FLAT "/etc/passwd" 0'])), "The guest wrote a descriptor into its flat disk: it is data (A2, A3).")
add("good-flat-holds-sparse", looks_like(hosted(128, marks("x", [0]), text=descriptor(['RW 128 SPARSE "x"'])).sheet.read(0, 30000)), "The guest wrote a sparse header into its flat disk: it is data (A3).")
add("good-flat-holds-cowd", looks_like(b"COWD" + bytes(100)), "The guest wrote a COWD magic into its flat disk: it is data (A3).")
add("good-flat-bare", flat(), "The flat file is given; the descriptor beside it is opened.", entry="disk-flat.vmdk", info="type=2,extents=1")
add("good-flat-bare-f001", flat(parts=((64, "disk-f001.vmdk", 0), (9, "disk-f002.vmdk", 0)), kind="twoGbMaxExtentFlat"), "A split flat file is given.", entry="disk-f001.vmdk", info="extents=2")
add("good-flat-bare-f002", flat(parts=((64, "disk-f001.vmdk", 0), (9, "disk-f002.vmdk", 0)), kind="twoGbMaxExtentFlat"), "The second split flat file is given.", entry="disk-f002.vmdk", info="extents=2")


def big_flat(folder):
    size = 3 << 40
    sheet = Sheet(size)
    for offset in (0, 1 << 31, 1 << 32, (1 << 41) - 512, size - 4096):
        sheet.put(offset, stamp("big", offset // 512, 8))
    folder.put("disk-flat.vmdk", sheet)
    folder.put("disk.vmdk", descriptor(['RW %d VMFS "disk-flat.vmdk"' % (size // 512)], kind="vmfs"))
    return sheet


add("good-flat-3tib", big_flat, "A thin flat file of 3 TiB.")

# -- Good: ZERO, NOACCESS, RDONLY --------------------------------------------


def mixed(lines, kind="custom"):
    """A disk of the given lines: (text, sectors, its file or None)."""

    def make(folder):
        disk, texts = Sheet(), []
        for text, sectors, file in lines:
            texts.append(text)
            content = stamp("mix" + (file or ""), 0, sectors) if file else bytes(sectors * 512)
            if file:
                folder.put(file, content)
            shown = bytes(sectors * 512) if "NOACCESS" in text.upper() else content
            disk.put(disk.size, shown)
        folder.put("disk.vmdk", descriptor(texts, kind=kind))
        return disk

    return make


A = ('RW 40 FLAT "a.bin" 0', 40, "a.bin")
B = ('RW 24 FLAT "b.bin" 0', 24, "b.bin")
Z = ("RW 16 ZERO", 16, None)
add("good-zero-start", mixed([Z, A]), "ZERO at the start.", info="zero=8192,data=20480,absent=0")
add("good-zero-middle", mixed([A, Z, B]), "ZERO in the middle: later extents keep their place (A54).", info="zero=8192,data=32768,absent=0,extents=3")
add("good-zero-end", mixed([A, Z]), "ZERO at the end.", info="zero=8192,data=20480")
add("good-zero-only", mixed([Z]), "Nothing but ZERO.", info="zero=8192,data=0")
add("good-zero-many", mixed([Z, A, Z, Z, B, Z]), "ZERO in several places.", info="extents=6")
add("good-zero-named", mixed([A, ('RW 16 ZERO "/dev/sdc2" 0', 16, None), B]), "ZERO with the name of a device, which is ignored.")
add("good-zero-rdonly", mixed([A, ("RDONLY 16 ZERO", 16, None), B]), "A ZERO line that may only be read.")
add("good-zero-noaccess", mixed([A, ("NOACCESS 16 ZERO", 16, None), B]), "NOACCESS ZERO reads as zeros.")
add("good-zero-dummy", mixed([A, ("NOACCESS 0 ZERO ", 0, None)]), "The empty line that VirtualBox writes.")
add("good-noaccess-flat-middle", mixed([A, ('NOACCESS 24 FLAT "c.bin" 0', 24, "c.bin"), B]), "NOACCESS over a file reads as zeros.")
add("good-noaccess-flat-start", mixed([('NOACCESS 24 FLAT "b.bin" 0', 24, "b.bin"), A]), "NOACCESS at the start.")
add("good-noaccess-flat-end", mixed([A, ('NOACCESS 24 FLAT "b.bin" 0', 24, "b.bin")]), "NOACCESS at the end.")
for word in ("RDONLY", "RONLY", "rdonly", "rw", "Rw"):
    for where, lines in (("start", 0), ("middle", 1), ("end", 2)):
        row = [A, Z, B]
        row.insert(lines if lines < 2 else 3, ('%s 8 FLAT "c.bin" 0' % word, 8, "c.bin"))
        name = {"rdonly": "lower-rdonly", "rw": "lower-rw", "Rw": "mixed-rw"}.get(word, word.lower())
        if where == "middle" or word in ("RDONLY", "RONLY"):
            add("good-access-%s-%s" % (name, where), mixed(row), "Access %s, %s of the disk (A54)." % (word, where))


def most_zeros(folder):
    sectors = (1 << 54) - 1
    data = stamp("tail", 0, 1)
    folder.put("t.bin", data)
    folder.put("disk.vmdk", descriptor(["RW %d ZERO" % (sectors - 1), 'RW 1 FLAT "t.bin" 0'], kind="custom"))
    return Sheet().put((sectors - 1) * 512, data)


add("good-zero-8eib", most_zeros, "The largest capacity, a sector short of 2^63 bytes.")

# -- Bad ---------------------------------------------------------------------


def short(missing, offset=0):
    def make(folder):
        folder.put("disk-flat.vmdk", stamp("flat", 0, 64 + offset)[: (64 + offset) * 512 - missing])
        folder.put("disk.vmdk", descriptor(['RW 64 FLAT "disk-flat.vmdk" %d' % offset], kind="monolithicFlat"))
    return make


for missing in (1, 511, 512, 16384, 32768):
    add("bad-flat-short-by-%d" % missing, short(missing), "The flat file lacks %d bytes (A53)." % missing, open=CORRUPT,
        message="disk-flat.vmdk;32768|64;%d|%d" % (32768 - missing, (32768 - missing) // 512) if missing < 32768 else "disk-flat.vmdk;32768|64")
add("bad-flat-short-behind-offset", short(512, 10), "The flat file is long enough only without the offset.", open=CORRUPT, message="disk-flat.vmdk")


def raw_lines(lines, files=(), kind="custom"):
    def make(folder):
        for file in files:
            folder.put(file, stamp("raw", 0, 64))
        folder.put("disk.vmdk", descriptor(lines, kind=kind))
    return make


def bad_line(name, line, why, status=CORRUPT, message="disk.vmdk", files=("x.bin",), kind="custom", prefix="bad-line-"):
    lines = line if isinstance(line, list) else [line]
    add(prefix + name, raw_lines(lines, files, kind), why, open=status, message=message)


bad_line("offset-outside", 'RW 64 FLAT "x.bin" 1', "The offset pushes the extent over the end of its file.", message="x.bin")
bad_line("offset-wraps", 'RW 64 FLAT "x.bin" 18446744073709551615', "An offset of 2^64-1 (A36).", "|".join((CORRUPT, LIMIT)), message="-")
bad_line("offset-2e55", 'RW 64 FLAT "x.bin" 36028797018963968', "An offset that wraps when it becomes bytes.", "|".join((CORRUPT, LIMIT)), message="-")
bad_line("offset-negative", 'RW 64 FLAT "x.bin" -1', "A negative offset.")
bad_line("size-negative", 'RW -64 FLAT "x.bin" 0', "A negative size.")
bad_line("size-plus", 'RW +64 FLAT "x.bin" 0', "A size with a plus sign.")
bad_line("size-20-digits", 'RW 18446744073709551680 FLAT "x.bin" 0', "A size of 20 digits that wraps to 64.", "|".join((CORRUPT, LIMIT)))
bad_line("size-30-digits", 'RW 000000000000000000000000000064 FLAT "x.bin" 0', "A size of 30 digits.", "|".join((CORRUPT, LIMIT)))
bad_line("size-hex", 'RW 0x40 FLAT "x.bin" 0', "A size in hexadecimal digits.")
bad_line("size-fraction", 'RW 64.0 FLAT "x.bin" 0', "A size with a fraction.")
bad_line("size-word", 'RW many FLAT "x.bin" 0', "A size that is a word.")
bad_line("size-missing", 'RW FLAT "x.bin" 0', "No size.")
bad_line("size-huge", ["RW 9223372036854775807 ZERO"], "A size that wraps when it becomes bytes.", "|".join((CORRUPT, LIMIT)))
bad_line("sum-overflows", ["RW 9007199254740992 ZERO"] * 3, "The sum of the sizes is above 2^63 bytes.", "|".join((CORRUPT, LIMIT)))
bad_line("sum-wraps", ["RW 18014398509481984 ZERO", "RW 18014398509481984 ZERO", 'RW 64 FLAT "x.bin" 0'], "The sum of the sizes wraps to 64 sectors.", "|".join((CORRUPT, LIMIT)))
bad_line("type-missing", 'RW 64 "x.bin" 0', "No type.", "|".join((CORRUPT, UNSUPPORTED)))
bad_line("type-unknown", 'RW 64 FLUT "x.bin" 0', "An unknown type (A54).", "|".join((UNSUPPORTED, CORRUPT)))
bad_line("type-unknown-last", ['RW 64 FLAT "x.bin" 0', 'RW 64 SOMETHING "x.bin" 0'], "An unknown type in the last line is not skipped (A28, A54).", "|".join((UNSUPPORTED, CORRUPT)))
bad_line("access-unknown", 'WO 64 FLAT "x.bin" 0', "An unknown access word (A54).", "|".join((CORRUPT, UNSUPPORTED)))
bad_line("access-unknown-last", ['RW 64 FLAT "x.bin" 0', 'XX 64 FLAT "x.bin" 0'], "An unknown access word in the last line is not skipped (A28).", "|".join((CORRUPT, UNSUPPORTED)))
bad_line("access-only", "RW", "A line that ends after the access.")
bad_line("access-size-only", "RW 64", "A line that ends after the size.", "|".join((CORRUPT, UNSUPPORTED)))
bad_line("name-missing", "RW 64 FLAT", "FLAT without a name.")
bad_line("name-missing-sparse", "RW 64 SPARSE", "SPARSE without a name.")
bad_line("name-unquoted", "RW 64 FLAT x.bin 0", "A name without quotes.")
bad_line("name-unclosed", 'RW 64 FLAT "x.bin 0', "A quote that is not closed.")
bad_line("name-empty", 'RW 64 FLAT "" 0', "An empty name.", "|".join((CORRUPT, DENIED, NOT_FOUND)))
bad_line("name-too-long", 'RW 64 FLAT "%s" 0' % ("x" * 5000), "A name of 5,000 bytes.", "|".join((CORRUPT, DENIED, NOT_FOUND, LIMIT)))
bad_line("name-component-too-long", 'RW 64 FLAT "%s.bin" 0' % ("x" * 300), "A name of 304 bytes, more than a file system takes.", "|".join((CORRUPT, DENIED, NOT_FOUND, "8")))
bad_line("name-control-character", 'RW 64 FLAT "x\x07\x1b[31m.bin" 0', "A name with control characters, which must not reach a terminal.", "|".join((CORRUPT, DENIED, NOT_FOUND)), message="-")
bad_line("name-missing-file", 'RW 64 FLAT "gone.bin" 0', "The extent is not there.", NOT_FOUND, message="gone.bin")
bad_line("junk-after-offset", 'RW 64 FLAT "x.bin" 0 junk', "Words that nobody knows behind the offset.")
bad_line("none", [], "No extent line (A28).")
bad_line("only-comments", ['#RW 64 FLAT "x.bin" 0'], "All extent lines are comments.")
add("bad-line-only-empty", lambda f: (raw_lines(['RW 0 FLAT "x.bin" 0', "NOACCESS 0 ZERO "], ("x.bin",))(f), Sheet())[1],
    "All extent lines have 0 sectors: a disk of nothing, or none.", open=OK + "|" + CORRUPT, read=OK)
bad_line("names-descriptor", 'RW 1 FLAT "disk.vmdk" 0', "An extent that is the descriptor itself.")


def descriptor_link(folder):
    folder.put("disk.vmdk", descriptor(['RW 1 FLAT "other.vmdk" 0'], kind="custom"))
    folder.hardlink("disk.vmdk", "other.vmdk")


add("bad-line-names-descriptor-hard-link", descriptor_link, "An extent that is a hard link of its descriptor.", open=CORRUPT, message="other.vmdk")

add("unsupported-flat-rdm-empty", lambda f: (f.put("disk-rdm.vmdk", b""), f.put("disk.vmdk", descriptor(['RW 64 VMFSRDM "disk-rdm.vmdk"'], kind="vmfsRDM")))[0],
    "A mapping file without data: the disk is on a LUN.", open="|".join((UNSUPPORTED, CORRUPT)), message="disk-rdm.vmdk")
add("unsupported-flat-rdmp-short", lambda f: (f.put("disk-rdmp.vmdk", bytes(512)), f.put("disk.vmdk", descriptor(['RW 64 VMFSRDM "disk-rdmp.vmdk"'], kind="vmfsRDMP")))[0],
    "A mapping file that is too short to hold the disk.", open="|".join((UNSUPPORTED, CORRUPT)), message="disk-rdmp.vmdk")
add("unsupported-flat-raw-device", raw_lines(['RW 64 VMFSRAW "/vmfs/devices/disks/naa.600"'], kind="vmfsRaw"),
    "A device of an ESX host.", open="|".join((UNSUPPORTED, DENIED, NOT_FOUND)), message="/vmfs/devices/disks/naa.600")
for name, file in (("vsan", "vsan://0fd1f452-1c2a-7d3b"), ("vvol", "vvol://0fd1f452/1c2a"), ("vsan-upper", "VSAN://0fd1f452")):
    bad_line("object-" + name, 'RW 64 VMFS "%s"' % file, "The extent is an object and no file.", "|".join((UNSUPPORTED, DENIED)), message=file, kind="vmfs", prefix="unsupported-line-")
bad_line("vsansparse", 'RW 64 VSANSPARSE "vsan://0fd1f452-1c2a"', "vsanSparse.", UNSUPPORTED, kind="vsanSparse", message="vsan", prefix="unsupported-line-")
bad_line("vsansparse-keyword", 'RW 64 VSANSPARSE "x.bin"', "The extent type VSANSPARSE.", UNSUPPORTED, kind="custom", message="VSANSPARSE", prefix="unsupported-line-")
bad_line("createtype-unknown", 'RW 64 FLAT "x.bin" 0', "An unknown createType.", UNSUPPORTED, kind="quantumFlat", message="quantumFlat", prefix="unsupported-line-")
bad_line("createtype-vsan", 'RW 64 FLAT "x.bin" 0', "createType vsanSparse.", UNSUPPORTED, kind="vsanSparse", message="vsanSparse", prefix="unsupported-line-")


def alone(name, data, why, status, message=None, prefix="bad-file-", entry=None):
    file = entry or "disk.vmdk"
    add(prefix + name, lambda f: f.put(file, data), why, open=status, message=file if message is None else message, entry=file)


alone("empty", b"", "An empty file.", NOT_VMDK)
alone("raw", stamp("raw", 0, 64), "Raw data is never taken for a disk (A3).", NOT_VMDK)
alone("zeros", bytes(32768), "A file of zeros.", NOT_VMDK)
alone("raw-flat", stamp("raw", 0, 64), "A flat file whose descriptor is gone.", "|".join((NOT_FOUND, NOT_VMDK)), entry="disk-flat.vmdk")
alone("text", b"Dear reader,\nthis is no disk.\n", "A text that is no descriptor.", NOT_VMDK)
alone("java-class", b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(600), "A Java class: the magic of seSparse in the other byte order.", NOT_VMDK)
alone("qcow2", b"QFI\xfb\0\0\0\3" + bytes(600), "A disk of another kind.", NOT_VMDK)
alone("vhdx", b"vhdxfile" + bytes(600), "A disk of another kind.", NOT_VMDK)
alone("gzip", b"\x1f\x8b\x08\0" + bytes(600), "A compressed file.", NOT_VMDK)
alone("tracking", b"\xa2\x72\x19\xf6\1\0\0\0\0\0\0\0\0\2\0\0" + bytes(1000), "A change-tracking file.", "|".join((NOT_VMDK, UNSUPPORTED)), entry="disk-ctk.vmdk", message="disk-ctk.vmdk;track", prefix="unsupported-file-")
alone("unfinished", b"kdmv" + hosted(128, marks("u", [0]), text=descriptor(['RW 128 SPARSE "disk.vmdk"'])).sheet.read(4, 99 * 512), "A file of open-vmdk that was never finished.", "|".join((CORRUPT, NOT_VMDK, UNSUPPORTED)), message="disk.vmdk;finish|incomplete|complete")
alone("utf16", b"\xff\xfe" + descriptor(['RW 64 FLAT "x.bin" 0']).decode().encode("utf-16-le"), "A descriptor in UTF-16.", "|".join((NOT_VMDK, UNSUPPORTED, CORRUPT)))
add("bad-file-missing", lambda f: None, "The file to open is not there.", open=NOT_FOUND, message="nothing.vmdk", entry="nothing.vmdk")
alone("cowd-alone", cowd(64, {0: stamp("c", 0, 1)}).sheet.read(0, 5120), "A COWD extent without its descriptor.", "|".join((NOT_FOUND, NOT_VMDK)), entry="disk-delta.vmdk")
