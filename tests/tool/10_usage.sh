#!/bin/sh
# SPDX-License-Identifier: MIT
# Help, version, and what is refused as wrong usage.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

expect 0 --help
for verb in info map read write create snapshot ddb hash compare convert measure; do
  has out "  $verb "
done
cp out overview
expect 0 help
cmp -s out overview || fail "help and --help differ"
expect 0 --version
grep -qE '^vmdk [0-9]+\.[0-9]+\.[0-9]+$' out || fail "no version"

for verb in info map read write create snapshot ddb hash compare convert measure; do
  expect 0 "$verb" --help
  [ ! -s err ] || fail "help on standard error"
  has out "Usage: vmdk $verb"
  [ "$verb" = create ] || has out "--allow-path DIR"
  has out "--quiet"
  cp out help
  expect 0 "$verb" -h
  cmp -s out help || fail "$verb: -h and --help differ"
  expect 0 help "$verb"
  cmp -s out help || fail "help $verb and $verb --help differ"

  expect 2 "$verb"
  expect 2 "$verb" --no-such-option a.vmdk
  has err "vmdk $verb --help"
  [ ! -s out ] || fail "an error on standard output"
done

expect 2
expect 2 no-such-verb
has err no-such-verb
expect 2 --json info a.vmdk
expect 2 help no-such-verb
expect 2 info a.vmdk b.vmdk
expect 2 hash a.vmdk --algorithm crc32
has err crc32
expect 2 hash a.vmdk --algorithm
expect 2 info a.vmdk --threads 0
expect 2 info a.vmdk --threads 65
expect 2 info a.vmdk --threads x
expect 2 info a.vmdk --progress often
expect 2 map a.vmdk --json --svg -
expect 2 convert a.vmdk
expect 2 measure a.vmdk
has err '-O KIND'
expect 2 compare a.vmdk

# A failure is one line, and a hint only where there is one.
expect 1 info missing.vmdk
grep -q '^vmdk: missing.vmdk' err || fail "the error does not name the file"
[ "$(grep -cv '^hint: ' err)" -eq 1 ] || fail "the error is not one line"
expect 2 compare a.vmdk missing.vmdk

# Options may stand anywhere, and names that look like options behind --.
expect 0 info --json a.vmdk
expect 0 info a.vmdk --json
cp a.vmdk ./-a.vmdk
expect 0 info -- -a.vmdk
expect 0 read a.vmdk --allow-path . --allow-path=/tmp 0 16
[ "$(wc -c <out | tr -d ' ')" -eq 16 ] || fail "--allow-path took an argument of the verb"

# What a name holds does not reach the terminal.
expect 1 info "$(printf 'evil\033[2Jname')"
if grep -q "$(printf '\033')" err; then fail "an escape character was printed"; fi
has err '[2Jname'
