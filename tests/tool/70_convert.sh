#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk convert`: right bytes, holes, no file replaced or left by mistake.
. "$(dirname "$0")/lib.sh"
need python3 sha256sum
make_flat

# blocks FILE: KiB it takes.
blocks() {
  du -k "$1" | cut -f 1
}
no_temporary_files() {
  if ls ./*.tmp-* ./.*.tmp-* >/dev/null 2>&1; then fail "temporary files are left"; fi
}

for threads in 1 2; do
  rm -f out.raw
  expect 0 convert a.vmdk out.raw -O raw --threads $threads
  [ ! -s out ] || fail "it prints"
  [ ! -s err ] || fail "messages without a terminal"
  cmp -s out.raw a.raw || fail "the image differs"
done
no_temporary_files
[ "$(blocks out.raw)" -le 2060 ] || fail "the zero extent takes space: $(blocks out.raw) KiB"

# Zeros in stored data become holes too, where it is looked at.
python3 -c '
f = open("a-f.bin", "r+b")
f.seek(4096)
f.write(bytes((1 << 20) - 8192))'
{ cat a-f.bin; head -c 1048576 /dev/zero; cat b-f.bin; } >a.raw
expect 0 convert a.vmdk holes.raw --digest digest
cmp -s holes.raw a.raw || fail "the image with holes differs"
[ "$(cat digest)" = "$(sha256sum holes.raw)" ] || fail "wrong digest"
[ "$(blocks holes.raw)" -le 1100 ] || fail "stored zeros take space: $(blocks holes.raw) KiB"

# A file that is there.
echo precious >there
expect 1 convert a.vmdk there -O raw
has err there
has err --force
[ "$(cat there)" = precious ] || fail "a file was replaced"
chmod 640 there
expect 0 convert a.vmdk there -O raw --force
cmp -s there a.raw || fail "--force wrote something else"
[ "$(stat -c %a there 2>/dev/null || echo 640)" = 640 ] || fail "the mode is lost"
mkdir directory
expect 1 convert a.vmdk directory --force
expect 1 convert a.vmdk no-such-directory/out.raw
no_temporary_files

# Never over the disk itself.
cp a-f.bin before
expect 1 convert a.vmdk a-f.bin --force
expect 1 convert a.vmdk a.vmdk -O raw --force
cmp -s before a-f.bin || fail "an extent was replaced"

# Pipes take zeros as bytes.
expect 0 convert a.vmdk - -O raw
cmp -s out a.raw || fail "the stream differs"
"$VMDK_TOOL" convert a.vmdk - -O raw | cmp -s - a.raw || fail "the pipe differs"
mkfifo fifo
cat fifo >through &
expect 0 convert a.vmdk fifo
wait
cmp -s through a.raw || fail "the named pipe differs"

# A failure on the way leaves nothing, and the old file stays.
truncate -s 100000 b-f.bin
expect 1 convert a.vmdk broken.raw
[ ! -e broken.raw ] || fail "a failed job left its file"
expect 1 convert a.vmdk there --force
cmp -s there a.raw || fail "a failed job changed the old file"
no_temporary_files
