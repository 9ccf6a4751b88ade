#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk convert --manifest` and `--digest`: what sha256sum and sha1sum say.
. "$(dirname "$0")/lib.sh"
need python3 sha256sum sha1sum
make_flat
guest=$(sha256sum <a.raw | cut -d ' ' -f 1)

# line_of ALGORITHM FILE [NAME]: its line of a manifest.
line_of() {
  echo "$(echo "$1" | tr '[:lower:]' '[:upper:]')(${3:-$2})= $("${1}sum" <"$2" | cut -d ' ' -f 1)"
}
# listed LINE...: out holds these lines.
listed() {
  printf '%s\n' "$@" | cmp -s - out || fail "not $*"
}

for threads in 1 2; do
  for kind in streamOptimized raw monolithicSparse; do
    rm -f new.vmdk list digest
    expect 0 convert a.vmdk new.vmdk -O $kind --manifest - --sha1 --threads $threads
    listed "$(line_of sha256 new.vmdk)" "$(line_of sha1 new.vmdk)"
    rm -f new.vmdk
    expect 0 convert a.vmdk ./new.vmdk -O $kind --manifest list --digest digest --threads $threads
    silent
    mv list out
    listed "$(line_of sha256 new.vmdk)"
    [ "$(cat digest)" = "$guest  ./new.vmdk" ] || fail "$kind: the digest of the guest is wrong"
    expect 0 convert a.vmdk - -O raw --digest digest --threads $threads
    [ "$(cat digest)" = "$guest  -" ] || fail "$kind: the digest of a stream's guest is wrong"
  done
done
[ "$("$VMDK_TOOL" convert a.vmdk again.raw --digest -)" = "$guest  again.raw" ] || fail "--digest -"

# All files of a disk, the descriptor first.
for kind in 'twoGbMaxExtentSparse --split 1M' 'twoGbMaxExtentFlat --split 1M' vmfs; do
  rm -f split*
  # shellcheck disable=SC2086
  expect 0 convert a.vmdk split.vmdk -O $kind --manifest - --digest list
  mv out lines
  [ "$(lines_of lines)" -eq "$(find . -name 'split*' | wc -l)" ] || fail "$kind: not a line for each file"
  for file in split*; do
    has lines "$(line_of sha256 "$file")"
  done
  head -n 1 lines | grep -qF '(split.vmdk)' || fail "$kind: the descriptor is not the first"
  [ "$(cat list)" = "$guest  split.vmdk" ] || fail "$kind: the digest of the guest is wrong"
done

# To a pipe, and from one.
expect 0 convert a.vmdk - --target ova --manifest list --sha1
mv out disk.vmdk
mv list out
listed "$(line_of sha256 disk.vmdk)" "$(line_of sha1 disk.vmdk)"
expect 0 convert a.vmdk - --target ova --manifest list --manifest-name vm-disk1.vmdk
mv out disk.vmdk
mv list out
listed "$(line_of sha256 disk.vmdk vm-disk1.vmdk)"
"$VMDK_TOOL" convert - from.raw --manifest - --digest list <disk.vmdk >out || fail "from a pipe"
listed "$(line_of sha256 from.raw)"
[ "$(cat list)" = "$guest  from.raw" ] || fail "the digest of a stream is wrong"
cmp -s from.raw a.raw || fail "the image differs"

# A failure leaves no note, and a note that cannot be written costs nothing.
rm -f list
expect 1 convert a.vmdk from.raw --manifest list --digest digest2
if [ -e list ] || [ -e digest2 ]; then fail "a failed job left a manifest"; fi
expect 1 convert a.vmdk late.vmdk --manifest no-such-directory/list
[ ! -e late.vmdk ] || fail "a job went on without its manifest"
for victim in a.vmdk a-f.bin; do
  expect 1 convert a.vmdk late.vmdk --manifest $victim
  expect 1 convert a.vmdk late.vmdk --digest $victim
done
expect 0 compare a.vmdk a.raw --raw-b
