#!/bin/sh
# SPDX-License-Identifier: MIT
# Locks beside qemu: who may open a disk that somebody has open, in all combinations of this library and
# qemu, of writers, readers and those that ask for no locks.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-io qemu-img python3

cat >locks.py <<'END'
import os, subprocess

tool = os.environ["VMDK_TOOL"]
cells = 0

def run(*arguments):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()

# Holders: each is started, says when it is open, and ends when its input does.
class Ours:
    def __init__(self, disk, use):
        if use == "writer":
            self.process = subprocess.Popen([tool, "write", disk, "0"], stdin=subprocess.PIPE)
            self.process.stdin.write(b"d" * (2 << 20))
            self.process.stdin.flush()  # what a pipe does not hold it has taken
        else:
            extra = ["-U"] if use == "force" else []
            self.process = subprocess.Popen([tool, "read", disk, *extra], stdout=subprocess.PIPE)
            assert len(self.process.stdout.read(4)) == 4
    def end(self):
        if self.process.stdin:
            self.process.stdin.close()
        else:
            self.process.stdout.read()
        assert self.process.wait(timeout=60) == 0

class Theirs:
    def __init__(self, disk, use):
        extra = {"writer": [], "reader": ["-r"], "force": ["-r", "-U"]}[use]
        self.process = subprocess.Popen(["qemu-io", "-f", "vmdk", *extra, disk], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.read(1)  # its prompt
    def end(self):
        self.process.stdin.write(b"quit\n")
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0
        self.process.stdout.close()

def ours_comes(disk, use):
    if os.path.exists("piece"):
        os.remove("piece")
    status, text = run(*{"writer": [tool, "write", disk, "4M", "--zero", "512"],
                         "reader": [tool, "read", disk, "0", "512", "-o", "piece"],
                         "force": [tool, "read", disk, "0", "512", "-U", "-o", "piece"]}[use])
    if status != 0:
        assert "in use" in text, text
    return status == 0, text

def theirs_comes(disk, use):
    extra = {"writer": [], "reader": ["-r"], "force": ["-r", "-U"]}[use]
    status, text = run("qemu-io", "-f", "vmdk", *extra, "-c", "read 0 512", disk)
    if status != 0:
        assert "lock" in text, text
    return status == 0, text

goes = {("reader", "reader"), ("reader", "force"), ("force", "reader"), ("force", "force"),
        ("writer", "force"), ("force", "writer")}
holders = {"ours": Ours, "theirs": Theirs}
comers = {"ours": ours_comes, "theirs": theirs_comes}
wrong = []
for kind in ("monolithicSparse", "monolithicFlat", "vmfsSparse"):
    disk = f"{kind}.vmdk"
    assert run(tool, "create", disk, "8M", "-O", kind)[0] == 0
    for there in holders:
        for use in ("writer", "reader", "force"):
            for comes in comers:
                for how in ("writer", "reader", "force"):
                    # A forced reader of ours reads what a writer holds in memory only: damage it may see is no lock.
                    holder = holders[there](disk, use)
                    good, text = comers[comes](disk, how)
                    # In qemu a reader that shares by force still shares only reading of its children.
                    wanted = (use, how) in goes
                    cells += 1
                    if good != wanted:
                        wrong.append((kind, there, use, comes, how, good, text[-300:]))
                    if comes == "ours" and not good and os.path.isdir("/proc/self/fdinfo"):
                        if str(holder.process.pid) not in text:
                            wrong.append(("the holder is not named", kind, there, use, how, text))
                    holder.end()
assert not wrong, "\n".join(map(str, wrong))
print(f"{cells} combinations")
END
python3 locks.py || fail "see above"
