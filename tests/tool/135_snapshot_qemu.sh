#!/bin/sh
# SPDX-License-Identifier: MIT
# Chains that `vmdk snapshot` and qemu-img make, written by both in turn.
. "$(dirname "$0")/lib.sh"
need python3 qemu-img qemu-io
make_guest
random_file data.bin 500000

qemu_write() {
  qemu-io -f vmdk -c "write -P $2 $3 $4" "$1" >io.log 2>&1 || { cat io.log >&2; fail "qemu-io: $1"; }
}
# guest PROGRAM: changes guest.raw, which `guest` is.
guest() {
  check_python "guest = bytearray(open('guest.raw', 'rb').read())
data = open('data.bin', 'rb').read()
$1
open('guest.raw', 'wb').write(guest)"
}

for options in '' '--zero-grains' '--grain 4k'; do
  rm -f base* child* grandchild*
  qemu-img convert -O vmdk -o subformat=monolithicSparse guest.raw base.vmdk || fail "qemu-img"
  # shellcheck disable=SC2086
  expect 0 snapshot base.vmdk child.vmdk $options
  expect 0 write child.vmdk 1500000 -i data.bin
  expect 0 write child.vmdk 9M --zero 300000
  guest 'guest[1500000:2000000] = data
guest[9 << 20:(9 << 20) + 300000] = bytes(300000)'
  qemu-img compare -f vmdk -F raw child.vmdk guest.raw >compare.log 2>&1 ||
    { cat compare.log >&2; fail "qemu-img sees another child ($options)"; }
  qemu-img check -f vmdk child.vmdk >check.log 2>&1 || { cat check.log >&2; fail "qemu-img check"; }
  qemu-img info --backing-chain -f vmdk child.vmdk >info.log 2>&1 || fail "qemu-img info"
  has info.log base.vmdk

  # Both write the same child.
  qemu_write child.vmdk 0x77 20971000 70000
  expect 0 write child.vmdk 21000000 -i data.bin
  guest 'guest[20971000:21041000] = b"\x77" * 70000
guest[21000000:21500000] = data'
  expect 0 compare child.vmdk guest.raw --raw-b
  qemu-img compare -f vmdk -F raw child.vmdk guest.raw >compare.log 2>&1 || fail "they disagree"

  # A child of qemu's on ours.
  qemu-img create -f vmdk -F vmdk -b child.vmdk grandchild.vmdk >/dev/null 2>&1 || fail "qemu-img create"
  qemu_write grandchild.vmdk 0x11 3000000 100000
  expect 0 write grandchild.vmdk 3050000 --zero 100000
  guest 'guest[3000000:3050000] = b"\x11" * 50000
guest[3050000:3150000] = bytes(100000)'
  expect 0 compare grandchild.vmdk guest.raw --raw-b
  qemu-img compare -f vmdk -F raw grandchild.vmdk guest.raw >compare.log 2>&1 || fail "they disagree on a grandchild"
done
