# SPDX-License-Identifier: MIT
# Read by the tests of the command. Each test runs in an empty directory of its
# own, ends with 0 (passed), 77 (skipped: something is missing) or another status,
# and uses the command that VMDK_TOOL names.
set -u

: "${VMDK_TOOL:?names the vmdk command to test}"
case $VMDK_TOOL in
  /*) ;;
  *) VMDK_TOOL=$(pwd)/$VMDK_TOOL ;;
esac
export VMDK_TOOL
project=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/vmdk-tool-test.XXXXXX") || exit 1
# The space finds missing quotes, in the tests as well.
mkdir "$work/a dir" && cd "$work/a dir" || exit 1
trap 'cd / && rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "FAIL: $*" >&2
  for lib_name in out err; do
    if [ -s "$lib_name" ]; then
      echo "-- $lib_name:" >&2
      head -c 2000 "$lib_name" | cat -v >&2
    fi
  done
  exit 1
}

skip() {
  echo "SKIP: $*" >&2
  exit 77
}

need() {
  for lib_name in "$@"; do
    command -v "$lib_name" >/dev/null 2>&1 || skip "there is no $lib_name"
  done
}

# expect STATUS ARGUMENT...: runs the command; its output is in ./out and ./err.
expect() {
  lib_wanted=$1
  shift
  "$VMDK_TOOL" "$@" >out 2>err
  lib_status=$?
  [ "$lib_status" -eq "$lib_wanted" ] ||
    fail "vmdk $*: exit status $lib_status, not $lib_wanted"
}

# has FILE TEXT: the text stands in the file.
has() {
  grep -qF -e "$2" -- "$1" || fail "'$2' is not in $1"
}

# silent: the command printed nothing.
silent() {
  if [ -s out ] || [ -s err ]; then fail "it prints"; fi
}

lines_of() {
  wc -l <"$1" | tr -d ' '
}

# check_python PROGRAM ARGUMENT...: a Python program whose assertions must hold.
check_python() {
  lib_program=$1
  shift
  python3 -c "$lib_program" "$@" >python.log 2>&1 || {
    cat python.log >&2
    fail "a check in Python failed"
  }
}

# random_file NAME BYTES: the same bytes each time.
random_file() {
  python3 -c 'import random, sys
r = random.Random(sys.argv[1])
open(sys.argv[1], "wb").write(r.randbytes(int(sys.argv[2])))' "$1" "$2" || exit 1
}

# A disk of three extents of 1 MiB each: data, zeros, data. a.raw is what a
# guest must see.
make_flat() {
  random_file a-f.bin 1048576
  random_file b-f.bin 1048576
  cat >a.vmdk <<'END'
# Disk DescriptorFile
version=1
CID=12345678
parentCID=ffffffff
createType="custom"

# Extent description
RW 2048 FLAT "a-f.bin" 0
RW 2048 ZERO
RW 2048 FLAT "b-f.bin" 0

# The Disk Data Base
ddb.adapterType = "lsilogic"
ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "3"
ddb.geometry.heads = "64"
ddb.geometry.sectors = "32"
END
  { cat a-f.bin; head -c 1048576 /dev/zero; cat b-f.bin; } >a.raw
}

# guest.raw: 40 MiB with data, zeros that are stored, and holes; not a whole
# number of grains.
make_guest() {
  python3 -c 'import random
r = random.Random(1)
f = open("guest.raw", "wb")
f.truncate((40 << 20) + 512)
for at, size in ((0, 4096), (1 << 20, 3 << 20), (9 << 20, 512), (20 << 20, 65536), (40 << 20, 512)):
    f.seek(at)
    f.write(r.randbytes(size))
f.seek((30 << 20) + 8192)
f.write(b"vmdk " * 20000)' || exit 1
}
