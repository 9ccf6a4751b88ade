#!/bin/sh
# SPDX-License-Identifier: MIT
# Sources that cannot be read everywhere: an error that says where, or with --salvage zeros.
. "$(dirname "$0")/lib.sh"
need python3 sha256sum
make_guest

expect 0 convert guest.raw stream.vmdk --from raw -O streamOptimized --level 1
# Two grains next to each other, at 1 MiB, and one at 20 MiB, are damaged; hurt.raw is what is left.
python3 -c '
import struct
data = bytearray(open("stream.vmdk", "rb").read())
raw = bytearray(open("guest.raw", "rb").read())
at, hurt = 512, 0
at = 128 * 512
lost = {1 << 20, (1 << 20) + 65536, 20 << 20}
while True:
    sector, size = struct.unpack_from("<QI", data, at)
    if size == 0:
        kind = struct.unpack_from("<I", data, at + 12)[0]
        if kind == 0:
            break
        at += 512 + (sector * 512 if kind != 3 else 512)
        continue
    if sector * 512 in lost:
        data[at + 12 + size - 2] ^= 0x55
        raw[sector * 512:sector * 512 + 65536] = bytes(65536)
        hurt += 1
    at = (at + 12 + size + 511) // 512 * 512
assert hurt == 3, hurt
open("hurt.vmdk", "wb").write(data)
open("hurt.raw", "wb").write(raw)' || fail "no damage"

for kind in raw monolithicSparse streamOptimized; do
  for threads in 1 2; do
    expect 1 convert hurt.vmdk new.vmdk -O $kind --threads $threads
    [ "$(lines_of err)" -eq 1 ] || fail "more than one line"
    has err 'vmdk: hurt.vmdk: '
    has err 'bytes 1048576 to '
    [ ! -e new.vmdk ] || fail "a failed job left its file"
    expect 1 convert hurt.vmdk new.vmdk -O $kind --salvage --threads $threads
    [ "$(lines_of err)" -eq 3 ] || fail "not a line for each range, and one more"
    has err 'vmdk: lost 131072 bytes at 1048576: hurt.vmdk: '
    has err 'vmdk: lost 65536 bytes at 20971520: hurt.vmdk: '
    has err 'vmdk: hurt.vmdk: 196608 bytes in 2 places could not be read and are zeros in new.vmdk'
    from=vmdk
    [ $kind != raw ] || from=raw
    expect 0 hash new.vmdk --from $from
    [ "$(cut -d ' ' -f 1 out)" = "$(sha256sum <hurt.raw | cut -d ' ' -f 1)" ] || fail "$kind: wrong content"
    rm new.vmdk
  done
done

# The same from a pipe, and into one.
"$VMDK_TOOL" convert - new.raw --salvage <hurt.vmdk >out 2>err
[ $? -eq 1 ] || fail "lost data is no failure"
has err 'vmdk: standard input: 196608 bytes in 2 places could not be read and are zeros in new.raw'
cmp -s new.raw hurt.raw || fail "the content of a damaged stream differs"
expect 1 convert hurt.vmdk - -O raw --salvage
cmp -s out hurt.raw || fail "the content in a pipe differs"
has err 'zeros in standard output'
expect 1 hash hurt.vmdk
has err 'vmdk: hurt.vmdk: '
"$VMDK_TOOL" hash - <hurt.vmdk >out 2>err && fail "a damaged stream has a digest"

# Nothing lost is nothing to say.
expect 0 convert stream.vmdk whole.raw --salvage
silent
cmp -s whole.raw guest.raw || fail "--salvage changes a good disk"

# An end that is missing is no place to put zeros.
head -c 3000000 stream.vmdk >cut.vmdk
"$VMDK_TOOL" convert - cut.raw --salvage <cut.vmdk >out 2>err
[ $? -eq 1 ] || fail "a stream that ends early is no failure"
[ ! -e cut.raw ] || fail "a failed job left its file"

# Tables that lead nowhere.
expect 0 convert guest.raw sparse.vmdk --from raw
python3 -c '
import struct
data = bytearray(open("sparse.vmdk", "rb").read())
directory = struct.unpack_from("<Q", data, 56)[0] * 512
table = struct.unpack_from("<I", data, directory)[0] * 512
struct.pack_into("<I", data, table + 16 * 4, 0x7fffffff)
open("sparse.vmdk", "wb").write(data)'
expect 1 convert sparse.vmdk table.raw
[ ! -e table.raw ] || fail "a failed job left its file"
expect 1 convert sparse.vmdk table.raw --salvage
has err 'vmdk: lost 65536 bytes at 1048576: '
[ "$(lines_of err)" -eq 2 ] || fail "not two lines"
