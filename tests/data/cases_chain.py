# SPDX-License-Identifier: MIT
"""Snapshot chains: parents, hints, content IDs."""

from images import (
    CORRUPT,
    DENIED,
    HAS_PARENT,
    LIMIT,
    NO_PARENT_FLAG,
    NOT_FOUND,
    NOT_VMDK,
    OK,
    PARENT_CHANGED,
    PARENT_MISSING,
    add,
    marks,
)
from vmdkwriter import SECTOR, ZERO_GRAIN, Sheet, cowd, descriptor, guest, hosted, sesparse, stamp, stream

BASE_CID = "11112222"
CHILD_CID = "33334444"


# Each function puts one link into the folder and returns what a guest sees of it.


def base_mono(folder, name="base.vmdk", capacity=2048, numbers=(0, 1, 7), cid=BASE_CID, grain=128, tag="base"):
    grains = marks(tag, [n for n in numbers if n * grain < capacity], grain)
    text = descriptor(['RW %d SPARSE "%s"' % (capacity, name.split("/")[-1])], cid=cid)
    folder.put(name, hosted(capacity, grains, grain, text=text).sheet)
    return guest(capacity, grains, grain)


def base_flat(folder, name="base.vmdk", capacity=2048, cid=BASE_CID, kind="vmfs"):
    data = stamp("flatbase", 0, capacity)
    file = name.rsplit("/", 1)[-1][:-5] + "-flat.vmdk"
    folder.put((name.rsplit("/", 1)[0] + "/" if "/" in name else "") + file, data)
    line = 'RW %d VMFS "%s"' % (capacity, file) if kind == "vmfs" else 'RW %d FLAT "%s" 0' % (capacity, file)
    folder.put(name, descriptor([line], kind=kind, cid=cid))
    return Sheet().put(0, data)


def base_split(folder, name="base.vmdk", sizes=(700, 5, 1343), cid=BASE_CID):
    lines, disk = [], Sheet()
    for number, sectors in enumerate(sizes, 1):
        grains = marks("bs%d" % number, {0, (sectors - 1) // 16}, 16)
        file = "base-s%03d.vmdk" % number
        folder.put(file, hosted(sectors, grains, 16).sheet)
        lines.append('RW %d SPARSE "%s"' % (sectors, file))
        start, part = disk.size, guest(sectors, grains, 16)
        for offset, data in part.pieces:
            disk.put(start + offset, data)
        disk.size = start + part.size
    folder.put(name, descriptor(lines, kind="twoGbMaxExtentSparse", cid=cid))
    return disk


def child_mono(folder, below, name="disk.vmdk", capacity=2048, grains=None, grain=128, cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk", version=1, flags=3, tag="child", area=None, **words):
    grains = marks(tag, [1, 15], grain) if grains is None else grains
    text = descriptor(['RW %d SPARSE "%s"' % (capacity, name.split("/")[-1])], cid=cid, parent=parent, hint=hint, **words)
    folder.put(name, hosted(capacity, grains, grain, text=text, version=version, flags=flags, area=area).sheet)
    return guest(capacity, grains, grain, below)


def child_cowd(folder, below, name="disk.vmdk", capacity=2048, grain=1, cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk", numbers=(0, 5, 300, 2047), tag="cowd"):
    grains = marks(tag, [n for n in numbers if n * grain < capacity], grain)
    file = name[:-5] + "-delta.vmdk"
    folder.put(file, cowd(capacity, grains, grain, child=True).sheet)
    folder.put(name, descriptor(['RW %d VMFSSPARSE "%s"' % (capacity, file)], kind="vmfsSparse", cid=cid, parent=parent, hint=hint))
    return guest(capacity, grains, grain, below)


def child_se(folder, below, name="disk.vmdk", capacity=2048, cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"):
    grains = marks("sechild", [0, 9, 255], 8)
    entries = {3: 1 << 60, 4: 2 << 60}
    file = name[:-5] + "-sesparse.vmdk"
    folder.put(file, sesparse(capacity, grains, entries=entries).sheet)
    folder.put(name, descriptor(['RW %d SESPARSE "%s"' % (capacity, file)], kind="seSparse", cid=cid, parent=parent, hint=hint))
    disk = guest(capacity, grains, 8, below)
    for number in entries:
        disk.put(number * 8 * SECTOR, bytes(8 * SECTOR))
    return disk


def child_stream(folder, below, name="disk.vmdk", capacity=2048, cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"):
    grains = marks("flowchild", [2, 3, 15])
    text = descriptor(['RW %d SPARSE "%s"' % (capacity, name)], kind="streamOptimized", cid=cid, parent=parent, hint=hint)
    folder.put(name, stream(capacity, grains, text=text).sheet)
    return guest(capacity, grains, 128, below)


def good(name, make, why, **expect):
    expect.setdefault("info", "chain=2,flags=0x%x/0x%x" % (HAS_PARENT, HAS_PARENT))
    add("good-chain-" + name, make, why, **expect)


def bad(name, make, why, status, message="disk.vmdk", **expect):
    add("bad-chain-" + name, make, why, open=status, message=message, **expect)


# -- Good: kinds -------------------------------------------------------------

good("hosted-on-hosted", lambda f: child_mono(f, base_mono(f)), "monolithicSparse on monolithicSparse.",
     info="chain=2,flags=0x10/0x10,cid=858997828,parent_cid=286335522,data=262144,absent=786432")
good("hosted-on-flat", lambda f: child_mono(f, base_flat(f, kind="monolithicFlat")), "monolithicSparse on monolithicFlat.")
good("hosted-on-split", lambda f: child_mono(f, base_split(f)), "The parent is split in other places.")
good("cowd-on-flat", lambda f: child_cowd(f, base_flat(f)), "vmfsSparse on vmfs.")
good("bare-delta", lambda f: child_cowd(f, base_flat(f), name="disk-000001.vmdk"), "The data file of a snapshot is given; its descriptor beside it is opened.", entry="disk-000001-delta.vmdk")
good("bare-snapshot-sesparse", lambda f: child_se(f, base_flat(f), name="disk-000002.vmdk"), "The seSparse file of a snapshot is given.", entry="disk-000002-sesparse.vmdk")
good("cowd-on-cowd-on-flat", lambda f: child_cowd(f, child_cowd(f, base_flat(f), name="middle.vmdk", cid="55556666", numbers=(0, 6, 301), tag="mid"), parent="55556666", hint="middle.vmdk"),
     "vmfsSparse twice on vmfs.", info="chain=3")
good("sesparse-on-flat", lambda f: child_se(f, base_flat(f)), "seSparse on vmfs; zero entries hide it.")
good("stream-on-hosted", lambda f: child_stream(f, base_mono(f)), "A stream as a child.", threads="1,4")
good("stream-on-stream", lambda f: child_stream(f, _stream_base(f)), "A stream on a stream.", threads="1,4")


def _stream_base(folder):
    grains = marks("flowbase", range(16))
    folder.put("base.vmdk", stream(2048, grains, text=descriptor(['RW 2048 SPARSE "base.vmdk"'], kind="streamOptimized", cid=BASE_CID)).sheet)
    return guest(2048, grains)


good("hosted-on-sesparse-on-flat", lambda f: child_mono(f, child_se(f, base_flat(f), name="middle.vmdk", cid="55556666"), parent="55556666", hint="middle.vmdk"),
     "Every grain size in one chain.", info="chain=3")
good("split-on-hosted", lambda f: _split_child(f, base_mono(f)), "A split child on a disk in one piece.")


def _split_child(folder, below):
    lines = []
    pieces = []
    for number, sectors in enumerate((1000, 1048), 1):
        grains = marks("sp%d" % number, {1, (sectors - 1) // 128})
        folder.put("disk-s%03d.vmdk" % number, hosted(sectors, grains).sheet)
        lines.append('RW %d SPARSE "disk-s%03d.vmdk"' % (sectors, number))
        pieces += [(offset + 512000 * (number - 1), data) for offset, data in guest(sectors, grains).pieces]
    folder.put("disk.vmdk", descriptor(lines, kind="twoGbMaxExtentSparse", cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"))
    disk = Sheet(2048 * SECTOR, below)
    for offset, data in pieces:
        disk.put(offset, data)
    return disk


def _ladder(count, grains_at, tag="link"):
    """A chain of count monolithicSparse links; link 0 is the base."""

    def make(folder):
        below = None
        for number in range(count):
            last = number == count - 1
            name = "disk.vmdk" if last else "link%04d.vmdk" % number
            grains = {n: stamp("%s%d" % (tag, number), n * 8, 8) for n in grains_at(number)}
            how = {} if number == 0 else dict(parent="%08x" % (number - 1 + 256), hint="link%04d.vmdk" % (number - 1))
            text = descriptor(['RW 256 SPARSE "%s"' % name], cid="%08x" % (number + 256), ddb=(), **how)
            folder.put(name, hosted(256, grains, 8, gtes=64, text=text, area=1, redundant=False, flags=1).sheet)
            below = guest(256, grains, 8, below)
        return below

    return make


good("eight-links", _ladder(8, lambda n: [n, n + 1, 31 - n]), "Eight links.", info="chain=8")
good("128-links", _ladder(128, lambda n: [n % 32]), "As many links as the default limit.", info="chain=128", seconds="2")
good("300-links-allowed", _ladder(300, lambda n: [n % 32]), "300 links where the limit is raised.", info="chain=300", options="chain=300", seconds="3")
bad("129-links", _ladder(129, lambda n: [n % 32]), "A link more than the default limit.", LIMIT, message="-", seconds="2")
bad("limit", _ladder(5, lambda n: [n]), "A link more than the caller's limit.", LIMIT, message="-", options="chain=4")
good("at-limit", _ladder(4, lambda n: [n]), "As many links as the caller's limit.", info="chain=4", options="chain=4")
bad("1100-links", _ladder(1100, lambda n: [n % 32] if n % 100 == 0 else []), "More links than the hard limit; the caller asked for 100,000 (A26).", LIMIT, message="-", options="chain=100000", seconds="3")

good("smaller-grain", lambda f: child_mono(f, base_mono(f), grain=8, grains=marks("sg", [0, 17, 18, 255], 8)), "The child has smaller grains.")
good("larger-grain", lambda f: child_mono(f, base_mono(f, grain=16, numbers=range(0, 128, 3)), grain=128), "The child has larger grains.")
good("child-larger", lambda f: child_mono(f, base_mono(f, capacity=1000), capacity=2048), "The child is larger: zeros beyond the end of the parent.")
good("child-larger-odd", lambda f: child_mono(f, base_flat(f, capacity=1001), capacity=2048, grains=marks("x", [9])), "The parent ends inside a grain of the child.")
good("child-smaller", lambda f: child_mono(f, base_mono(f), capacity=1000, grains=marks("x", [1, 4])), "The child is smaller than the parent.")
good("empty-child", lambda f: child_mono(f, base_mono(f), grains={}), "The child holds nothing.", info="chain=2,data=196608")
good("full-child", lambda f: child_mono(f, base_mono(f), grains=marks("fc", range(16))), "The child holds everything.")
good("zero-grain-hides", lambda f: child_mono(f, base_mono(f), grains={0: ZERO_GRAIN, 1: stamp("zh", 128, 128), 7: ZERO_GRAIN}, version=2, flags=7),
     "A zero entry of the child hides the parent's data.", info="chain=2,zero=131072")
good("directory-one-hides", lambda f: _hiding_directory(f), "A directory entry of 1 in the child hides the parent's data.")


def _hiding_directory(folder):
    below = base_flat(folder, capacity=3 * 256)
    grains = marks("hd", [0, 70], 4)
    text = descriptor(['RW 768 SPARSE "disk.vmdk"'], cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk")
    made = hosted(768, grains, 4, gtes=64, text=text, version=2, flags=7)
    made.gde(2, 1).rgde(2, 1)
    folder.put("disk.vmdk", made.sheet)
    return guest(768, grains, 4, below).put(512 * SECTOR, bytes(256 * SECTOR))


def _zero_extent(folder):
    below = base_mono(folder)
    grains = marks("ze", [0], 128)
    folder.put("disk-s001.vmdk", hosted(1000, grains).sheet)
    folder.put("disk.vmdk", descriptor(['RW 1000 SPARSE "disk-s001.vmdk"', "RW 1048 ZERO"], kind="twoGbMaxExtentSparse", cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"))
    disk = Sheet(2048 * SECTOR, below)
    return disk.put(0, grains[0]).put(1000 * SECTOR, bytes(1048 * SECTOR))


good("zero-extent-hides", _zero_extent, "A ZERO extent of the child hides the parent.")


def _flat_child(folder):
    base_mono(folder)
    folder.put("disk-flat.vmdk", stamp("fchild", 0, 2048))
    folder.put("disk.vmdk", descriptor(['RW 2048 FLAT "disk-flat.vmdk" 0'], kind="monolithicFlat", cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"))
    return Sheet().put(0, stamp("fchild", 0, 2048))


good("flat-child", _flat_child, "A flat child holds everything.")

# -- Good: hints and content IDs ---------------------------------------------


def hinted(name, hint, why, base="base.vmdk", **expect):
    good("hint-" + name, lambda f: child_mono(f, base_mono(f, name=base), hint=hint), why, **expect)


hinted("dot-slash", "./base.vmdk", "A hint that begins with './'.")
hinted("dot-backslash", ".\\base.vmdk", "A hint that begins with '.\\'.")
hinted("windows", "C:\\vms\\base.vmdk", "A hint with a drive; the base lies beside.")
hinted("windows-forward", "C:/vms/base.vmdk", "A hint with a drive and slashes; the base lies beside.")
hinted("unc", "\\\\server\\share\\base.vmdk", "A hint to a server; the base lies beside.")
hinted("vmfs", "/vmfs/volumes/4f1e2d3c-aabbccdd/vm/base.vmdk", "A hint of ESX; the base lies beside.")
hinted("absolute", "/nowhere/at/all/base.vmdk", "An absolute hint that leads nowhere; the base lies beside.")
hinted("subdirectory", "sub/base.vmdk", "A hint into a folder beneath.", base="sub/base.vmdk")
hinted("subdirectory-backslash", "sub\\base.vmdk", "A hint into a folder beneath, with a backslash.", base="sub/base.vmdk")
hinted("case", "BASE.VMDK", "The base is there in another case.")
hinted("blanks", "my base.vmdk", "A hint with a blank.", base="my base.vmdk")
hinted("umlaut", "größe.vmdk", "A hint that is not ASCII.", base="größe.vmdk")
hinted("redo-name", "base.vmdk.REDO_a1b2c3", "A name of old ESX.", base="base.vmdk.REDO_a1b2c3")
good("hint-subdirectory-flat", lambda f: child_mono(f, base_flat(f, name="sub/base.vmdk"), hint="sub/base.vmdk"), "The parent's own files lie beside the parent.")
good("hint-back-up", lambda f: _back_up(f), "The parent lies in a folder beneath, and its own parent beside the file that was opened.", info="chain=3")


def _back_up(folder):
    lowest = base_mono(folder, name="lowest.vmdk", cid="aaaa0001")
    middle = child_mono(folder, lowest, name="sub/middle.vmdk", cid="aaaa0002", parent="aaaa0001", hint="../lowest.vmdk", grains=marks("mm", [3, 4]))
    return child_mono(folder, middle, parent="aaaa0002", hint="sub/middle.vmdk")


for name, cid, parent in (
    ("fffffffe", "fffffffe", "fffffffe"),
    ("no-leading-zeros", "a3db3bc", "0a3db3bc"),
    ("no-leading-zeros-child", "0a3db3bc", "a3db3bc"),
    ("upper", "ABCDEF01", "abcdef01"),
    ("0x", "0xabcdef01", "abcdef01"),
    ("zero", "00000000", "0"),
):
    good("cid-" + name, lambda f, c=cid, p=parent: child_mono(f, base_mono(f, cid=c), parent=p), "The base has CID %s, the child names %s." % (cid, parent))
good("cid-equal", lambda f: child_mono(f, base_mono(f), cid=BASE_CID), "Child and parent have the same CID, as VMware leaves a fresh snapshot.")
good("wrong-beside-right", lambda f: _wrong_candidate(f), "A file of that name lies beside, but the hint leads to the right one.")


def _wrong_candidate(folder):
    base_mono(folder, name="base.vmdk", cid="deadbeef", tag="wrong")
    return child_mono(folder, base_mono(folder, name="sub/base.vmdk"), hint="sub/base.vmdk")


good("no-parent-flag", lambda f: child_mono(f, (base_mono(f), None)[1]), "Parents are not wanted: what only they hold reads as zeros.", flags=NO_PARENT_FLAG, info="chain=1,flags=0x10/0x10")
good("no-parent-flag-missing", lambda f: child_mono(f, None), "Parents are not wanted, and there is none.", flags=NO_PARENT_FLAG, info="chain=1")
good("no-parent-flag-no-hint", lambda f: child_mono(f, None, hint=None), "Parents are not wanted, and none is named.", flags=NO_PARENT_FLAG, info="chain=1")
good("no-parent-flag-changed", lambda f: child_mono(f, (base_mono(f, cid="deadbeef"), None)[1]), "Parents are not wanted; a changed one does not matter.", flags=NO_PARENT_FLAG, info="chain=1")
good("hint-without-parentcid", lambda f: child_mono(f, (base_mono(f), None)[1], parent="ffffffff"), "A hint, but parentCID says there is no parent.", info="chain=1")
good("ddb-from-base", lambda f: child_mono(f, base_mono(f), ddb=('ddb.longContentID = "0"',)), "The child's data base is nearly empty: adapter and geometry come from the base.", info="adapter=3,heads=255,hardware=8")


def _two_folders(folder):
    below = base_mono(folder, name="base/base.vmdk")
    return child_mono(folder, below, name="clone/disk.vmdk", hint="../base/base.vmdk")


good("sibling-folder-root", _two_folders, "The base lies in a folder beside, which the caller allows.", entry="clone/disk.vmdk", roots="base")
good("sibling-folder-any", _two_folders, "The base lies in a folder beside; any path is allowed.", entry="clone/disk.vmdk", paths=1)
good("sibling-folder-two-roots", _two_folders, "One of two allowed folders holds the base.", entry="clone/disk.vmdk", roots="clone,base")
bad("sibling-folder", _two_folders, "The base lies in a folder beside, which nobody allowed.", DENIED, message="base/base.vmdk", hint="root|path", entry="clone/disk.vmdk")

# -- Bad ---------------------------------------------------------------------

bad("missing", lambda f: child_mono(f, None), "The parent is not there.", PARENT_MISSING, message="base.vmdk")
bad("missing-second", lambda f: child_mono(f, child_mono(f, None, name="middle.vmdk", cid="55556666", hint="gone.vmdk"), parent="55556666", hint="middle.vmdk"), "The parent's parent is not there.", PARENT_MISSING, message="gone.vmdk")
bad("missing-absolute", lambda f: child_mono(f, None, hint="/vmfs/volumes/x/base.vmdk"), "An absolute hint, and no such file beside.", PARENT_MISSING + "|" + DENIED, message="/vmfs/volumes/x/base.vmdk")
bad("missing-windows", lambda f: child_mono(f, None, hint="C:\\vms\\base.vmdk"), "A hint with a drive, and no such file beside.", PARENT_MISSING + "|" + DENIED, message="C:\\vms\\base.vmdk|C:/vms/base.vmdk")
bad("no-hint", lambda f: child_mono(f, None, hint=None), "parentCID is set, but no parent is named (A55).", PARENT_MISSING)
bad("empty-hint", lambda f: child_mono(f, None, hint=""), "parentCID is set, and the hint is empty.", PARENT_MISSING)
bad("changed", lambda f: child_mono(f, base_mono(f, cid="deadbeef")), "The parent was changed after the snapshot.", PARENT_CHANGED, message="base.vmdk;deadbeef;" + BASE_CID)
bad("changed-second", lambda f: child_mono(f, child_mono(f, base_mono(f, cid="deadbeef"), name="middle.vmdk", cid="55556666"), parent="55556666", hint="middle.vmdk"), "The parent's parent was changed.", PARENT_CHANGED, message="base.vmdk;deadbeef")
bad("changed-one-digit", lambda f: child_mono(f, base_mono(f, cid="11112223")), "The CIDs differ in one digit.", PARENT_CHANGED, message="base.vmdk")
bad("parent-empty-file", lambda f: (f.put("base.vmdk", b""), child_mono(f, None))[1] and None, "The parent is an empty file.", NOT_VMDK + "|" + CORRUPT, message="base.vmdk")
bad("parent-raw", lambda f: (f.put("base.vmdk", stamp("raw", 0, 64)), child_mono(f, None))[1] and None, "The parent is raw data, which is never taken for a disk (A3).", NOT_VMDK + "|" + CORRUPT, message="base.vmdk")
bad("parent-damaged", lambda f: (base_mono(f), f.put("base.vmdk", hosted(2048, {}, text=descriptor(['RW 2048 SPARSE "base.vmdk"'], cid=BASE_CID)).set(grain=3).sheet), child_mono(f, None))[2] and None,
    "The parent's header is damaged.", CORRUPT, message="base.vmdk")
bad("parent-extent-missing", lambda f: (f.put("base.vmdk", descriptor(['RW 64 VMFS "base-flat.vmdk"'], kind="vmfs", cid=BASE_CID)), child_mono(f, None))[1] and None, "The parent's extent is gone.", NOT_FOUND, message="base-flat.vmdk")


def _damaged_below(folder):
    text = descriptor(['RW 2048 SPARSE "base.vmdk"'], cid=BASE_CID)
    folder.put("base.vmdk", hosted(2048, marks("db", [0, 2]), text=text).gte(2, 0xFFFFFF).rgte(2, 0xFFFFFF).sheet)
    child_mono(folder, None)


add("bad-chain-parent-entry", _damaged_below, "A table entry of the parent is damaged, where the child holds nothing.", open=OK, read=CORRUPT, message="base.vmdk")


def _covered_damage(folder):
    text = descriptor(['RW 2048 SPARSE "base.vmdk"'], cid=BASE_CID)
    grains = marks("db", [0, 4])
    folder.put("base.vmdk", hosted(2048, grains, text=text).gte(4, 0xFFFFFF).rgte(4, 0xFFFFFF).sheet)
    return child_mono(folder, guest(2048, grains), grains=marks("child", [1, 4]))


good("covered-damage", _covered_damage, "A table entry of the parent is damaged, but the child covers it.")

# -- Bad: circles (A25) ------------------------------------------------------

bad("self-parent", lambda f: child_mono(f, None, cid=BASE_CID, hint="disk.vmdk") and None, "A disk that is its own parent.", CORRUPT)
bad("self-parent-text", lambda f: (f.put("x.bin", bytes(32768)), f.put("disk.vmdk", descriptor(['RW 64 FLAT "x.bin" 0'], kind="custom", cid=BASE_CID, parent=BASE_CID, hint="disk.vmdk")))[1], "A descriptor that is its own parent.", CORRUPT)
bad("self-parent-dotted", lambda f: child_mono(f, None, cid=BASE_CID, hint="./././disk.vmdk") and None, "A disk that is its own parent by another spelling.", CORRUPT)


def _two_cycle(folder):
    child_mono(folder, None, name="disk.vmdk", cid="aaaa0001", parent="aaaa0002", hint="other.vmdk")
    child_mono(folder, None, name="other.vmdk", cid="aaaa0002", parent="aaaa0001", hint="disk.vmdk")


bad("two-cycle", _two_cycle, "Two disks that are each other's parent.", CORRUPT, message="-")


def _late_cycle(folder):
    child_mono(folder, None, name="disk.vmdk", cid="aaaa0001", parent="aaaa0002", hint="b.vmdk")
    child_mono(folder, None, name="b.vmdk", cid="aaaa0002", parent="aaaa0003", hint="c.vmdk")
    child_mono(folder, None, name="c.vmdk", cid="aaaa0003", parent="aaaa0002", hint="b.vmdk")


bad("late-cycle", _late_cycle, "A circle that does not lead back to the first disk.", CORRUPT, message="-")


def _hard_link(folder):
    child_mono(folder, None, name="disk.vmdk", cid=BASE_CID, hint="other.vmdk")
    folder.hardlink("disk.vmdk", "other.vmdk")


bad("hard-link-cycle", _hard_link, "A disk whose parent is a hard link of itself.", CORRUPT, message="-")


def _symlink(folder):
    child_mono(folder, None, name="disk.vmdk", cid=BASE_CID, hint="other.vmdk")
    folder.symlink("disk.vmdk", "other.vmdk")


bad("symlink-cycle", _symlink, "A disk whose parent is a symbolic link to itself.", CORRUPT, message="-")


def _extent_is_parent(folder):
    base_mono(folder, capacity=64, numbers=(0,))
    folder.put("disk.vmdk", descriptor(['RW 64 SPARSE "base.vmdk"'], kind="twoGbMaxExtentSparse", cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"))


bad("extent-is-parent", _extent_is_parent, "The same file is an extent of the child and the parent.", CORRUPT, message="base.vmdk")


def _diamond(folder):
    base_flat(folder, capacity=64)
    folder.put("disk.vmdk", descriptor(['RW 64 VMFS "base-flat.vmdk"'], kind="vmfs", cid=CHILD_CID, parent=BASE_CID, hint="base.vmdk"))


bad("flat-shared-with-parent", _diamond, "Child and parent name the same flat file.", OK + "|" + CORRUPT, message="base-flat.vmdk", read=OK)
