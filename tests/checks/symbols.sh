#!/bin/sh
# SPDX-License-Identifier: MIT
# symbols.sh SOURCE_DIR LIBVMDK_SO [CC]: the functions vmdk.h declares, the names in
# libvmdk.map and the symbols the library exports are the same.
set -eu
source=$1
library=$2
cc=${3:-cc}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$cc" -E -P -I"$source/include" -x c "$source/include/vmdk/vmdk.h" | tr '\n' ' ' |
  grep -oE '\bvmdk_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u > "$dir/declared"
sed -n '/global:/,/local:/s/^ *\([A-Za-z0-9_]*\);$/\1/p' "$source/src/libvmdk.map" |
  sort > "$dir/mapped"
# The version nodes themselves are listed as absolute symbols.
nm -D --defined-only "$library" | awk '$2 != "A" {print $3}' > "$dir/versioned"
sed 's/@.*//' "$dir/versioned" | sort > "$dir/exported"

status=0
for list in mapped exported; do
  if ! diff -u "$dir/declared" "$dir/$list"; then
    echo "vmdk.h (-) and what is $list (+) differ"
    status=1
  fi
done
if grep -v '^vmdk_[a-z0-9_]*@@VMDK_[0-9.]*$' "$dir/versioned"; then
  echo "exported under another name, or without a version"
  status=1
fi
echo "$(wc -l < "$dir/declared") functions declared"
[ -s "$dir/declared" ] || status=1
exit $status
