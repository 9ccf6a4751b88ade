# SPDX-License-Identifier: MIT
"""Where names may lead: escapes, links, special files (section "paths" of the README)."""

from images import ACCESS, CORRUPT, DENIED, INVALID, IO, NOT_FOUND, NOT_VMDK, OK, PARENT_MISSING, UNSUPPORTED, add, marks
from vmdkwriter import Sheet, descriptor, guest, hosted, stamp

DATA = stamp("path", 0, 64)
BASE_CID, CHILD_CID = "11112222", "33334444"


def named(name, keyword="FLAT", put=None, kind="custom", entry="disk.vmdk"):
    """A descriptor that names a file as an extent."""

    def make(folder):
        if put:
            put(folder)
        line = 'RW 64 %s "%s"%s' % (keyword, name, " 0" if keyword == "FLAT" else "")
        folder.put(entry, descriptor([line], kind=kind))
        return Sheet().put(0, DATA)

    return make


def hinted(hint, put=None, entry="disk.vmdk"):
    """A child that names a file as its parent."""

    def make(folder):
        below = put(folder) if put else None
        grains = marks("child", [1])
        text = descriptor(['RW 256 SPARSE "disk.vmdk"'], cid=CHILD_CID, parent=BASE_CID, hint=hint)
        folder.put(entry, hosted(256, grains, text=text).sheet)
        return guest(256, grains, 128, below)

    return make


def bad(name, make, why, status=DENIED, message="-", **expect):
    add("bad-path-" + name, make, why, open=status, message=message, **expect)


def good(name, make, why, **expect):
    add("good-path-" + name, make, why, **expect)


def put_outside(folder):
    folder.put("outside/x.bin", DATA)


def parent(name):
    def put(folder):
        grains = marks("parent", [0])
        folder.put(name, hosted(256, grains, text=descriptor(['RW 256 SPARSE "x"'], cid=BASE_CID)).sheet)
        return guest(256, grains)
    return put


# -- Extents -----------------------------------------------------------------

for name, target in (("passwd", "/etc/passwd"), ("hosts", "/etc/hosts"), ("proc-maps", "/proc/self/maps"), ("proc-environ", "/proc/self/environ"), ("dev-zero", "/dev/zero"), ("dev-null", "/dev/null"), ("root", "/"), ("double-slash", "//etc/passwd")):
    bad("extent-" + name, named(target), "An extent names %s (A1, A9)." % target, message=target.replace("//", "/") if target != "/" else "-", hint="path|root" if target != "/" else "-")
for keyword in ("VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE", "VMFSRDM", "VMFSRAW"):
    bad("extent-passwd-" + keyword.lower(), named("/etc/passwd", keyword), "A %s extent names /etc/passwd (A1)." % keyword, "|".join((DENIED, UNSUPPORTED)) if keyword in ("VMFSRAW", "VMFSRDM") else DENIED, message="/etc/passwd")
for name, target in (
    ("up", "../outside/x.bin"),
    ("up-twice", "../../x/outside/x.bin"),
    ("up-from-below", "sub/../../outside/x.bin"),
    ("up-many", "../../../../../../../../../../../../etc/passwd"),
    ("up-dotted", "./../outside/x.bin"),
    ("up-doubled", "..//outside/x.bin"),
):
    bad("extent-" + name, named(target, put=lambda f: (put_outside(f), f.directory("in/sub")), entry="in/disk.vmdk"), "An extent steps up: %s (A1, A7)." % target, DENIED if "x/outside" not in target else DENIED + "|" + NOT_FOUND, entry="in/disk.vmdk")
bad("extent-up-backslash", named("..\\outside\\x.bin", put=put_outside, entry="in/disk.vmdk"), "An extent steps up with backslashes.", DENIED + "|" + NOT_FOUND, entry="in/disk.vmdk")
bad("extent-only-up", named("..", entry="in/disk.vmdk"), "An extent names the folder above.", entry="in/disk.vmdk")
bad("extent-only-dot", named("."), "An extent names its own folder.")
bad("extent-trailing-slash", named("x.bin/", put=lambda f: f.put("x.bin", DATA)), "A name ends in a slash.", "|".join((DENIED, NOT_FOUND, IO, CORRUPT)))
bad("extent-directory", named("folder", put=lambda f: f.directory("folder")), "An extent is a folder.", message="folder")
bad("extent-fifo", named("pipe", put=lambda f: f.fifo("pipe")), "An extent is a FIFO: opening must not block (A30).", message="pipe")
bad("extent-fifo-sparse", named("pipe", "SPARSE", put=lambda f: f.fifo("pipe")), "A sparse extent is a FIFO (A30).", message="pipe")
bad("extent-socket", named("sock", put=lambda f: f.socket("sock")), "An extent is a socket.", message="sock")
bad("extent-symlink-out", named("link", put=lambda f: (put_outside(f), f.symlink("../outside/x.bin", "in/link")), entry="in/disk.vmdk"), "A symbolic link leads out.", message="link", entry="in/disk.vmdk")
bad("extent-symlink-absolute", named("link", put=lambda f: f.symlink("/etc/passwd", "link")), "A symbolic link leads to /etc/passwd.", message="link")
bad("extent-symlink-device", named("link", put=lambda f: f.symlink("/dev/zero", "link")), "A symbolic link leads to /dev/zero (A10).", message="link")
bad("extent-symlink-proc", named("link", put=lambda f: f.symlink("/proc/self/exe", "link")), "A symbolic link leads into /proc.", message="link")
bad("extent-symlink-twice", named("one", put=lambda f: (f.symlink("two", "one"), f.symlink("/etc/passwd", "two"))), "A link to a link that leads out.", message="one")
bad("extent-symlink-folder-out", named("sub/x.bin", put=lambda f: (put_outside(f), f.symlink("../outside", "in/sub")), entry="in/disk.vmdk"), "A linked folder leads out.", message="sub/x.bin", entry="in/disk.vmdk")
bad("extent-symlink-folder-up", named("sub/../outside/x.bin", put=lambda f: (put_outside(f), f.symlink("../outside", "in/sub")), entry="in/disk.vmdk"), "A step up behind a linked folder.", DENIED + "|" + NOT_FOUND, entry="in/disk.vmdk")
bad("extent-symlink-loop", named("a", put=lambda f: (f.symlink("b", "a"), f.symlink("a", "b"))), "Two links that name each other.", "|".join((DENIED, NOT_FOUND, ACCESS, IO)))
bad("extent-symlink-self", named("a", put=lambda f: f.symlink("a", "a")), "A link that names itself.", "|".join((DENIED, NOT_FOUND, ACCESS, IO)))
bad("extent-symlink-loop-folder", named("a/x.bin", put=lambda f: (f.symlink("b", "a"), f.symlink("a", "b"))), "Two linked folders that name each other.", "|".join((DENIED, NOT_FOUND, ACCESS, IO)))
bad("extent-symlink-dangling", named("a", put=lambda f: f.symlink("nothing", "a")), "A link that leads nowhere.", NOT_FOUND)
bad("extent-under-file", named("x.bin/y", put=lambda f: f.put("x.bin", DATA)), "A file is used as a folder.", "|".join((NOT_FOUND, DENIED, IO)))
bad("extent-windows-device", named("\\\\.\\PhysicalDrive0"), "A device of Windows.", "|".join((DENIED, NOT_FOUND)))
bad("extent-windows-absolute", named("C:\\secret\\x.bin"), "An absolute name of Windows, and no such file beside.", "|".join((DENIED, NOT_FOUND)))
bad("extent-any-zero", named("/dev/zero"), "Any path is allowed, but a character device has no end (A10).", "|".join((DENIED, UNSUPPORTED)), message="/dev/zero", paths=1)
bad("extent-any-fifo", named("pipe", put=lambda f: f.fifo("pipe")), "Any path is allowed, but a FIFO blocks (A30).", "|".join((DENIED, UNSUPPORTED)), message="pipe", paths=1)
bad("extent-any-directory", named("folder", put=lambda f: f.directory("folder")), "Any path is allowed, but a folder is no file.", "|".join((DENIED, UNSUPPORTED, IO)), message="folder", paths=1)
bad("extent-wrong-root", named("../outside/x.bin", put=lambda f: (put_outside(f), f.directory("other")), entry="in/disk.vmdk"), "An allowed folder that does not hold the file.", entry="in/disk.vmdk", roots="other")
bad("embedded-passwd", lambda f: f.put("disk.vmdk", hosted(128, text=descriptor(['RW 4 FLAT "/etc/passwd" 0'], kind="monolithicFlat")).set(capacity=0).sheet), "An embedded descriptor names /etc/passwd (A2).", message="/etc/passwd")

good("any-up", named("../outside/x.bin", put=put_outside, entry="in/disk.vmdk"), "Any path is allowed: a file in another folder.", entry="in/disk.vmdk", paths=1)
good("root-up", named("../outside/x.bin", put=put_outside, entry="in/disk.vmdk"), "The other folder is allowed.", entry="in/disk.vmdk", roots="outside")
good("root-above", named("../outside/x.bin", put=put_outside, entry="in/disk.vmdk"), "The folder above is allowed.", entry="in/disk.vmdk", roots=".")
good("root-symlink", named("link", put=lambda f: (put_outside(f), f.symlink("../outside/x.bin", "in/link")), entry="in/disk.vmdk"), "A link leads into an allowed folder.", entry="in/disk.vmdk", roots="outside", open="|".join((OK, DENIED)))
good("symlink-inside", named("link", put=lambda f: (f.put("real/x.bin", DATA), f.symlink("real/x.bin", "link"))), "A link that stays inside.")
good("symlink-inside-up", named("a/link", put=lambda f: (f.put("b/x.bin", DATA), f.symlink("../b/x.bin", "a/link"))), "A link that steps up and stays inside.")
good("symlink-folder-inside", named("sub/x.bin", put=lambda f: (f.put("real/x.bin", DATA), f.symlink("real", "sub"))), "A linked folder that stays inside.")
good("symlink-folder-here", named("loop/loop/loop/x.bin", put=lambda f: (f.put("x.bin", DATA), f.symlink(".", "loop"))), "A linked folder that leads to itself.")
good("dotdot-inside", named("sub/../x.bin", put=lambda f: (f.put("x.bin", DATA), f.directory("sub"))), "A step up that stays inside.", open="|".join((OK, DENIED)))
good("absolute-beside", named("/nowhere/at/all/x.bin", put=lambda f: f.put("x.bin", DATA)), "An absolute name that leads nowhere; a file of that name lies beside.", open="|".join((OK, DENIED)))
good("hard-link", named("link.bin", put=lambda f: (f.put("real.bin", DATA), f.hardlink("real.bin", "link.bin"))), "A hard link is a file like any other.")


def _entry_link(folder):
    grains = marks("el", [0, 3])
    folder.put("real/real.vmdk", hosted(2048, grains, text=descriptor(['RW 2048 SPARSE "real.vmdk"'])).sheet)
    folder.symlink("real/real.vmdk", "disk.vmdk")
    return guest(2048, grains)


good("entry-symlink", _entry_link, "The caller's own path may be a link.")
good("entry-dotdot", lambda f: (f.directory("x"), named("x.bin", put=lambda g: g.put("x.bin", DATA))(f))[1], "The caller's own path may step up.", entry="x/../disk.vmdk")

# -- Parents -----------------------------------------------------------------

for name, target in (("passwd", "/etc/passwd"), ("dev-zero", "/dev/zero"), ("proc", "/proc/self/mem")):
    bad("parent-" + name, hinted(target), "A hint names %s (A6)." % target, "|".join((DENIED, PARENT_MISSING)), message='"%s| %s' % (target, target))
bad("parent-up", hinted("../outside/base.vmdk", put=parent("outside/base.vmdk"), entry="in/disk.vmdk"), "A hint steps up (A13).", message="outside/base.vmdk", hint="path|root", entry="in/disk.vmdk")
bad("parent-up-many", hinted("../../../../../../../../../../etc/passwd"), "A hint steps up to /etc/passwd (A6, A13).", DENIED + "|" + PARENT_MISSING, message="../../../etc/passwd")
bad("parent-fifo", hinted("pipe", put=lambda f: f.fifo("pipe")), "A parent is a FIFO (A30).", message="pipe")
bad("parent-socket", hinted("sock", put=lambda f: f.socket("sock")), "A parent is a socket.", message="sock")
bad("parent-directory", hinted("folder", put=lambda f: f.directory("folder")), "A parent is a folder.", message="folder")
bad("parent-symlink-out", hinted("link.vmdk", put=lambda f: (parent("outside/base.vmdk")(f), f.symlink("../outside/base.vmdk", "in/link.vmdk"))[0], entry="in/disk.vmdk"), "A parent is a link that leads out.", message="link.vmdk", entry="in/disk.vmdk")
bad("parent-symlink-folder-out", hinted("sub/base.vmdk", put=lambda f: (parent("outside/base.vmdk")(f), f.symlink("../outside", "in/sub"))[0], entry="in/disk.vmdk"), "A parent lies in a linked folder that leads out.", message="in/sub/base.vmdk|\"sub/base.vmdk", entry="in/disk.vmdk")
bad("parent-symlink-device", hinted("link.vmdk", put=lambda f: f.symlink("/dev/zero", "link.vmdk")), "A parent is a link to a device.", message="link.vmdk")
bad("parent-json", hinted("json:{\\\"driver\\\":\\\"nbd\\\"}"), "A hint is the expression of another tool (A5).", "|".join((PARENT_MISSING, DENIED)))
good("parent-symlink-inside", hinted("link.vmdk", put=lambda f: (parent("real/base.vmdk")(f), f.symlink("real/base.vmdk", "link.vmdk"))[0]), "A parent is a link that stays inside.", info="chain=2")


def _parent_extent_out(folder):
    folder.put("outside/x.bin", DATA * 4)
    folder.put("in/base/base.vmdk", descriptor(['RW 256 FLAT "../../outside/x.bin" 0'], kind="monolithicFlat", cid=BASE_CID))
    hinted("base/base.vmdk", entry="in/disk.vmdk")(folder)


bad("parents-extent-up", _parent_extent_out, "A parent's extent leads out.", message="outside/x.bin", entry="in/disk.vmdk")

# -- The entry itself --------------------------------------------------------

bad("entry-fifo", lambda f: f.fifo("disk.vmdk"), "The file to open is a FIFO: opening must not block (A30).", "|".join((NOT_VMDK, UNSUPPORTED, DENIED, IO, INVALID)), message="disk.vmdk")
bad("entry-socket", lambda f: f.socket("disk.vmdk"), "The file to open is a socket.", "|".join((NOT_VMDK, UNSUPPORTED, DENIED, IO, NOT_FOUND, INVALID)), message="disk.vmdk")
bad("entry-directory", lambda f: f.directory("disk.vmdk"), "The file to open is a folder.", "|".join((NOT_VMDK, UNSUPPORTED, DENIED, IO, ACCESS, INVALID)), message="disk.vmdk")
bad("entry-symlink-device", lambda f: f.symlink("/dev/zero", "disk.vmdk"), "The file to open is a link to /dev/zero (A10).", "|".join((NOT_VMDK, UNSUPPORTED, DENIED, IO, INVALID)), message="disk.vmdk")
bad("entry-symlink-null", lambda f: f.symlink("/dev/null", "disk.vmdk"), "The file to open is a link to /dev/null.", "|".join((NOT_VMDK, UNSUPPORTED, DENIED, IO, INVALID)), message="disk.vmdk")
bad("entry-symlink-dangling", lambda f: f.symlink("nothing", "disk.vmdk"), "The file to open is a link that leads nowhere.", NOT_FOUND, message="disk.vmdk")
bad("entry-symlink-loop", lambda f: f.symlink("disk.vmdk", "disk.vmdk"), "The file to open is a link to itself.", "|".join((NOT_FOUND, ACCESS, IO)), message="disk.vmdk")
