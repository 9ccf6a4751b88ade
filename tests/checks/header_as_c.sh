#!/bin/sh
# SPDX-License-Identifier: MIT
# header_as_c.sh INCLUDE_DIR [CC CXX]: the public header stands alone, in every
# language it promises, with the given compilers and with gcc and clang where they are.
set -eu
include=$1
cc=${2:-cc}
cxx=${3:-c++}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo '#include <vmdk/vmdk.h>
extern int unit_is_not_empty;' > "$dir/header.src"
tried=0
wrong=0

# compile COMPILER LANGUAGE STANDARD...
compile() {
  compiler=$1
  language=$2
  shift 2
  command -v "$compiler" > /dev/null || return 0
  for standard in "$@"; do
    tried=$((tried + 1))
    if ! "$compiler" -x "$language" -std="$standard" -Wall -Wextra -pedantic -Werror -I"$include" \
      -fsyntax-only "$dir/header.src"; then
      echo "vmdk.h does not compile with $compiler -std=$standard"
      wrong=$((wrong + 1))
    fi
  done
}

for compiler in $(printf '%s\n' "$cc" gcc clang clang-14 | sort -u); do
  compile "$compiler" c c99 c11 c17
done
for compiler in $(printf '%s\n' "$cxx" g++ clang++ clang++-14 | sort -u); do
  compile "$compiler" c++ c++17 c++20
done
echo "$tried compilations, $wrong failed"
[ "$wrong" -eq 0 ] && [ "$tried" -ge 5 ]
