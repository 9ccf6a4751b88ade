#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the library and the command, and shows them at work.
#
#   sh docs/quickstart.sh [IMAGE.vmdk]
#
# Without IMAGE, qemu-img makes one; without qemu-img, one of VMDK_CORPUS is taken.
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
if [ -z "$given" ] && [ -z "${VMDK_CORPUS:-}" ]; then want_packages qemu-utils; fi

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
source_sum=
if [ -n "$given" ]; then
  image=$given
elif command -v qemu-img > /dev/null; then
  # 64 MiB: one MiB of nothing, then this source tree as a tar, then nothing again.
  tar -cf "$work/tree.tar" CMakeLists.txt README.md docs include src tests
  truncate -s 64M "$work/source.raw"
  dd if="$work/tree.tar" of="$work/source.raw" bs=1M seek=1 conv=notrunc 2> /dev/null
  qemu-img convert -O vmdk -o subformat=streamOptimized "$work/source.raw" "$work/disk.vmdk"
  source_sum=$(sha256sum < "$work/source.raw" | cut -d ' ' -f 1)
  image=$work/disk.vmdk
elif [ -f "${VMDK_CORPUS:-../shared/corpus}/index.tsv" ]; then
  corpus=${VMDK_CORPUS:-../shared/corpus}
  image=$corpus/$(awk -F '\t' '$4 == "yes" && length($6) == 64 {print $1; exit}' "$corpus/index.tsv")
else
  echo "There is no image to read: name one, or install qemu-img."
  exit 1
fi

show() {
  echo
  echo "\$ vmdk $*"
  "$vmdk" "$@"
}

show info "$image"
show map "$image" > "$work/map"
head -n 14 "$work/map"
[ "$(wc -l < "$work/map")" -le 14 ] || echo "... $(($(wc -l < "$work/map") - 14)) more lines"
show hash "$image"
image_sum=$("$vmdk" hash "$image" | cut -d ' ' -f 1)
show convert "$image" "$work/disk.raw" -O raw
raw_sum=$(sha256sum < "$work/disk.raw" | cut -d ' ' -f 1)

echo
echo "what the guest sees   $image_sum"
echo "converted to raw      $raw_sum"
[ -z "$source_sum" ] || echo "before it was a VMDK  $source_sum"
if [ "$image_sum" != "$raw_sum" ] || [ "${source_sum:-$raw_sum}" != "$raw_sum" ]; then
  echo "They differ."
  exit 1
fi
if [ -z "$given" ]; then
  show create "$work/copy.vmdk" "$(stat -c %s "$work/disk.raw")"
  show write "$work/copy.vmdk" 0 -i "$work/disk.raw"
  show snapshot "$work/copy.vmdk" "$work/copy-000001.vmdk"
  show compare "$image" "$work/copy-000001.vmdk"
  echo
fi
rm -f "$work/disk.raw" "$work/source.raw" "$work/tree.tar"
echo "They are the same. The command is $vmdk, the library $build/libvmdk.so."
