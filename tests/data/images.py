# SPDX-License-Identifier: MIT
"""The list of test images: what a case is, and how it comes onto the disk."""

import os
import socket

from vmdkwriter import Sheet, descriptor, guest, hosted, stamp, stream

# Values of <vmdk/vmdk.h>.
OK = "0"
INVALID = "1"
RANGE = "2"
NOT_FOUND = "4"
ACCESS = "6"
IO = "8"
NOT_VMDK = "10"
CORRUPT = "11"
UNSUPPORTED = "12"
DENIED = "13"
LIMIT = "14"
PARENT_MISSING = "15"
PARENT_CHANGED = "16"
ENCRYPTED = "20"

NO_PARENT_FLAG = 0x2
RECOVER = 0x8

UNCLEAN, COMPRESSED, EMBEDDED, HAS_PARENT, RECOVERED, TRACKED, MEMBER = 0x1, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80

COLUMNS = (
    "name",  # good-*: all of it reads; bad-*: an error; unsupported-*: a kind this library does not read
    "path",  # entry file, relative to the folder of the manifest
    "flags",  # VMDK_OPEN flags, hexadecimal
    "paths",  # VMDK_PATHS value
    "roots",  # folders, relative to that of the manifest, separated by ','
    "encoding",
    "member",
    "open",  # statuses that vmdk_open() may give, separated by '|'
    "capacity",  # bytes
    "sha256",  # of all guest bytes
    "read",  # statuses that reading everything may give
    "message",  # texts the message must hold, separated by ';', alternatives by '|'
    "hint",  # texts that the message or the hint must hold
    "probes",  # offset+length=sha256, separated by ',': for disks too large to read whole
    "seconds",  # most processor time
    "rss",  # most growth of memory, MiB
    "threads",  # values of vmdk_open_options::threads to run with, separated by ','
    "options",  # limits: chain=N,extents=N,descriptor=N,tables=N,files=N
    "info",  # expected members of vmdk_info and sums of runs: key=number, separated by ','
    "why",  # the case in one sentence
)

WHOLE_HASH = 64 << 20  # larger disks are checked by probes


class Folder:
    """The folder of one case."""

    def __init__(self, out, name):
        self.out, self.name = out, name
        self.path = os.path.join(out, name)
        os.makedirs(self.path)

    def at(self, name):
        path = os.path.join(os.fsencode(self.path), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put(self, name, data):
        if isinstance(data, Sheet):
            data.save(self.at(name))
        else:
            with open(self.at(name), "wb") as file:
                file.write(data)

    def symlink(self, target, name):
        os.symlink(target, self.at(name))

    def hardlink(self, target, name):
        os.link(self.at(target), self.at(name))

    def fifo(self, name):
        os.mkfifo(self.at(name))

    def directory(self, name):
        os.makedirs(self.at(name), exist_ok=True)

    def socket(self, name):
        # Bound by a short name: the address of a socket has room for 107 bytes.
        here = os.getcwd()
        os.chdir(self.path)
        try:
            end = socket.socket(socket.AF_UNIX)
            end.bind(name)
            end.close()
        finally:
            os.chdir(here)


class Case:
    def __init__(self, name, make, why, **expect):
        self.name, self.make = name, make
        good = name.startswith("good-")
        self.row = {
            "name": name,
            "entry": "disk.vmdk",
            "flags": 0,
            "paths": 0,
            "roots": "-",
            "encoding": "-",
            "member": "-",
            "open": OK if good else None,
            "capacity": "-",
            "sha256": "-",
            "read": OK if good else "-",
            "message": "-",
            "hint": "-",
            "probes": None,
            "seconds": "1",
            "rss": "64",
            "threads": "1",
            "options": "-",
            "info": "-",
            "why": why,
        }
        unknown = set(expect) - set(self.row)
        assert not unknown, (name, unknown)
        self.row.update(expect)
        assert self.row["open"] is not None, name
        assert name.split("-")[0] in ("good", "bad", "unsupported"), name

    def build(self, out):
        """Makes the files; returns the line of the manifest."""
        folder = Folder(out, self.name)
        disk = self.make(folder)
        row = dict(self.row)
        # A path of "" stands for the folder of the case itself.
        row["path"] = self.name + "/" + row.pop("entry") if row["entry"] else row.pop("entry") or self.name
        if row["roots"] != "-":
            row["roots"] = ",".join(self.name + "/" + root for root in row["roots"].split(","))
        row["flags"] = "0x%x" % row["flags"]
        probes = row["probes"]
        row["probes"] = "-"
        opens = OK in row["open"].split("|")
        reads = OK in row["read"].split("|")
        if disk is not None and opens:
            row["capacity"] = str(disk.size)
            if reads and disk.size <= WHOLE_HASH and probes is None:
                row["sha256"] = disk.digest()
            elif reads:
                row["probes"] = ",".join(
                    "%d+%d=%s" % (at, length, disk.digest(at, length)) for at, length in probes or auto_probes(disk)
                )
        line = "\t".join(str(row[column]) for column in COLUMNS)
        assert "\n" not in line and line.count("\t") == len(COLUMNS) - 1, self.name
        return line


def auto_probes(disk):
    """Both ends, and around each piece."""
    room = 65536
    spots = {(0, min(room, disk.size)), (max(0, disk.size - room), min(room, disk.size))}
    for offset, data in disk.pieces[:16]:
        first = max(0, offset - 700)
        last = min(disk.size, offset + min(len(data), 4 * room) + 700)
        if first < last:
            spots.add((first, last - first))
    return sorted(spots)


CASES = []


def add(name, make, why, **expect):
    CASES.append(Case(name, make, why, **expect))


# -- Makers that many groups share -------------------------------------------


def marks(tag, numbers, grain=128):
    """Grains that can be told apart."""
    return {number: stamp(tag, number * grain, grain) for number in numbers}


def mono(
    capacity=2048,
    grains=None,
    grain=128,
    patch=None,
    name="disk.vmdk",
    line=None,
    lines=None,
    area=None,
    words=None,
    text=None,
    below=None,
    **how
):
    """A monolithicSparse disk: a maker for add().

    patch   called with the Hosted before it is saved
    line    sectors that the extent line tells in place of the capacity
    words   arguments for descriptor()
    """

    def make(folder):
        content = marks("mono", [0, 3, 7, 15]) if grains is None else grains
        content = {number: value for number, value in content.items() if number * grain < capacity}
        told = capacity if line is None else line
        own = lines or ['RW %s SPARSE "%s"' % (told, os.path.basename(name))]
        body = descriptor(own, **(words or {})) if text is None else text
        made = hosted(capacity, content, grain, text=body, area=area, **how)
        if patch:
            patch(made)
        folder.put(name, made.sheet)
        seen = min(capacity, told) if isinstance(told, int) else capacity
        return guest(seen, {n: v for n, v in content.items() if n * grain < seen}, grain, below)

    return make


def streamed(
    capacity=2048,
    grains=None,
    grain=128,
    patch=None,
    name="disk.vmdk",
    inner=None,
    access="RW",
    line=None,
    words=None,
    **how
):
    """A streamOptimized disk: a maker for add()."""

    def make(folder):
        content = marks("flow", [0, 1, 5, 15]) if grains is None else grains
        told = capacity if line is None else line
        body = descriptor(
            ['%s %d SPARSE "%s"' % (access, told, inner or name)], kind="streamOptimized", **(words or {})
        )
        made = stream(capacity, content, grain, text=body, **how)
        if patch:
            patch(made)
        folder.put(name, made.sheet)
        seen = min(capacity, told)
        return guest(seen, {n: v for n, v in content.items() if n * grain < seen}, grain)

    return make


def flat(
    parts=((64, "disk-flat.vmdk", 0),),
    kind="monolithicFlat",
    keyword="FLAT",
    offsets=True,
    access="RW",
    name="disk.vmdk",
    words=None,
    tag="flat",
):
    """A disk of flat files: (sectors, file, offset) each; one file may occur more than once."""

    def make(folder):
        lines, sizes = [], {}
        disk = Sheet()
        for sectors, file, offset in parts:
            tail = " %d" % offset if offsets else ""
            lines.append('%s %d %s "%s"%s' % (access, sectors, keyword, file, tail))
            disk.put(disk.size, stamp(tag + file.replace("/", ""), offset, sectors))
            sizes[file] = max(sizes.get(file, 0), offset + sectors)
        for file, sectors in sizes.items():
            folder.put(os.path.join(os.path.dirname(name), file), stamp(tag + file.replace("/", ""), 0, sectors))
        folder.put(name, descriptor(lines, kind=kind, **(words or {})))
        return disk

    return make
