#!/bin/sh
# SPDX-License-Identifier: MIT
# version.sh SOURCE_DIR: CMakeLists.txt, vmdk.h and the CHANGELOG name one version.
set -eu
cd "$1"

build=$(sed -n 's/^project(libvmdk VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
part() { sed -n "s/^#define VMDK_VERSION_$1 \\([0-9]*\\).*/\\1/p" include/vmdk/vmdk.h; }
header=$(part MAJOR).$(part MINOR).$(part PATCH)
changelog=$(sed -n 's/^## \[\([0-9.]*\)\].*/\1/p' docs/CHANGELOG.md | head -n 1)

echo "CMakeLists.txt $build, vmdk.h $header, CHANGELOG.md $changelog"
[ -n "$build" ] && [ "$build" = "$header" ] && [ "$build" = "$changelog" ]
