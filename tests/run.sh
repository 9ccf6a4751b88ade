#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds, and runs every test that this machine can run.
# What was skipped for lack of something is named at the end, with the figures of the proof suites; the
# last line is that of ctest.
#
#   sh tests/run.sh [ARGUMENTS OF CTEST]
#
# VMDK_CORPUS  real images with an index.tsv; default ../shared/corpus beside the tree
# VMDK_BUILD   where to build; default build/tests
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
cd "$source"
. tests/packages.sh

build=${VMDK_BUILD:-build/tests}
corpus=${VMDK_CORPUS:-../shared/corpus}
case $corpus in /*) ;; *) corpus=$source/$corpus ;; esac
jobs=$(nproc 2> /dev/null || echo 2)

require_packages pkg-config g++ cmake ninja-build python3 zlib1g-dev libcmocka-dev libcli11-dev \
  nlohmann-json3-dev nettle-dev
want_packages libdeflate-dev qemu-utils libvmdk-utils doxygen
[ -f "$corpus/index.tsv" ] || echo "no corpus in $corpus: the tests that read it are skipped"

# A build folder that came along with a copy of the tree is of no use.
home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt" 2> /dev/null || true)
if [ -n "$home" ] && [ "$home" != "$source" ]; then rm -rf "$build"; fi
mkdir -p "$build"
generator=
[ -f "$build/CMakeCache.txt" ] || generator="-G Ninja"

# logged WHAT COMMAND...: shows the end of the output if the command fails
logged() {
  what=$1
  shift
  echo "$what"
  "$@" > "$build/$what.log" 2>&1 || {
    tail -n 60 "$build/$what.log"
    echo "$what failed; all of its output is in $build/$what.log"
    exit 1
  }
}

# -O2 as released, but with assertions.
# shellcheck disable=SC2086
logged configure cmake -S . -B "$build" $generator -DVMDK_TESTS=ON -DVMDK_TOOL=ON \
  -DVMDK_CORPUS="$corpus" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O2 -g1" -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1"
logged build cmake --build "$build" --parallel "$jobs"

cd "$build"
{ ctest --output-on-failure --parallel "$jobs" "$@" && echo 0 > status || echo 1 > status; } | tee ctest.log
sed -n 's/^figure: /proof: /p' Testing/Temporary/LastTest.log
grep -E '^[0-9]+% tests passed' ctest.log || echo "no test was run"
exit "$(cat status)"
