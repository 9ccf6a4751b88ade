#!/bin/sh
# SPDX-License-Identifier: MIT
# examples.sh SOURCE_DIR LIBVMDK_SO CC WORK_DIR: the C programs in README.md and
# docs/mainpage.md compile without a warning and read a disk.
set -eu
source=$1
library=$2
cc=$3
work=$4

rm -rf "$work"
mkdir -p "$work"
cd "$work"
printf '%s\n' '# Disk DescriptorFile' 'version=1' 'CID=12345678' 'parentCID=ffffffff' \
  'createType="monolithicFlat"' 'RW 2048 FLAT "disk-flat.vmdk" 0' > disk.vmdk
truncate -s 1048576 disk-flat.vmdk

for page in README.md docs/mainpage.md; do
  name=$(basename "$page" .md)
  sed -n '/^```c$/,/^```$/p' "$source/$page" | sed '/^```/d' > "$name.c"
  grep -q 'int main' "$name.c" || {
    echo "$page: no C program"
    exit 1
  }
  "$cc" -std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I"$source/include" "$name.c" \
    -o "$name" "$library"
  LD_LIBRARY_PATH=$(dirname "$library") "./$name" disk.vmdk > "$name.out"
  if LD_LIBRARY_PATH=$(dirname "$library") "./$name" missing.vmdk > "$name.out" 2> "$name.err"; then
    echo "$page: the program does not notice that a disk is missing"
    exit 1
  fi
  grep -q missing.vmdk "$name.err" || {
    echo "$page: the program does not say what is wrong"
    exit 1
  }
  echo "$page: ok"
done
