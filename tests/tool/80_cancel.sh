#!/bin/sh
# SPDX-License-Identifier: MIT
# Signals: a cancelled job exits with 130 and leaves nothing. A reader that goes
# away is a quiet failure.
. "$(dirname "$0")/lib.sh"
need python3

# Much to read, and little on the host: 1 TiB of the same 16 MiB.
random_file big-f.bin 16777216
python3 -c '
print("""# Disk DescriptorFile
version=1
CID=1
parentCID=ffffffff
createType="custom"
""" + "RW 32768 FLAT \"big-f.bin\" 0\n" * 65536)' >big.vmdk
echo precious >old.raw

cat >cancel.py <<'END'
import glob, os, signal, subprocess, sys, time
tool = os.environ["VMDK_TOOL"]

def start(*arguments, **more):
    return subprocess.Popen([tool, *arguments], stderr=subprocess.PIPE, **more)

def wait_for(condition):
    end = time.time() + 30
    while not condition():
        assert time.time() < end, "nothing happens"
        time.sleep(0.01)

def finish(process, status):
    error = process.communicate(timeout=30)[1].decode()
    assert process.returncode == status, (process.args, process.returncode, error)
    return error

def files():
    return sorted(os.listdir("."))

before = files()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    process = start("read", "big.vmdk", "-o", "new.raw")
    wait_for(lambda: glob.glob("*.tmp-*"))
    assert process.poll() is None
    process.send_signal(number)
    finish(process, 130)
    assert files() == before, files()
    for arguments in (("new.raw",), ("new.raw", "--threads", "1"), ("old.raw", "--force"),
                      ("new.vmdk",), ("new.vmdk", "-O", "twoGbMaxExtentSparse"),
                      ("new.vmdk", "-O", "vmfs"), ("new.vmdk", "-O", "streamOptimized"),
                      ("-", "-O", "streamOptimized", "--digest", "digest", "--manifest", "list")):
        process = start("convert", "big.vmdk", *arguments, "--progress=plain",
                        stdout=subprocess.DEVNULL)
        process.stderr.readline()
        process.send_signal(number)
        finish(process, 130)
        assert files() == before, (arguments, files())
        assert open("old.raw").read() == "precious\n"
    for arguments in (("hash", "big.vmdk"), ("compare", "big.vmdk", "big.vmdk")):
        process = start(*arguments, "--progress=plain", stdout=subprocess.PIPE)
        process.stderr.readline()
        process.send_signal(number)
        finish(process, 130)

# Zeros are written, and nothing of them stays.
for number in (signal.SIGINT, signal.SIGTERM):
    for kind in ("vmfsEagerZeroedThick", "monolithicFlat"):
        process = start("create", "new.vmdk", "40G", "-O", kind, "--preallocate", "zeros",
                        "--progress=plain")
        process.stderr.readline()
        process.send_signal(number)
        finish(process, 130)
        assert files() == before, (kind, files())

# What was written stays written, and the disk is closed cleanly.
subprocess.run([tool, "create", "cut.vmdk", "8M"], check=True)
process = start("write", "cut.vmdk", "0", stdin=subprocess.PIPE)
process.stdin.write(b"x" * ((1 << 20) + 100))
process.stdin.flush()
wait_for(lambda: os.stat("cut.vmdk").st_blocks * 512 > 1 << 20)
pipe, process.stdin = process.stdin, None
process.send_signal(signal.SIGINT)
finish(process, 130)
pipe.close()
assert subprocess.run([tool, "read", "cut.vmdk", "0", "1M"], capture_output=True,
                      check=True).stdout == b"x" * (1 << 20)
assert b"not closed cleanly" not in subprocess.run([tool, "info", "cut.vmdk"], capture_output=True,
                                                   check=True).stdout
os.remove("cut.vmdk")

# Blocked in a pipe that nobody reads.
process = start("read", "big.vmdk", stdout=subprocess.PIPE)
time.sleep(0.3)
process.send_signal(signal.SIGINT)
process.wait(timeout=30)
assert process.returncode == 130, process.returncode

# Blocked in one that brings nothing.
for arguments in (("convert", "-", "new.vmdk"), ("convert", "-", "new.raw", "--from", "raw"),
                  ("convert", "-", "-", "-O", "raw"), ("hash", "-")):
    process = start(*arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pipe, process.stdin = process.stdin, None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    finish(process, 130)
    pipe.close()
    assert files() == before, (arguments, files())

# A signal that was ignored from the beginning stays so.
process = start("convert", "big.vmdk", "new.raw", "--progress=plain",
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
process.stderr.readline()
process.send_signal(signal.SIGINT)
time.sleep(0.3)
assert process.poll() is None
process.send_signal(signal.SIGTERM)
finish(process, 130)
assert files() == before, files()

# The reader goes away.
for arguments in (("read", "big.vmdk"), ("convert", "big.vmdk", "-", "-O", "raw"),
                  ("convert", "big-f.bin", "-", "-O", "streamOptimized", "--from", "raw")):
    process = start(*arguments, stdout=subprocess.PIPE)
    process.stdout.read(1000)
    process.stdout.close()
    error = process.stderr.read().decode()
    assert process.wait(timeout=30) == 1, process.returncode
    assert error == "", error
END
python3 cancel.py || fail "see above"
