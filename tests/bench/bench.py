#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times this library beside other programs for VMDK and beside what the machine does without one.

    bench.py [--bin DIR] [--work DIR] [--out DIR] [--scale N] [--rounds N] [--json FILE] [JOB ...]
    bench.py --quick        a small run of everything, for a smoke test: the exit status says whether what was
                            read is right, never how fast it was
    bench.py --list         what each job runs

README.md beside this file says how to read the table.
"""

import argparse
import glob
import json
import os
import platform
import random
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GRAIN, PAGE, MIB, GIB = 64 << 10, 4 << 10, 1 << 20, 1 << 30
LINKS = 8
RECIPE = 3  # of the disks; another one makes them anew
NOTHING_TO_DO = 77
TOO_SLOW = 4
NOT_PEERS = ("limit", "cp", "ours")


class Missing(Exception):
    """Something this machine lacks."""


class Wrong(Exception):
    """The library read something else than was written."""


# -- Disks ------------------------------------------------------------------------------------------------------------


def prose(rng):
    """Text of a made-up language in which few words are frequent."""
    syllables = [a + b for a in ("", "k", "l", "m", "n", "r", "s", "t", "st", "tr") for b in "aeiou"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(5000)]
    weights, total = [], 0.0
    for rank in range(len(words)):
        total += 1 / (rank + 3)
        weights.append(total)
    return " ".join(rng.choices(words, cum_weights=weights, k=40000)).encode()[:GRAIN]


def records(rng):
    """Pages of numbers that grow slowly, as tables and file systems keep them."""
    out, number, when = bytearray(), rng.getrandbits(20), rng.getrandbits(30)
    while len(out) < GRAIN:
        number += rng.randint(1, 3)
        when += rng.getrandbits(6)
        out += struct.pack("<IIQHHI", number, when, rng.getrandbits(14) << 12, 0o644, rng.getrandbits(2), rng.getrandbits(8))
    return bytes(out[:GRAIN])


def program(rng):
    """A skewed stream of short byte groups, as machine code is."""
    groups = [rng.randbytes(rng.randint(1, 4)) for _ in range(300)]
    weights, total = [], 0.0
    for rank in range(len(groups)):
        total += 1 / (rank + 2)
        weights.append(total)
    return b"".join(rng.choices(groups, cum_weights=weights, k=GRAIN))[:GRAIN]


class Grains:
    """Grains of data, each different from all others by its first bytes."""

    def __init__(self, seed, kinds=12):
        self.rng = random.Random(seed)
        self.pool = [make(self.rng) for _ in range(kinds) for make in (prose, records, program)]

    def get(self, kind, number):
        body = self.rng.randbytes(GRAIN) if kind == "random" else self.pool[number % len(self.pool)]
        return struct.pack("<QQ", number, ~number & (1 << 64) - 1) + body[16:]


def write_mixed(path, size):
    """Runs of grains: 45 % zeros, 35 % that compress, 20 % random."""
    grains, rng = Grains(11), random.Random(12)
    runs = {"zero": (0.45, 40), "text": (0.35, 14), "random": (0.20, 9)}
    left = {kind: int(size // GRAIN * share) for kind, (share, _) in runs.items()}
    left["zero"] += size // GRAIN - sum(left.values())
    with open(path, "wb") as file:
        file.truncate(size)
        number = 0
        while sum(left.values()):
            kinds = [kind for kind in left if left[kind]]
            kind = rng.choices(kinds, [left[k] / runs[k][1] for k in kinds])[0]
            count = min(left[kind], 1 + int(rng.expovariate(1 / runs[kind][1])))
            left[kind] -= count
            for at in range(number, number + count):
                if kind != "zero":
                    file.seek(at * GRAIN)
                    file.write(grains.get(kind, at))
            number += count


def write_hole(path, size, count):
    """Single grains in a large hole."""
    grains, rng = Grains(21, 2), random.Random(22)
    with open(path, "wb") as file:
        file.truncate(size)
        for number in sorted(rng.sample(range(size // GRAIN), count)):
            file.seek(number * GRAIN)
            file.write(grains.get(rng.choice(("text", "text", "random")), number))


def scattered_writes(link, size, count):
    rng = random.Random(30 + link)
    for _ in range(count):
        yield rng.randrange(size // GRAIN) * GRAIN, GRAIN
        yield rng.randrange(size // PAGE) * PAGE, PAGE


def same_bytes(a, b):
    """Are two files the same? Holes are not read where both have one."""
    with open(a, "rb") as left, open(b, "rb") as right:
        size = os.path.getsize(a)
        if size != os.path.getsize(b):
            return False
        offset = 0
        while offset < size:
            begins, ends = [], []
            for file in (left, right):
                try:
                    begin = os.lseek(file.fileno(), offset, os.SEEK_DATA)
                    ends.append(os.lseek(file.fileno(), begin, os.SEEK_HOLE))
                    begins.append(begin)
                except OSError:  # nothing but a hole is left
                    pass
            if not begins:
                return True
            offset, end = min(begins), max(ends)
            while offset < end:
                piece = min(4 * MIB, end - offset)
                if os.pread(left.fileno(), piece, offset) != os.pread(right.fileno(), piece, offset):
                    return False
                offset += piece
    return True


class Disks:
    """The test disks in the work folder, made by the first run that needs them."""

    def __init__(self, work, scale, limit):
        self.folder = os.path.join(work, "disks-%d" % scale)
        self.limit = limit
        self.size = GIB // scale
        self.small_size = self.size // 4  # of what is compressed
        self.hole_size = 64 * GIB // scale
        self.hole_grains = 8192 // scale
        self.chain_writes = 512 // scale

    def __call__(self, name):
        return os.path.join(self.folder, name)

    def pieces(self):
        return sorted(glob.glob(glob.escape(self("many")) + "-s*.vmdk"))

    def links(self):
        """Files of the chain, the child first."""
        return [self("chain%d.vmdk" % link) for link in range(LINKS, 0, -1)] + [self("sparse.vmdk")]

    def images(self):
        """Each image that holds data, and the raw file with its bytes."""
        pairs = [(kind, "os.raw") for kind in ("sparse", "flat", "split", "stream")]
        pairs += [(kind + "-small", "small.raw") for kind in ("sparse", "stream")]
        pairs += [("hole", "hole.raw"), ("chain%d" % LINKS, "chain.raw")]
        return [(self(image + ".vmdk"), self(raw)) for image, raw in pairs]

    def make(self):
        done = self("recipe")
        if os.path.exists(done) and open(done).read() == str(RECIPE):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        say("making the disks in " + self.folder)
        write_mixed(self("os.raw"), self.size)
        write_hole(self("hole.raw"), self.hole_size, self.hole_grains)
        for kind, name in (("monolithicSparse", "sparse"), ("monolithicFlat", "flat"), ("twoGbMaxExtentSparse", "split"),
                           ("streamOptimized", "stream")):
            self.convert("os.raw", kind, name)
        write_mixed(self("small.raw"), self.small_size)
        self.convert("small.raw", "monolithicSparse", "sparse-small")
        self.convert("small.raw", "streamOptimized", "stream-small")
        self.convert("hole.raw", "monolithicSparse", "hole")
        self.make_full()
        for size in ("1G", "2T", "62T"):
            self.create("empty-%s.vmdk" % size.lower(), size, "monolithicSparse")
        self.create("many.vmdk", "2T", "twoGbMaxExtentSparse")  # 1024 extents
        self.make_chain()
        with open(done, "w") as file:
            file.write(str(RECIPE))

    def convert(self, raw, kind, name):
        call(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=" + kind, self(raw), self(name + ".vmdk")])

    def create(self, name, size, kind):
        call(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=" + kind, self(name), size])

    def make_full(self):
        """A sparse disk in which every grain is stored."""
        call([self.limit, "fill", self("full.raw"), str(self.size), str(MIB)])
        self.convert("full.raw", "monolithicSparse", "sparse-full")
        os.remove(self("full.raw"))

    def make_chain(self):
        """Children with scattered writes, and the same writes in a raw file."""
        call([self.limit, "copy", self("os.raw"), self("chain.raw")])
        grains = Grains(41, 1)
        with open(self("chain.raw"), "r+b") as raw:
            parent = "sparse.vmdk"
            for link in range(1, LINKS + 1):
                child, data = "chain%d.vmdk" % link, grains.get("random", link)
                with open(self("fill"), "wb") as file:
                    file.write(data)
                call(["qemu-img", "create", "-q", "-f", "vmdk", "-b", parent, "-F", "vmdk", self(child)])
                commands = []
                for offset, size in scattered_writes(link, self.size, self.chain_writes):
                    commands.append("write -q -s %s %d %d\n" % ("fill", offset, size))
                    raw.seek(offset)
                    raw.write(data[:size])
                call(["qemu-io", "-f", "vmdk", child], cwd=self.folder, input="".join(commands).encode())
                parent = child
        os.remove(self("fill"))


# -- Programs ---------------------------------------------------------------------------------------------------------


def say(text):
    print(text, file=sys.stderr, flush=True)


def call(command, **more):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if result.returncode:
        raise RuntimeError("%s\n%s" % (" ".join(command), result.stdout.decode(errors="replace").strip()[-800:]))
    return result.stdout.decode(errors="replace")


def find_programs(folder):
    """vmdk_bench and vmdk, from the folder given or the newest build."""
    folders = [folder] if folder else sorted(
        {os.path.dirname(p) for p in glob.glob(os.path.join(glob.escape(ROOT), "build", "*", "vmdk_bench"))},
        key=lambda f: os.path.getmtime(os.path.join(f, "vmdk_bench")), reverse=True)
    for candidate in folders:
        programs = [os.path.join(os.path.abspath(candidate), name) for name in ("vmdk_bench", "vmdk")]
        if all(os.access(program, os.X_OK) for program in programs):
            return programs
    raise Missing("vmdk_bench and vmdk are not built: cmake -B build/bench -DVMDK_BENCH=ON && cmake --build build/bench")


def build_limit(work):
    """Compiles limit.c; with libdeflate if it is there, else with zlib."""
    source, program = os.path.join(HERE, "limit.c"), os.path.join(work, "limit")
    if os.path.exists(program) and os.path.getmtime(program) >= os.path.getmtime(source):
        return program
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise Missing("a C compiler is needed for limit.c")
    failure = ""
    for flags in (["-ldeflate"], ["-DUSE_ZLIB", "-lz"]):
        try:
            call(compiler.split() + ["-O2", "-o", program, source] + flags + ["-lpthread", "-ldl"])
            return program
        except RuntimeError as error:
            failure = str(error)
    raise Missing("limit.c does not build: " + failure)


class Stopwatch:
    """Runs a command and measures the whole process."""

    def __init__(self, limit, timeout):
        self.limit, self.timeout = limit, timeout
        self.cpu = max(os.sched_getaffinity(0))

    def run(self, command, pinned):
        head = [self.limit, "time"] + (["-c", str(self.cpu)] if pinned else [])
        process = subprocess.Popen(head + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            text = process.communicate(timeout=self.timeout)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the group that was started here
            process.communicate()
            raise RuntimeError("%s\ntook more than %d s" % (" ".join(command), self.timeout)) from None
        found = re.search(r"^time (\S+) (\S+) (\d+)$", text, re.M)
        if process.returncode or not found:
            raise RuntimeError("%s\n%s" % (" ".join(command), text.strip()[-400:]))
        return {"wall": float(found[1]), "cpu": float(found[2]), "rss_kib": int(found[3]), "output": text}


# -- Jobs -------------------------------------------------------------------------------------------------------------


class Job:
    """What is run for one line of the table. `pinned`: one request at a time, so on one processor."""

    def __init__(self, name, limit, ours, peers, pinned=True, read=None, expect=None, start=None, copy=None, output="out.raw",
                 is_stream=False):
        self.name, self.limit, self.ours, self.pinned = name, limit, ours, pinned
        self.start = start    # the image whose copy is written to; the limit writes a plain file
        self.read = read      # bytes that ours must say it has read or written
        self.expect = expect  # the raw file with the bytes that the output of ours must hold
        self.copy = copy      # cp, a second limit
        self.output = output  # name of the file that is written
        self.is_stream = is_stream  # the output: its length is its size; for others it is the space they take
        self.peers = {label: command for label, command in peers.items() if command}

    def contestants(self):
        """Label, command, pinned; the limits first, then ours."""
        rows = [("limit", self.limit, self.pinned)] + ([("cp", self.copy, self.pinned)] if self.copy else [])
        rows.append(("ours", self.ours, self.pinned))
        for label, command in self.peers.items():
            rows.append((label, command, self.pinned or "1 cpu" in label))
        return rows


def stride(size):
    """Apart from each other, each page once, in no useful order; qemu-img takes no more than 2^31-1."""
    return (min(int(size * 0.6180339887), 1009 * MIB) // PAGE | 1) * PAGE


class Jobs:
    def __init__(self, disks, programs, limit, scale):
        self.disks, self.limit, self.scale = disks, limit, scale
        self.bench, self.vmdk = programs
        self.vmdkinfo = shutil.which("vmdkinfo")
        self.converter = shutil.which("vmdk-convert")  # of open-vmdk
        self.uring = self.works(["qemu-img", "bench", "-q", "-c", "1", "-i", "io_uring", "-f", "vmdk", disks("sparse.vmdk")])
        self.libyal = self.works([limit, "libyal", "info", "0", "0", disks("sparse.vmdk")])

    @staticmethod
    def works(command):
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def all(self):
        jobs = self.info() + self.reads() + self.scattered() + self.writes() + self.conversions()
        return {job.name: job for job in jobs}

    def yal(self, mode, files, count=0, step=0):
        return [self.limit, "libyal", mode, str(count), str(step)] + files if self.libyal else None

    def qemu(self, image, count, block, step=None, depth=1):
        command = ["qemu-img", "bench", "-q", "-f", "vmdk", "-c", str(count), "-d", str(depth), "-s", str(block)]
        command += ["-S", str(step)] if step else []
        peers = {"qemu": command + [image]}
        if self.uring:
            peers["qemu uring"] = command + ["-i", "io_uring", image]
        return peers

    def null_convert(self, image, size):
        return ["qemu-img", "convert", "-f", "vmdk", "--target-is-zero", "-n", image,
                "--target-image-opts", "driver=null-co,size=%d" % size]

    def info(self):
        def job(name, image, files):
            return Job(name, [self.limit, "open"] + files, [self.bench, "info", image],
                       {"qemu info": ["qemu-img", "info", image], "vmdkinfo": self.vmdkinfo and [self.vmdkinfo, image],
                        "libyal": self.yal("info", [image]), "open-vmdk": self.converter and [self.converter, "-i", image]})

        disks = self.disks
        empty = [disks("empty-%s.vmdk" % size) for size in ("1g", "2t", "62t")]
        return [job("info-1g", empty[0], [empty[0]]), job("info-2t", empty[1], [empty[1]]), job("info-62t", empty[2], [empty[2]]),
                job("info-1024", disks("many.vmdk"), [disks("many.vmdk")] + disks.pieces())]

    def reads(self):
        disks, limit, size = self.disks, self.limit, self.disks.size

        def job(name, image, floor, yal=None, threads=1, pinned=True):
            path = disks(image + ".vmdk")
            peers = self.qemu(path, size // MIB, MIB)
            peers["qemu to null"] = self.null_convert(path, size)
            peers["libyal"] = self.yal("read", yal or [path])
            return Job(name, floor, [self.bench, "read", "--threads", str(threads), path], peers, pinned, read=size)

        data, stream = [limit, "data", disks("os.raw")], disks("stream.vmdk")
        hole = Job("read-hole", [limit, "data", disks("hole.raw")], [self.bench, "data", disks("hole.vmdk")],
                   {"qemu to null": self.null_convert(disks("hole.vmdk"), disks.hole_size)},
                   read=disks.hole_grains * GRAIN)
        return [job("read-sparse", "sparse", data), job("read-flat", "flat", [limit, "all", disks("os.raw")]),
                job("read-split", "split", data), hole,
                job("read-stream", "stream", [limit, "inflate", stream, "1"]),
                job("read-stream-2t", "stream", [limit, "inflate", stream, "2"], threads=2, pinned=False),
                job("read-chain8", "chain%d" % LINKS, [limit, "data", disks("chain.raw")], yal=disks.links())]

    def scattered(self):
        disks = self.disks

        def job(name, image, raw, count, readers=1, yal=None, mode="rand"):
            size = disks.hole_size if image == "hole" else disks.size
            path, count, step = disks(image + ".vmdk"), max(count // self.scale, 256), stride(size)
            peers = self.qemu(path, count, PAGE, step, 1 if readers == 1 else 16)
            if readers == 1:
                peers["libyal"] = self.yal("rand", yal or [path], count, step)
            ours = [self.bench, "rand", "--count", str(count), "--step", str(step), "--readers", str(readers), path]
            floor = [self.limit, mode, disks(raw), str(count), str(step), str(readers)]
            return Job(name, floor, ours, peers, pinned=readers == 1, read=count * PAGE)

        chain = "chain%d" % LINKS
        return [job("rand-sparse", "sparse", "os.raw", 100000), job("rand-sparse-2r", "sparse", "os.raw", 100000, readers=2),
                job("rand-stream", "stream", "stream.vmdk", 10000, mode="randz"),
                job("rand-chain8", chain, "chain.raw", 50000, yal=disks.links()),
                job("rand-hole", "hole", "hole.raw", 100000)]

    def writes(self):
        disks, limit, size = self.disks, self.limit, self.disks.size

        def job(name, start, floor, ours, count, block, step=None):
            bench = ["qemu-img", "bench", "-q", "-w", "-f", "vmdk", "-c", str(count), "-d", "1", "-s", str(block)]
            bench += ["-S", str(step)] if step else []
            peers = {"qemu": bench + ["{out}"]}
            if self.uring:
                peers["qemu uring"] = bench + ["-i", "io_uring", "{out}"]
            return Job(name, [limit] + floor, [self.bench] + ours + ["{out}"], peers, read=count * block, start=start)

        def scattered(name, start, mode, count):
            count, step = str(max(count // self.scale, 256)), str(stride(size))
            return job(name, start, [mode, "{out}", count, step, str(size)], ["write", "--count", count, "--step", step],
                       int(count), PAGE, step)

        empty = disks("empty-%d.vmdk" % size)
        if not os.path.exists(empty):
            disks.create(os.path.basename(empty), str(size), "monolithicSparse")
        create = Job("create-2t", [limit, "fill", "{out}", str(512 << 10), str(MIB)],
                     [self.bench, "create", "--size", str(2048 * GIB), "{out}"],
                     {"qemu": ["qemu-img", "create", "-q", "-f", "vmdk", "{out}", "2T"]})
        return [job("write-fill", empty, ["fill", "{out}", str(size), str(MIB)], ["fill"], size // MIB, MIB),
                scattered("write-rand-new", empty, "alloc", 16000),
                scattered("write-rand", disks("sparse-full.vmdk"), "randw", 100000), create]

    def conversions(self):
        return self.copies() + self.inflations() + self.compressions()

    def to_raw(self, image, threads):
        """Ours and the peers; with one thread all of them on one processor."""
        path = self.disks(image + ".vmdk")
        qemu = ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, "{out}"]
        chain = image.startswith("chain")  # which open-vmdk does not read
        return ([self.vmdk, "convert", "-q", "-O", "raw", "--threads", str(threads), path, "{out}"],
                {"qemu": qemu, "qemu 1 cpu": threads > 1 and qemu,
                 "open-vmdk": self.converter and not chain and [self.converter, path, "{out}"]})

    def to_vmdk(self, source, kind, level=None):
        """Ours and the peers; `source` is a raw file or a disk. qemu-img has only one level."""
        raw, path, level = source.endswith(".raw"), self.disks(source), str(level or "")
        ours = [self.vmdk, "convert", "-q"] + (["--from", "raw"] if raw else []) + ["-O", kind, "--threads", "2"]
        ours += ["--level", level] if level else []
        qemu = ["qemu-img", "convert", "-f", "raw" if raw else "vmdk", "-O", "vmdk", "-o", "subformat=" + kind, path, "{out}"]
        return (ours + [path, "{out}"],
                {"qemu": qemu, "qemu 1 cpu": qemu,
                 "open-vmdk": level and self.converter and [self.converter, "-c", level, "-n", "2", path, "{out}"]})

    def copies(self):
        """Between kinds that hold data as it is."""
        disks = self.disks

        def job(name, raw, commands, output="out.raw"):
            plain = disks(raw)
            return Job(name, [self.limit, "copy", plain, "{out}"], *commands, pinned=False, expect=plain, output=output,
                       copy=["cp", "--sparse=always", plain, "{out}"])

        def from_raw(name, raw, kind):
            return job(name, raw, self.to_vmdk(raw, kind), "out.vmdk")

        chain = "chain%d" % LINKS
        return [from_raw("raw-sparse", "os.raw", "monolithicSparse"), from_raw("raw-flat", "os.raw", "monolithicFlat"),
                from_raw("raw-split", "os.raw", "twoGbMaxExtentSparse"), from_raw("raw-hole", "hole.raw", "monolithicSparse"),
                job("sparse-raw", "os.raw", self.to_raw("sparse", 2)), job("chain8-raw", "chain.raw", self.to_raw(chain, 2)),
                job("hole-raw", "hole.raw", self.to_raw("hole", 2))]

    def inflations(self):
        def job(name, threads):
            return Job(name, [self.limit, "inflate", self.disks("stream.vmdk"), str(threads), "{out}"],
                       *self.to_raw("stream", threads), pinned=threads == 1, expect=self.disks("os.raw"))

        return [job("stream-raw", 1), job("stream-raw-2t", 2)]

    def compressions(self):
        plain = self.disks("small.raw")

        def job(name, source, level):
            return Job(name, [self.limit, "deflate", plain, str(level), "2", "{out}"],
                       *self.to_vmdk(source, "streamOptimized", level), pinned=False, expect=plain, output="out.vmdk",
                       is_stream=True)

        return [job("raw-stream", "small.raw", 6), job("raw-stream-l1", "small.raw", 1),
                job("sparse-stream", "sparse-small.vmdk", 6), job("stream-stream", "stream-small.vmdk", 6)]


class Runner:
    def __init__(self, watch, limit, vmdk, out, rounds, touch_mib):
        self.watch, self.limit, self.out, self.rounds, self.touch_mib = watch, limit, out, rounds, touch_mib
        self.idle_kib = watch.run([vmdk, "--version"], False)["rss_kib"]

    def once(self, job, label, command, pinned, check):
        with tempfile.TemporaryDirectory(prefix="bench-", dir=self.out) as folder:
            target = os.path.join(folder, job.output)
            if job.start and label != "limit":
                call([self.limit, "copy", job.start, target])
            sample = self.watch.run([target if word == "{out}" else word for word in command], pinned)
            files = [entry.stat() for entry in os.scandir(folder)]
            sample["out_bytes"] = sum(file.st_size if job.is_stream else file.st_blocks * 512 for file in files)
            if label == "ours":
                self.check(job, sample, target, check)
        return sample

    def check(self, job, sample, target, content):
        """`content`: what was converted is compared, too."""
        if job.expect and content:
            self.compare(job, target)
        if job.start:
            try:
                call(["qemu-img", "check", "-q", "-f", "vmdk", target])
            except RuntimeError as error:
                raise Wrong("%s: %s" % (job.name, error)) from None
        told = re.search(r" s (\d+) bytes \d+ operations (-?\d+) KiB", sample["output"])
        if job.read is not None and (not told or int(told[1]) != job.read):
            raise Wrong("%s: moved %s bytes, expected %d" % (job.name, told[1] if told else "no", job.read))
        sample["growth_kib"] = int(told[2]) if told else sample["rss_kib"] - self.idle_kib

    @staticmethod
    def compare(job, target):
        if target.endswith(".raw"):
            if not same_bytes(target, job.expect):
                raise Wrong("%s: the output is not what the disk holds" % job.name)
            return
        try:
            call(["qemu-img", "compare", "-f", "vmdk", "-F", "raw", target, job.expect])
        except RuntimeError as error:
            raise Wrong("%s: %s" % (job.name, error)) from None

    def run(self, job):
        """Rounds of everyone in turn; another one begins each time, and the first round does not count.

        A peer that takes TOO_SLOW times as long there as the fastest one cannot be the best: once is enough.
        """
        contestants, failed, slow, rounds = job.contestants(), {}, {}, []
        for number in range(self.rounds + 1):
            call([self.limit, "touch", str(self.touch_mib)])
            samples = {}
            turn = number % len(contestants)
            for label, command, pinned in contestants[turn:] + contestants[:turn]:
                if label in failed or label in slow:
                    continue
                try:
                    samples[label] = self.once(job, label, command, pinned, number == 0)
                except RuntimeError as error:
                    if label in ("ours", "limit"):
                        raise
                    failed[label] = str(error)
            rounds.append(samples)
            if number == 0:
                walls = {label: sample["wall"] for label, sample in samples.items() if label not in NOT_PEERS}
                slow = {label: wall for label, wall in walls.items() if wall > TOO_SLOW * min(walls.values())}
        return Result(job, rounds[1:], failed, slow)


class Result:
    def __init__(self, job, rounds, failed, slow):
        self.job, self.failed, self.slow = job, failed, slow
        self.rounds = [{label: sample for label, sample in samples.items() if label not in failed} for samples in rounds]
        self.wall = {label: self.median(lambda s, l=label: s[l]["wall"]) for label in self.rounds[0]}
        peers = [label for label in self.wall if label not in NOT_PEERS]
        self.best = min(peers, key=self.wall.get) if peers else None
        self.growth_mib = max(samples["ours"]["growth_kib"] for samples in self.rounds) / 1024
        self.out_mib = {label: self.median(lambda s, l=label: s[l]["out_bytes"]) / MIB for label in self.wall}

    def median(self, what):
        return statistics.median(what(samples) for samples in self.rounds)

    def ratio(self, other):
        """Ours to another, taken round by round; and whether the rounds agree within a quarter."""
        if other not in self.wall:
            return None, True
        ratios = [samples["ours"]["wall"] / samples[other]["wall"] for samples in self.rounds]
        middle = statistics.median(ratios)
        return middle, max(ratios) <= 1.25 * middle and min(ratios) >= 0.75 * middle

    def cells(self):
        def shown(ratio):
            return "-" if ratio[0] is None else "%.2f%s" % (ratio[0], "" if ratio[1] else "~")

        best = "-" if self.best is None else "%s %.1f" % (self.best, self.wall[self.best] * 1e3)
        def size(label):
            return "%.1f" % self.out_mib[label] if self.job.expect and label else "-"

        return [self.job.name, "%.1f" % (self.wall["limit"] * 1e3), "%.1f" % (self.wall["ours"] * 1e3),
                shown(self.ratio("limit")), shown(self.ratio("cp")), best, shown(self.ratio(self.best)),
                "%.1f" % self.growth_mib, size("ours"), size(self.best)]

    def as_json(self):
        samples = [{label: {key: value for key, value in sample.items() if key != "output"} for label, sample in one.items()}
                   for one in self.rounds]
        return {"job": self.job.name, "seconds": self.wall, "ratio_to_limit": self.ratio("limit")[0], "best_peer": self.best,
                "ratio_to_best_peer": self.ratio(self.best)[0], "ratio_to_cp": self.ratio("cp")[0],
                "peak_growth_mib": self.growth_mib, "out_mib": self.out_mib, "failed_peers": self.failed,
                "slow_peers": self.slow,
                "commands": {label: command for label, command, _ in self.job.contestants()}, "rounds": samples}


HEAD = ["job", "limit ms", "ours ms", "x limit", "x cp", "best peer ms", "x best", "peak MiB", "out MiB", "peer's"]
WIDTHS = [15, 9, 9, 8, 7, 20, 8, 9, 9, 8]


def print_row(cells):
    line = cells[0].ljust(WIDTHS[0])
    line += "".join(cell.rjust(width) for cell, width in zip(cells[1:], WIDTHS[1:]))
    print(line, flush=True)


# -- What is read is right --------------------------------------------------------------------------------------------


def check_content(disks, vmdk, out):
    """Every image reads as the bytes it was made of; returns how many."""
    target = os.path.join(out, "check.raw")
    for image, raw in disks.images():
        try:
            call([vmdk, "convert", "-q", "--force", image, target])
        except RuntimeError as error:
            raise Wrong(str(error)) from None
        if not same_bytes(target, raw):
            raise Wrong("%s: reads as something else than %s" % (image, raw))
        os.remove(target)
    sizes = {"empty-1g": GIB, "empty-2t": 2048 * GIB, "empty-62t": 62 * 1024 * GIB, "many": 2048 * GIB}
    for name, size in sizes.items():
        info = json.loads(call([vmdk, "info", "--json", disks(name + ".vmdk")]))
        if info["capacity"] != size:
            raise Wrong("%s: has %d bytes, expected %d" % (name, info["capacity"], size))
    return len(disks.images()) + len(sizes)


def versions(vmdk, jobs):
    lines = [call([vmdk, "--version"]).split("\n")[0], call(["qemu-img", "--version"]).split("\n")[0]]
    if jobs.vmdkinfo:
        lines.append(call([jobs.vmdkinfo, "-V"]).split("\n")[0])
    if jobs.converter:
        lines.append("vmdk-convert of open-vmdk")
    return lines


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="all if none is named")
    parser.add_argument("--bin", metavar="DIR", help="where vmdk_bench and vmdk are; the newest of build/*/ if not given")
    parser.add_argument("--work", metavar="DIR", default=os.path.join(ROOT, "build", "bench-work"),
                        help="test disks, 6 GiB at scale 1, kept for the next run; build/bench-work if not given")
    parser.add_argument("--out", metavar="DIR", help="where outputs are written; the work folder if not given")
    parser.add_argument("--scale", type=int, choices=(1, 2, 4, 8, 16, 32), help="disks that many times smaller")
    parser.add_argument("--rounds", type=int, help="rounds that count; 7 if not given")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for one command")
    parser.add_argument("--json", metavar="FILE", help="all samples, too")
    parser.add_argument("--quick", action="store_true", help="scale 32, 1 round, every result checked")
    parser.add_argument("--list", action="store_true", help="print the commands of the jobs; the disks are made first")
    args = parser.parse_args()
    args.scale = args.scale or (32 if args.quick else 1)
    args.rounds = args.rounds or (1 if args.quick else 7)
    if args.rounds < 1:
        parser.error("--rounds: at least 1")
    return parser, args


def run(parser, args):
    for program in ("qemu-img", "qemu-io"):
        if not shutil.which(program):
            raise Missing("%s is needed to make the disks (package qemu-utils)" % program)
    programs = find_programs(args.bin)
    work = os.path.abspath(args.work)
    out = os.path.abspath(args.out or os.path.join(work, "out"))
    for folder in (work, out):
        os.makedirs(folder, exist_ok=True)
    limit = build_limit(work)
    disks = Disks(work, args.scale, limit)
    disks.make()
    jobs = Jobs(disks, programs, limit, args.scale)
    table = jobs.all()
    unknown = [name for name in args.jobs if name not in table]
    if unknown:
        parser.error("no job is called %s; there are: %s" % (", ".join(unknown), " ".join(table)))
    chosen = [table[name] for name in args.jobs or table]
    if args.list:
        for job in chosen:
            for label, command, pinned in job.contestants():
                print("%-15s %-13s %s%s" % (job.name, label, "1 cpu: " if pinned else "", " ".join(command[:14])))
        return
    checked = check_content(disks, programs[1], out)
    say("%d images read as they should" % checked)

    runner = Runner(Stopwatch(limit, args.timeout), limit, programs[1], out, args.rounds, max(1024 // args.scale, 32))
    begin, results = time.monotonic(), []
    print_row(HEAD)
    for job in chosen:
        results.append(runner.run(job))
        print_row(results[-1].cells())
    lines = versions(programs[1], jobs)
    print("; ".join(lines))
    print("disks 1/%d of full size, %d round%s, %d processors, %.0f s" %
          (args.scale, args.rounds, "s"[:args.rounds > 1], len(os.sched_getaffinity(0)), time.monotonic() - begin))
    failed = sorted({"%s (%s)" % (label, result.job.name) for result in results for label in result.failed})
    if failed:
        print("peers that failed: " + ", ".join(failed))
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"versions": lines, "scale": args.scale, "rounds": args.rounds, "machine": platform.machine(),
                       "kernel": platform.release(), "jobs": [result.as_json() for result in results]}, file, indent=1)


def main():
    parser, args = arguments()
    try:
        run(parser, args)
    except Missing as lack:
        say("bench.py: " + str(lack))
        return NOTHING_TO_DO
    except (Wrong, RuntimeError) as error:
        say("bench.py: " + str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
