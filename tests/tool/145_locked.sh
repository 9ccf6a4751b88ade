#!/bin/sh
# SPDX-License-Identifier: MIT
# Locks as a user meets them: readers share a disk, a writer has it alone, and messages name the holder.
. "$(dirname "$0")/lib.sh"
need python3
expect 0 create disk.vmdk 4M
expect 0 create flat.vmdk 4M -O monolithicFlat

cat >locked.py <<'END'
import os, shutil, subprocess, time

tool = os.environ["VMDK_TOOL"]

def run(*arguments):
    done = subprocess.run([tool, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return done.returncode, done.stderr.decode()

def works(*arguments):
    status, error = run(*arguments)
    assert status == 0, (arguments, status, error)

def refused(*arguments, word="in use"):
    status, error = run(*arguments)
    assert status == 1 and word in error, (arguments, status, error)
    return error

def wait_for(condition):
    end = time.time() + 30
    while not condition():
        assert time.time() < end, "nothing happens"
        time.sleep(0.01)

# A writer that has begun and waits for more. Nobody may look meanwhile: that would lock it out.
def start_writer(disk, data):
    before = os.stat(data).st_mtime_ns
    writer = subprocess.Popen([tool, "write", disk, "0"], stdin=subprocess.PIPE)
    writer.stdin.write(b"data" * (1 << 18))
    writer.stdin.flush()
    wait_for(lambda: os.stat(data).st_mtime_ns != before)
    return writer

for disk, data in (("disk.vmdk", "disk.vmdk"), ("flat.vmdk", "flat-flat.vmdk")):
    writer = start_writer(disk, data)
    error = refused("info", disk)
    assert "vmdk" in error and "hint: " in error, error
    if os.path.isdir("/proc/self/fdinfo"):
        assert str(writer.pid) in error, error
    refused("read", disk)
    refused("write", disk, "0", "--zero", "512")
    refused("ddb", disk, "comment=a")
    refused("snapshot", disk, "child.vmdk")
    assert not os.path.exists("child.vmdk")
    works("info", disk, "--no-lock")
    works("hash", disk, "-U")
    writer.stdin.close()
    assert writer.wait(timeout=30) == 0
    works("info", disk)

    # A reader that nobody reads from: 4 MiB do not fit a pipe.
    reader = subprocess.Popen([tool, "read", disk], stdout=subprocess.PIPE)
    assert reader.stdout.read(4) == b"data"
    works("hash", disk)
    refused("write", disk, "0", "--zero", "512")
    refused("ddb", disk, "comment=a")
    assert len(reader.stdout.read()) == (4 << 20) - 4
    assert reader.wait(timeout=30) == 0
    works("write", disk, "0", "--zero", "512")

    # The folder with which VMware marks a disk in use.
    os.mkdir(disk + ".lck")
    open(disk + ".lck/M00001.lck", "wb").write(b"host")
    works("info", disk)
    refused("write", disk, "0", "--zero", "512", word=".lck")
    works("write", disk, "0", "--zero", "512", "--no-lock")
    shutil.rmtree(disk + ".lck")
    works("write", disk, "0", "--zero", "512")

    # A running virtual machine, as far as locks are concerned.
    if shutil.which("qemu-io"):
        qemu = subprocess.Popen(["qemu-io", "-f", "vmdk", disk], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        qemu.stdout.read(1)  # its prompt
        refused("write", disk, "0", "--zero", "512")
        refused("info", disk)
        works("info", disk, "--no-lock")
        qemu.stdin.write(b"quit\n")
        qemu.stdin.close()
        assert qemu.wait(timeout=30) == 0
        works("info", disk)
        writer = start_writer(disk, data)
        done = subprocess.run(["qemu-io", "-f", "vmdk", "-c", "read 0 512", disk], capture_output=True)
        assert done.returncode != 0 and b"lock" in done.stderr, done
        writer.stdin.close()
        assert writer.wait(timeout=30) == 0
END
python3 locked.py || fail "see above"
