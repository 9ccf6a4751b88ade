# SPDX-License-Identifier: MIT
"""Disks inside OVA and tar files."""

from images import CORRUPT, DENIED, INVALID, MEMBER, NOT_FOUND, NOT_VMDK, OK, UNSUPPORTED, add, marks
from vmdkwriter import SECTOR, Sheet, Tar, descriptor, guest, hosted, pax_record, stamp, stream, tar_header

OVF = b"<?xml version=\"1.0\"?><Envelope/>\n"


def flow(name="disk1.vmdk", capacity=2048, tag="ova", **how):
    grains = marks(tag, [0, 1, 9, 15])
    made = stream(capacity, grains, text=descriptor(['RW %d SPARSE "%s"' % (capacity, name)], kind="streamOptimized"), **how)
    return made.sheet, guest(capacity, grains)


def good(name, build, why, **expect):
    """build(tar) fills a tar and returns the guest's view."""

    def make(folder):
        tar = Tar()
        disk = build(tar)
        folder.put("box.ova", tar.end())
        return disk

    expect.setdefault("entry", "box.ova")
    expect.setdefault("threads", "1,4")
    expect.setdefault("info", "flags=0x%x/0x%x" % (MEMBER, MEMBER))
    add("good-ova-" + name, make, why, **expect)


def _one(tar, name=b"disk1.vmdk", before=True, **how):
    if before:
        tar.member(b"box.ovf", OVF).member(b"box.mf", b"SHA1(box.ovf)= 00\n")
    sheet, disk = flow()
    tar.member(name, sheet, **how)
    return disk


def _two(tar):
    tar.member(b"box.ovf", OVF)
    first, disk = flow()
    second, other = flow("disk2.vmdk", tag="other")
    tar.member(b"disk1.vmdk", first).member(b"disk2.vmdk", second)
    return disk, other


good("plain", _one, "An OVA with one streamOptimized disk.", info="type=5,flags=0x8c/0x8c")
good("disk-first", lambda t: _one(t, before=False), "The disk is the first member.")
good("after-it-more", lambda t: (_one(t), t.member(b"box.cert", b"x" * 600))[0], "More files behind the disk.")
good("gnu-magic", lambda t: _one(t, magic=b"ustar  \0"), "Headers with GNU's magic.")
good("old-tar", lambda t: _one(t, magic=bytes(8)), "Headers without a magic, as in the seventies.", open="|".join((OK, NOT_VMDK, UNSUPPORTED)))
good("base256-size", lambda t: _one(t, base256=True), "The size in base 256.")
good("kind-nul", lambda t: _one(t, kind=b"\0"), "Files of type NUL.")
good("ustar-prefix", lambda t: _one(t, prefix=b"a/long/way/down"), "A name in two parts.")
good("dot-slash", lambda t: _one(t, name=b"./disk1.vmdk"), "A name that begins with './'.")
good("upper-suffix", lambda t: _one(t, name=b"DISK1.VMDK"), "A suffix in upper case.")
good("directory-member", lambda t: (t.member(b"folder/", b"", kind=b"5"), _one(t, name=b"folder/disk1.vmdk"))[1], "A folder among the members.")
good("symlink-member", lambda t: (t.member(b"link.vmdk", b"", kind=b"2"), _one(t))[1], "A link among the members is no disk.")


def _long_name(tar):
    name = b"a-very-long-name-" * 9 + b".vmdk"
    tar.member(b"box.ovf", OVF)
    tar.member(b"././@LongLink", name + b"\0", kind=b"L", magic=b"ustar  \0")
    sheet, disk = flow()
    tar.member(name[:100], sheet, magic=b"ustar  \0")
    return disk


good("gnu-long-name", _long_name, "GNU's way to store a name of 158 bytes.")


def _pax(tar, with_size=False, extra=()):
    sheet, disk = flow()
    path = b"folder/" + b"long-name-" * 14 + b"disk1.vmdk"
    records = pax_record(b"mtime", b"1700000000.5") + pax_record(b"path", path)
    if with_size:
        records += pax_record(b"size", b"%d" % sheet.size)
    tar.member(b"box.ovf", OVF)
    tar.member(b"PaxHeaders/disk1.vmdk", records, kind=b"x")
    tar.member(b"folder/short", sheet, **({"told": 0} if with_size else {}))
    return disk


good("pax-path", _pax, "A path in a pax header.")
good("pax-size", lambda t: _pax(t, True), "Path and size in a pax header; the plain size is 0.")
good("pax-global", lambda t: (t.member(b"pax_global_header", pax_record(b"comment", b"hello"), kind=b"g"), _one(t))[1], "A global pax header.")
good("sparse-disk", lambda t: _mono_member(t), "A monolithicSparse disk inside a tar.", info="type=1,flags=0x88/0x88")


def _mono_member(tar):
    grains = marks("om", [0, 5, 15])
    tar.member(b"notes.txt", b"hello")
    tar.member(b"disk.vmdk", hosted(2048, grains, text=descriptor(['RW 2048 SPARSE "disk.vmdk"'])).sheet)
    return guest(2048, grains)


good("qemu-shape", lambda t: _shape(t, tables="front", redundant=True, footer=False, eos=False, grain_tail=True), "A stream of qemu's shape inside an OVA.")
good("renamed-inside", lambda t: _shape(t, name="other.vmdk"), "The embedded descriptor names another file.")


def _shape(tar, name="disk1.vmdk", **how):
    sheet, disk = flow(name, **how)
    tar.member(b"box.ovf", OVF).member(b"disk1.vmdk", sheet)
    return disk


good("far-away", lambda t: (t.member(b"big.iso", Sheet(9 << 30).put(0, b"CD001")), _one(t))[1], "The disk lies behind a member of 9 GiB.")


def _large_member(tar):
    capacity = 40 << 21
    numbers = [0, 3, (10 << 14) + 5]
    grains = marks("lm", numbers)
    # Room between the grains, so that the last one lies above 8 GiB in the file.
    made = hosted(capacity, {n: grains[n] for n in numbers[:2]}, text=descriptor(['RW %d SPARSE "disk.vmdk"' % capacity]))
    far = (9 << 30) // SECTOR
    made.sheet.put(far * SECTOR, grains[numbers[2]])
    made.gte(numbers[2], far).rgte(numbers[2], far)
    tar.member(b"disk.vmdk", made.sheet)
    return guest(capacity, grains)


good("member-9gib", _large_member, "A disk of more than 8 GiB: its size does not fit into octal digits.")
good("named-by-option", lambda t: _two(t)[0], "Two disks, the first one by option.", member="disk1.vmdk")
good("named-by-option-second", lambda t: _two(t)[1], "Two disks, the second one by option.", member="disk2.vmdk")
good("named-by-path", lambda t: _two(t)[0], "Two disks, the first one by path.", entry="box.ova:disk1.vmdk")
good("named-by-path-second", lambda t: _two(t)[1], "Two disks, the second one by path.", entry="box.ova:disk2.vmdk")
good("named-the-only-one", _one, "One disk, by path.", entry="box.ova:disk1.vmdk")


def _tar_suffix(folder):
    tar = Tar()
    disk = _one(tar)
    folder.put("box.tar", tar.end())
    return disk


add("good-ova-tar-suffix", _tar_suffix, "A file called .tar.", entry="box.tar", info="flags=0x80/0x80")


def _ends_in(zeros):
    def make(folder):
        tar = Tar()
        disk = _one(tar)
        folder.put("box.ova", tar.end(zeros))
        return disk

    return make


add("good-ova-no-end-blocks", _ends_in(0), "The zero blocks at the end are missing.", entry="box.ova")
add("good-ova-one-end-block", _ends_in(SECTOR), "Only one zero block at the end.", entry="box.ova")
add("good-ova-padded", _ends_in(20 * SECTOR), "Many zero blocks at the end.", entry="box.ova")

# -- Bad ---------------------------------------------------------------------


def bad(name, build, why, status, message="box.ova", end=1024, cut=None, **expect):
    def make(folder):
        tar = Tar()
        build(tar)
        sheet = tar.end(end)
        if cut is not None:
            sheet.cut(cut(tar, sheet))
        folder.put("box.ova", sheet)

    expect.setdefault("entry", "box.ova")
    add("bad-ova-" + name, make, why, open=status, message=message, **expect)


bad("two-disks", _two, "Two disks and no choice: the message names both.", "|".join((INVALID, NOT_FOUND, UNSUPPORTED)), message="box.ova;disk1.vmdk;disk2.vmdk")
bad("no-disk", lambda t: t.member(b"box.ovf", OVF).member(b"readme.txt", b"hi"), "No disk inside.", NOT_FOUND + "|" + NOT_VMDK)
bad("empty", lambda t: None, "A tar without members: 1,024 zeros.", NOT_VMDK + "|" + NOT_FOUND, message="box.ova")
bad("member-missing", _one, "The named member is not there.", NOT_FOUND, message="box.ova;disk9.vmdk", member="disk9.vmdk")
bad("member-missing-path", _one, "The member named in the path is not there.", NOT_FOUND, message="disk9.vmdk", entry="box.ova:disk9.vmdk")
bad("member-not-disk", _one, "The named member is no disk.", NOT_VMDK, message="box.ovf", member="box.ovf")
bad("member-empty", lambda t: t.member(b"disk1.vmdk", b""), "The disk is an empty member.", NOT_VMDK)
bad("member-raw", lambda t: t.member(b"disk1.vmdk", stamp("raw", 0, 9)), "The member called .vmdk is raw data.", NOT_VMDK)
bad("cut-in-disk", _one, "The tar ends inside the disk.", CORRUPT, cut=lambda t, s: t.data[b"disk1.vmdk"] + 70000)
bad("cut-in-header", _one, "The tar ends inside a member's header.", "|".join((CORRUPT, NOT_FOUND, NOT_VMDK)), cut=lambda t, s: t.data[b"disk1.vmdk"] - 100)
bad("size-beyond", lambda t: _one(t, told=1 << 40), "A member's size lies beyond the file.", CORRUPT)
bad("size-negative", lambda t: _one(t, size_field=b"\xff" * 12), "A negative size in base 256 (A35).", CORRUPT)
bad("size-overflow", lambda t: _one(t, size_field=b"\x80" + b"\x7f" * 11), "A size in base 256 that no 64 bits hold (A35).", CORRUPT)
bad("size-wraps", lambda t: _one(t, size_field=b"\x80\0\0\0" + b"\xff" * 8), "A size of 2^64-1.", CORRUPT)
bad("size-not-octal", lambda t: _one(t, size_field=b"99999999999\0"), "A size of digits that are not octal.", CORRUPT + "|" + NOT_VMDK)
bad("checksum", lambda t: (t.member(b"box.ovf", OVF), t.raw(bytes([0x65]) + tar_header(b"disk1.vmdk", 512)[1:]).raw(bytes(512)))[1], "The checksum of a header is wrong.", "|".join((CORRUPT, NOT_FOUND)))
bad("pax-length-0", lambda t: (t.member(b"x", b"0 path=x\n", kind=b"x"), _one(t))[1], "A pax record of length 0 (A35).", CORRUPT)
bad("pax-length-huge", lambda t: (t.member(b"x", b"99999999999999999999 path=x\n", kind=b"x"), _one(t))[1], "A pax record of 20 digits.", CORRUPT)
bad("pax-length-beyond", lambda t: (t.member(b"x", b"900 path=x\n", kind=b"x"), _one(t))[1], "A pax record longer than its header.", CORRUPT)
bad("pax-size-word", lambda t: (t.member(b"x", pax_record(b"size", b"many"), kind=b"x"), _one(t))[1], "A pax size that is no number.", CORRUPT)
bad("pax-size-negative", lambda t: (t.member(b"x", pax_record(b"size", b"-1"), kind=b"x"), _one(t))[1], "A negative pax size.", CORRUPT)
bad("pax-huge", lambda t: t.raw(tar_header(b"x", 1 << 36, kind=b"x")).body(b"x", Sheet(1 << 36), 1 << 36), "A pax header of 64 GiB.", "|".join((CORRUPT, "14")), rss=32)
bad("long-name-huge", lambda t: t.raw(tar_header(b"././@LongLink", 1 << 36, kind=b"L")).body(b"x", Sheet(1 << 36), 1 << 36), "A name of 64 GiB.", "|".join((CORRUPT, "14")), rss=32)
bad("text-names-passwd", lambda t: t.member(b"disk1.vmdk", descriptor(['RW 4 FLAT "/etc/passwd" 0'], kind="monolithicFlat")), "A text descriptor in an OVA names /etc/passwd.", "|".join((DENIED, UNSUPPORTED, NOT_FOUND)), message="-")
bad("text-names-up", lambda t: t.member(b"disk1.vmdk", descriptor(['RW 4 FLAT "../x.bin" 0'], kind="monolithicFlat")), "A text descriptor in an OVA steps up.", "|".join((DENIED, UNSUPPORTED, NOT_FOUND)), message="-")
bad("damaged-grain", lambda t: t.member(b"disk1.vmdk", flow()[0].u32((128 + 2) * SECTOR, 0x55555555)), "A grain of the disk inside is damaged.", OK, read=CORRUPT, threads="1,4")


def _plain(folder):
    folder.put("disk.vmdk", hosted(2048, marks("p", [0]), text=descriptor(['RW 2048 SPARSE "disk.vmdk"'])).sheet)


add("bad-ova-member-of-plain-file", _plain, "A member is asked for, but the file is no tar.", open="|".join((INVALID, NOT_FOUND, NOT_VMDK)), message="disk.vmdk", member="disk1.vmdk")
add("bad-ova-path-of-plain-file", _plain, "A path with a member, but the file is no tar.", open="|".join((INVALID, NOT_FOUND, NOT_VMDK)), message="disk.vmdk", entry="disk.vmdk:disk1.vmdk")
