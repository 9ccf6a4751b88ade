#!/bin/sh
# SPDX-License-Identifier: MIT
# license.sh SOURCE_DIR: every source and script names its license in its first two lines.
set -eu
cd "$1"

wrong=0
count=0
list=$(mktemp)
trap 'rm -f "$list"' EXIT
find . \( -path ./build -o -path ./.git -o -name __pycache__ \) -prune -o -type f \
  \( -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.sh' -o -name '*.py' -o -name '*.map' \
  -o -name '*.in' -o -name '*.cmake' -o -name CMakeLists.txt -o -name '.clang-*' -o -name .gitignore \
  -o -path './.ci/*' -o -path './src/tool/completion/*' -o -path './docs/man/*' \) -print > "$list"
while IFS= read -r file; do
  count=$((count + 1))
  if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT'; then
    echo "$file: no line 'SPDX-License-Identifier: MIT' at its beginning"
    wrong=$((wrong + 1))
  fi
done < "$list"
echo "$count files, $wrong without a license"
[ "$wrong" -eq 0 ] && [ "$count" -gt 0 ]
