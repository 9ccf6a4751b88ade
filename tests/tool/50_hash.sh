#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk hash` gives what the usual commands give of the raw image.
. "$(dirname "$0")/lib.sh"
need python3 sha256sum sha1sum md5sum sha512sum
make_flat

for threads in 1 2; do
  for algorithm in sha256 sha1 md5 sha512; do
    wanted=$("${algorithm}sum" <a.raw | cut -d ' ' -f 1)
    expect 0 hash a.vmdk --algorithm $algorithm --threads $threads
    [ "$(cat out)" = "$wanted  a.vmdk" ] || fail "$algorithm with $threads threads is wrong"
  done
done
expect 0 hash a.vmdk
[ "$(cut -d ' ' -f 1 out)" = "$(sha256sum <a.raw | cut -d ' ' -f 1)" ] || fail "the default is not sha256"
[ ! -s err ] || fail "messages without a terminal"

# One bit makes a difference.
python3 -c '
f = open("b-f.bin", "r+b")
f.seek(1048575)
last = f.read(1)[0]
f.seek(1048575)
f.write(bytes([last ^ 1]))'
expect 0 hash a.vmdk
[ "$(cut -d ' ' -f 1 out)" != "$(sha256sum <a.raw | cut -d ' ' -f 1)" ] || fail "the last byte does not count"

# A disk of zeros alone.
printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="custom"\nRW 20481 ZERO\n' >z.vmdk
expect 0 hash z.vmdk
[ "$(cut -d ' ' -f 1 out)" = "$(head -c 10486272 /dev/zero | sha256sum | cut -d ' ' -f 1)" ] ||
  fail "zeros are not hashed"
