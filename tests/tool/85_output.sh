#!/bin/sh
# SPDX-License-Identifier: MIT
# Every write is checked; progress shows where it is asked for.
. "$(dirname "$0")/lib.sh"
need python3
make_flat

if [ -c /dev/full ]; then
  for command in 'info a.vmdk' 'info a.vmdk --json' 'map a.vmdk' 'map a.vmdk --svg -' 'read a.vmdk' \
    'hash a.vmdk' 'convert a.vmdk - -O raw' 'convert a.vmdk - -O streamOptimized' \
    'convert a.vmdk x.raw --force --manifest -' 'measure a.vmdk -O raw' '--help' 'info --help' '--version'; do
    # shellcheck disable=SC2086
    "$VMDK_TOOL" $command >/dev/full 2>err
    status=$?
    [ "$status" -eq 1 ] || fail "vmdk $command to a full device: exit status $status"
    has err 'standard output: '
  done
  "$VMDK_TOOL" compare a.vmdk a.vmdk >/dev/full 2>err
  [ $? -eq 2 ] || fail "compare to a full device is not trouble"
  expect 1 read a.vmdk -o /dev/full
  has err '/dev/full'
  expect 1 convert a.vmdk /dev/full
  has err 'vmdk: /dev/full: '
  [ "$(lines_of err)" -eq 1 ] || fail "more than one line"
fi
expect 0 read a.vmdk -o /dev/null
expect 0 convert a.vmdk /dev/null
expect 0 convert a.vmdk /dev/null -O streamOptimized
[ -c /dev/null ] || fail "/dev/null was replaced"
"$VMDK_TOOL" info a.vmdk >&- 2>err
[ $? -eq 1 ] || fail "a closed standard output is not noticed"

# Too large for what files may be: nothing is left.
sh -c 'ulimit -f 1000 && exec "$VMDK_TOOL" convert a.vmdk limited.raw' >out 2>err
[ $? -eq 1 ] || fail "a file size limit is not noticed"
[ ! -e limited.raw ] || fail "a half-made file is left"
if ls ./*.tmp-* >/dev/null 2>&1; then fail "temporary files are left"; fi

for verb in 'hash a.vmdk' 'compare a.vmdk a.vmdk' 'convert a.vmdk - -O raw' 'read a.vmdk'; do
  # shellcheck disable=SC2086
  expect 0 $verb --progress plain
  has err "${verb%% *}: 0%"
  has err "${verb%% *}: 100%"
  # shellcheck disable=SC2086
  expect 0 $verb --progress=plain -q
  [ ! -s err ] || fail "-q shows progress"
  # shellcheck disable=SC2086
  expect 0 $verb
  [ ! -s err ] || fail "progress without a terminal"
done
