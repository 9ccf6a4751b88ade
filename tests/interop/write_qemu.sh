#!/bin/sh
# SPDX-License-Identifier: MIT
# Images written by turns, here and by qemu-io, in place and with a backing file: both read the same
# after each turn, and qemu-img finds nothing wrong.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-img qemu-io python3

cat >write.py <<'END'
import os, random, subprocess

tool = os.environ["VMDK_TOOL"]
SIZE = (9 << 20) + 512 * 3
turns = looks = 0

def run(*arguments, data=None, good=(0,)):
    done = subprocess.run(arguments, input=data, capture_output=True, timeout=120)
    assert done.returncode in good, (arguments, done.returncode, done.stdout[-600:], done.stderr[-600:])
    return done

class Image:
    def __init__(self, what, name, model=None):
        self.what, self.name = what, name
        self.model = bytearray(SIZE) if model is None else bytearray(model)

    def put(self, offset, size, value):
        self.model[offset:offset + size] = bytes([value]) * size

    def ours(self, r, steps):
        for _ in range(steps):
            offset, size = range_of(r, 1)
            value = r.randrange(1, 256)
            what = r.randrange(6)
            if what < 4:
                run(tool, "write", self.name, str(offset), data=bytes([value]) * size)
            else:
                value = 0
                run(tool, "write", self.name, str(offset), "--zero" if what == 4 else "--discard", str(size))
            self.put(offset, size, value)

    def theirs(self, r, steps):
        commands = []
        for _ in range(steps):
            offset, size = range_of(r, 512)
            value = r.randrange(1, 256)
            if r.randrange(5) == 0:
                commands += ["-c", f"write -z {offset} {size}"]
                value = 0
            else:
                commands += ["-c", f"write -P {value} {offset} {size}"]
            self.put(offset, size, value)
        done = run("qemu-io", "-f", "vmdk", *commands, self.name)
        assert b"failed" not in done.stdout + done.stderr, done

    def look(self):
        global looks
        looks += 1
        open("model.raw", "wb").write(self.model)
        run(tool, "compare", self.name, "model.raw", "--raw-b")
        run("qemu-img", "compare", "-q", "-f", "vmdk", "-F", "raw", self.name, "model.raw")
        # 63: not for flat ones.
        run("qemu-img", "check", "-q", "-f", "vmdk", self.name, good=(0, 63))

def range_of(r, unit):
    near = r.choice((0, 65536, 1 << 20, 4 << 20, 8 << 20, SIZE))
    offset = max(0, near - r.randrange(200000)) // unit * unit
    size = min(SIZE - offset, r.choice((512, 4096, 65536, 150000))) // unit * unit
    return offset, max(size, unit)

def take_turns(image, seed, rounds=3):
    global turns
    r = random.Random(seed)
    for i in range(rounds):
        for turn in (image.ours, image.theirs) if (seed + i) % 2 else (image.theirs, image.ours):
            turn(r, 5)
            turns += 1
            image.look()

def made_by_qemu(kind, name, *backing):
    run("qemu-img", "create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", *backing, name,
        *([] if backing else [str(SIZE)]))

qemus = ("monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat")
ours = qemus + ("vmfs", "vmfsSparse")
seed = 1
made = []
for maker in ("ours", "qemu"):
    for kind in ours if maker == "ours" else qemus:
        seed += 1
        name = f"{maker}-{kind}.vmdk"
        if maker == "ours":
            split = ["--split", "4M"] if kind.startswith("two") else []
            run(tool, "create", name, str(SIZE), "-O", kind, *split)
        else:
            made_by_qemu(kind, name)
        image = Image(f"{maker} {kind}", name)
        take_turns(image, seed)
        made.append(image)

# Children: by us, and by qemu where it makes such.
for parent in list(made):
    seed += 1
    base = parent.name[:-5]
    for maker in ("ours", "cowd", "qemu"):
        name = f"{base}-{maker}-child.vmdk"
        if maker == "ours":
            run(tool, "snapshot", parent.name, name)
        elif maker == "cowd":
            run(tool, "snapshot", parent.name, name, "-O", "vmfsSparse")
        else:
            done = subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicSparse",
                                   "-b", parent.name, "-F", "vmdk", name], capture_output=True)
            if done.returncode != 0:
                continue  # it takes only some kinds for a parent
        child = Image(name, name, parent.model)
        child.look()
        take_turns(child, seed, 2)
        # A child of the child, and the parent is as it was.
        if maker == "ours" and parent.name.startswith("ours-mono"):
            run(tool, "snapshot", name, f"{base}-top.vmdk", "--grain", "4k")
            take_turns(Image("top", f"{base}-top.vmdk", child.model), seed + 100, 2)
        parent.look()
print(f"{turns} turns, {looks} looks")
END
python3 write.py || fail "see above"
