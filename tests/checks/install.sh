#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh BUILD_DIR [CMAKE CC CXX]: installs the build below a temporary prefix, then
# builds and runs programs against what was installed: through pkg-config and through
# CMake, in C and in C++, shared and, where it was built, static.
set -eu
build=$1
cmake=${2:-cmake}
cc=${3:-cc}
cxx=${4:-c++}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
prefix=$dir/prefix
fail() {
  echo "install.sh: $*"
  exit 1
}

"$cmake" --install "$build" --prefix "$prefix" > "$dir/install.log" 2>&1 || {
  cat "$dir/install.log"
  fail "cmake --install"
}
pc=$(find "$prefix" -name vmdk.pc)
libdir=$(dirname "$(dirname "$pc")")
version=$(sed -n 's/^Version: //p' "$pc")
static=
[ -f "$libdir/libvmdk.a" ] && static=yes
for file in include/vmdk/vmdk.h share/doc/vmdk/README.md share/doc/vmdk/LICENSE; do
  [ -f "$prefix/$file" ] || fail "$file is not installed"
done

# A disk of 1 MiB: a descriptor and its data.
printf '%s\n' '# Disk DescriptorFile' 'version=1' 'CID=12345678' 'parentCID=ffffffff' \
  'createType="monolithicFlat"' 'RW 2048 FLAT "disk-flat.vmdk" 0' > "$dir/disk.vmdk"
printf 'first bytes' > "$dir/disk-flat.vmdk"
truncate -s 1048576 "$dir/disk-flat.vmdk"

cat > "$dir/program.c" << 'END'
#include <stdio.h>
#include <string.h>
#include <vmdk/vmdk.h>

int main(int argc, char **argv) {
  vmdk_disk *disk = NULL;
  vmdk_info info;
  char data[11];
  if (argc != 3) return 2;
  if (strcmp(vmdk_version_string(), argv[2]) != 0) {
    printf("version %s, expected %s\n", vmdk_version_string(), argv[2]);
    return 1;
  }
  if (vmdk_open(argv[1], NULL, &disk) != VMDK_OK) {
    printf("%s\n", vmdk_last_error()->message);
    return 1;
  }
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  if (vmdk_get_info(disk, &info) != VMDK_OK || info.capacity != 1048576 ||
      vmdk_read_at(disk, data, sizeof data, 0) != VMDK_OK || memcmp(data, "first bytes", 11) != 0) {
    printf("wrong content: %s\n", vmdk_last_error()->message);
    return 1;
  }
  return vmdk_close(disk) == VMDK_OK ? 0 : 1;
}
END
cp "$dir/program.c" "$dir/program.cc"

# run NAME PROGRAM
run() {
  LD_LIBRARY_PATH=$libdir "$2" "$dir/disk.vmdk" "$version" || fail "$1: the program failed"
  echo "$1: ok"
}

# -- pkg-config: the files were built for another prefix, so it is told where they are --
if command -v pkg-config > /dev/null; then
  pkg() { PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --define-variable=prefix="$prefix" "$@" vmdk; }
  cflags=$(pkg --cflags)
  [ "$(echo "$cflags" | sed 's/ *$//')" = "-I$prefix/include" ] || fail "Cflags are '$cflags'"
  # shellcheck disable=SC2046
  "$cc" -std=c99 -Wall -Werror "$dir/program.c" -o "$dir/pc_c" $(pkg --cflags --libs)
  run "pkg-config, C" "$dir/pc_c"
  # shellcheck disable=SC2046
  "$cxx" -std=c++17 -Wall -Werror "$dir/program.cc" -o "$dir/pc_cxx" $(pkg --cflags --libs)
  run "pkg-config, C++" "$dir/pc_cxx"
  if [ -n "$static" ]; then
    # shellcheck disable=SC2046
    "$cc" "$dir/program.c" -o "$dir/pc_static" \
      $(pkg --static --cflags --libs | sed 's/-lvmdk/-l:libvmdk.a/')
    run "pkg-config, static" "$dir/pc_static"
  fi
fi

# -- CMake --
cat > "$dir/CMakeLists.txt" << 'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C CXX)
find_package(vmdk 1.0 REQUIRED)
add_executable(cmake_c program.c)
target_link_libraries(cmake_c PRIVATE vmdk::vmdk)
add_executable(cmake_cxx program.cc)
target_link_libraries(cmake_cxx PRIVATE vmdk::vmdk)
if(TARGET vmdk::vmdk_static)
  add_executable(cmake_static program.c)
  target_link_libraries(cmake_static PRIVATE vmdk::vmdk_static)
endif()
END
"$cmake" -S "$dir" -B "$dir/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_CXX_COMPILER="$cxx" > "$dir/cmake.log" 2>&1 &&
  "$cmake" --build "$dir/consumer" >> "$dir/cmake.log" 2>&1 || {
  cat "$dir/cmake.log"
  fail "building through CMake"
}
run "CMake, C" "$dir/consumer/cmake_c"
run "CMake, C++" "$dir/consumer/cmake_cxx"
[ -z "$static" ] || run "CMake, static" "$dir/consumer/cmake_static"

# -- the command, which finds its library by itself --
if [ -x "$prefix/bin/vmdk" ]; then
  "$prefix/bin/vmdk" info "$dir/disk.vmdk" > "$dir/info" || fail "the installed command"
  for file in share/man/man1/vmdk.1 share/bash-completion/completions/vmdk \
    share/zsh/site-functions/_vmdk share/fish/vendor_completions.d/vmdk.fish; do
    [ -f "$prefix/$file" ] || fail "$file is not installed"
  done
  echo "command: ok"
fi
