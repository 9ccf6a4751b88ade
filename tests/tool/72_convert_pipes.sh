#!/bin/sh
# SPDX-License-Identifier: MIT
# `vmdk convert` and `vmdk hash` through pipes on both sides.
. "$(dirname "$0")/lib.sh"
need python3 sha256sum
make_guest
wanted=$(sha256sum <guest.raw | cut -d ' ' -f 1)
capacity=$(stat -c %s guest.raw)

nothing_left() {
  [ ! -e new.vmdk ] || fail "a failed job left its file"
  if ls ./*.tmp-* ./.*.tmp-* ./*.raw-* >/dev/null 2>&1; then fail "temporary files are left"; fi
}

# Out of a file into a pipe and on.
[ "$("$VMDK_TOOL" convert guest.raw - --from raw -O streamOptimized | "$VMDK_TOOL" hash -)" = "$wanted  -" ] ||
  fail "the digest of a stream is wrong"
expect 0 convert guest.raw stream.vmdk --from raw -O streamOptimized
for kind in monolithicSparse streamOptimized twoGbMaxExtentSparse monolithicFlat vmfsSparse raw; do
  rm -f new*
  # shellcheck disable=SC2002
  cat stream.vmdk | "$VMDK_TOOL" convert - new.vmdk -O $kind 2>err || fail "$kind from a pipe"
  [ ! -s err ] || fail "messages without a terminal"
  from=vmdk
  [ $kind != raw ] || from=raw
  expect 0 hash new.vmdk --from $from
  [ "$(cut -d ' ' -f 1 out)" = "$wanted" ] || fail "$kind from a pipe differs"
done
rm -f new*
# shellcheck disable=SC2002
cat stream.vmdk | "$VMDK_TOOL" convert - - -O raw | cmp -s - guest.raw || fail "stream to raw differs"
# shellcheck disable=SC2002
cat stream.vmdk | "$VMDK_TOOL" convert - - -O streamOptimized | "$VMDK_TOOL" convert - - -O raw |
  cmp -s - guest.raw || fail "stream to stream differs"
"$VMDK_TOOL" convert - - -O raw <stream.vmdk | cmp -s - guest.raw || fail "a file as standard input differs"
"$VMDK_TOOL" convert stream.vmdk - --target ova | "$VMDK_TOOL" convert - - -O raw |
  cmp -s - guest.raw || fail "a stream for a target differs"

# Raw bytes, with and without a word of how many.
for size in '' "--capacity $capacity"; do
  for kind in raw monolithicSparse streamOptimized; do
    rm -f new*
    # shellcheck disable=SC2002,SC2086
    cat guest.raw | "$VMDK_TOOL" convert - new.vmdk --from raw -O $kind $size 2>err || fail "raw to $kind"
    from=vmdk
    [ $kind != raw ] || from=raw
    expect 0 hash new.vmdk --from $from
    [ "$(cut -d ' ' -f 1 out)" = "$wanted" ] || fail "$kind from raw bytes differs"
  done
  # shellcheck disable=SC2002,SC2086
  cat guest.raw | "$VMDK_TOOL" convert - - --from raw -O raw $size | cmp -s - guest.raw || fail "raw to raw"
done
rm -f new*
# shellcheck disable=SC2002
[ "$(cat guest.raw | "$VMDK_TOOL" hash - --from raw)" = "$wanted  -" ] || fail "the digest of raw bytes"
# shellcheck disable=SC2002
cat guest.raw | "$VMDK_TOOL" convert - - --from raw -O streamOptimized --capacity "$capacity" |
  "$VMDK_TOOL" convert - - -O raw | cmp -s - guest.raw || fail "raw to a stream differs"
# shellcheck disable=SC2094
"$VMDK_TOOL" convert - - --from raw -O streamOptimized <guest.raw | "$VMDK_TOOL" convert - - -O raw |
  cmp -s - guest.raw || fail "a raw file as standard input differs"
# shellcheck disable=SC2002
cat guest.raw | "$VMDK_TOOL" convert - - --from raw -O streamOptimized >out 2>err
[ $? -eq 2 ] || fail "a stream needs its capacity first"
has err --capacity
head -c 1000 guest.raw | "$VMDK_TOOL" convert - odd.raw --from raw || fail "bytes that end inside a sector"
[ "$(stat -c %s odd.raw)" -eq 1024 ] || fail "not whole sectors"

# Named pipes on both sides.
mkfifo in out.fifo
cat stream.vmdk >in &
expect 0 convert in new.vmdk
wait
expect 0 hash new.vmdk
[ "$(cut -d ' ' -f 1 out)" = "$wanted" ] || fail "out of a named pipe differs"
cat stream.vmdk >in &
"$VMDK_TOOL" hash in >digest || fail "hash of a named pipe"
wait
[ "$(cat digest)" = "$wanted  in" ] || fail "the digest of a named pipe is wrong"
cat out.fifo >through &
expect 0 convert stream.vmdk out.fifo
wait
cmp -s through guest.raw || fail "into a named pipe differs"
[ -p out.fifo ] || fail "the pipe was replaced"
rm new.vmdk

# refused TEXT FILE: it is refused as standard input, with these words.
refused() {
  "$VMDK_TOOL" convert - new.vmdk <"$2" >out 2>err
  [ $? -eq 1 ] || fail "$2 is not refused"
  has err "$1"
  nothing_left
  "$VMDK_TOOL" convert - - -O raw <"$2" >/dev/null 2>err && fail "$2 is not refused where it goes to a pipe"
  "$VMDK_TOOL" hash - <"$2" >out 2>err && fail "$2 is not refused by hash"
}
size=$(stat -c %s stream.vmdk)
for part in 1000 65536 1000000 $((size - 512)) $((size - 1024)) $((size / 2)); do
  head -c "$part" stream.vmdk >short
  refused 'input stream: ' short
done
{ cat stream.vmdk; echo garbage; } >garbage
refused "the byte $size" garbage
expect 0 convert stream.vmdk sparse.vmdk
refused 'cannot be read in order' sparse.vmdk
refused '--from raw' guest.raw
: >nothing
refused 'is empty' nothing
"$VMDK_TOOL" convert - new.vmdk --from raw --capacity 64M <guest.raw >out 2>err && fail "too few bytes are taken"
nothing_left
"$VMDK_TOOL" convert - new.vmdk --from raw --capacity 1M <guest.raw >out 2>err && fail "too many bytes are taken"
nothing_left
expect 2 convert - new.vmdk --recover
expect 2 convert - new.vmdk --member x

# A reader that leaves is a quiet failure.
{ "$VMDK_TOOL" convert stream.vmdk - -O raw 2>err; echo $? >status; } | head -c 100 >/dev/null
[ "$(cat status)" -eq 1 ] || fail "a closed pipe is not noticed"
[ ! -s err ] || fail "a closed pipe makes noise"
# shellcheck disable=SC2002
{ cat stream.vmdk | "$VMDK_TOOL" convert - - -O raw 2>err; echo $? >status; } | head -c 100 >/dev/null
[ "$(cat status)" -eq 1 ] || fail "a closed pipe behind a pipe is not noticed"
[ ! -s err ] || fail "a closed pipe behind a pipe makes noise"

# Members of archives.
echo '<Envelope/>' >x.ovf
python3 -c '
import tarfile
with tarfile.open("two.ova", "w", format=tarfile.USTAR_FORMAT) as t:
    for m in ("x.ovf", "stream.vmdk", "sparse.vmdk"):
        t.add(m)'
expect 0 convert two.ova:stream.vmdk - -O raw
cmp -s out guest.raw || fail "a member differs"
expect 0 convert two.ova --member stream.vmdk new.vmdk
expect 0 compare new.vmdk stream.vmdk

# A shown progress, with and without a known end.
expect 0 convert stream.vmdk shown.raw --progress plain
has err 'convert: 100%'
