#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the library and the command, and converts a disk there and back.
#
#   sh docs/quickstart.sh [IMAGE.vmdk]
#
# Without IMAGE a raw image with this source tree in it is where it begins.
set -eu
given=${1:-}
case $given in '' | /*) ;; *) given=$(pwd)/$given ;; esac
cd "$(dirname "$0")/.."
. tests/packages.sh

build=build/quickstart
work=$build/demo
jobs=$(nproc 2> /dev/null || echo 2)

require_packages pkg-config g++ cmake ninja-build zlib1g-dev libcli11-dev nlohmann-json3-dev \
  nettle-dev
want_packages libdeflate-dev

echo "building in $build"
home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt" 2> /dev/null || true)
if [ -n "$home" ] && [ "$home" != "$(pwd)" ]; then rm -rf "$build"; fi
mkdir -p "$build"
generator=
[ -f "$build/CMakeCache.txt" ] || generator="-G Ninja"
# shellcheck disable=SC2086
{
  cmake -S . -B "$build" $generator -DCMAKE_BUILD_TYPE=Release -DVMDK_TOOL=ON -DVMDK_TESTS=OFF &&
    cmake --build "$build" --parallel "$jobs"
} > "$build/quickstart.log" 2>&1 || {
  tail -n 40 "$build/quickstart.log"
  echo "the build failed; all of its output is in $build/quickstart.log"
  exit 1
}
vmdk=$build/vmdk

rm -rf "$work"
mkdir -p "$work"
show() {
  echo
  echo "\$ vmdk $*"
  "$vmdk" "$@"
}

sum_of() {
  cut -d ' ' -f 1
}

if [ -n "$given" ]; then
  image=$given
  sum=$("$vmdk" hash "$image" | sum_of)
else
  # 64 MiB: one MiB of nothing, then this source tree as a tar, then nothing again.
  tar -cf "$work/tree.tar" CMakeLists.txt README.md docs include src tests
  truncate -s 64M "$work/source.raw"
  dd if="$work/tree.tar" of="$work/source.raw" bs=1M seek=1 conv=notrunc 2> /dev/null
  sum=$(sha256sum < "$work/source.raw" | sum_of)
  image=$work/disk.vmdk
  show convert "$work/source.raw" "$image" --from raw --target ova --manifest -
fi

show info "$image"
show map "$image" > "$work/map"
head -n 14 "$work/map"
[ "$(wc -l < "$work/map")" -le 14 ] || echo "... $(($(wc -l < "$work/map") - 14)) more lines"
show convert "$image" "$work/copy.vmdk"
show snapshot "$work/copy.vmdk" "$work/copy-000001.vmdk"
show compare "$image" "$work/copy-000001.vmdk"
show convert "$work/copy-000001.vmdk" "$work/disk.raw"
echo
echo "\$ vmdk convert $work/copy-000001.vmdk - -O streamOptimized | vmdk hash -"
"$vmdk" convert "$work/copy-000001.vmdk" - -O streamOptimized | "$vmdk" hash - | tee "$work/hash"

echo
raw_sum=$(sha256sum < "$work/disk.raw" | sum_of)
stream_sum=$(sum_of < "$work/hash")
echo "what the guest saw first   $sum"
echo "in the raw image           $raw_sum"
echo "in a stream                $stream_sum"
if [ "$raw_sum" != "$sum" ] || [ "$stream_sum" != "$sum" ]; then
  echo "They differ."
  exit 1
fi
rm -f "$work/disk.raw" "$work/source.raw" "$work/tree.tar"
echo "They are the same. The command is $vmdk, the library $build/libvmdk.so."
