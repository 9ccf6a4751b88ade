#!/bin/sh
# SPDX-License-Identifier: MIT
# Images that others made, in the folder VMDK_CORPUS: index.tsv names them, with the SHA-256 of what a
# guest sees. Those without one are damaged or no disks by themselves: they may be refused, in time.
. "$(dirname "$0")/../tool/lib.sh"
need sha256sum timeout awk
corpus=${VMDK_CORPUS:-}
[ -n "$corpus" ] && [ -r "$corpus/index.tsv" ] || skip "there is no corpus (VMDK_CORPUS)"

# Columns by their names: others may be added.
awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i
  if (!at["path"] || !at["whole"] || !at["sha256"] || !at["size"]) exit 3
  next }
  $0 != "" { printf "%s\t%s\t%s\t%s\n", $at["sha256"], $at["size"], $at["whole"], $at["path"] }' \
  "$corpus/index.tsv" >rows || fail "index.tsv has other columns"
[ -s rows ] || fail "index.tsv names no image"

tab=$(printf '\t')
hashed=0 refused=0 failed=0
while IFS=$tab read -r sum size whole path; do
  image=$corpus/$path
  [ -e "$image" ] || { echo "missing: $path" >&2; continue; }
  if [ "$sum" = - ]; then
    # What is wrong is found at once: a second is plenty, but for slow machines ten are allowed.
    timeout 10 "$VMDK_TOOL" hash "$image" >out 2>err </dev/null
    status=$?
    case $status in
      0 | 1) refused=$((refused + 1)) ;;
      *) echo "$path ($whole): exit status $status" >&2 && cat err >&2 && failed=$((failed + 1)) ;;
    esac
    if [ $status -eq 1 ] && [ "$(grep -c '^vmdk: ' err)" -ne 1 ]; then
      echo "$path: no message that says why" >&2
      failed=$((failed + 1))
    fi
    continue
  fi
  "$VMDK_TOOL" hash "$image" >out 2>err </dev/null
  status=$?
  if [ $status -ne 0 ] && [ "$whole" != yes ]; then
    refused=$((refused + 1))  # damaged, and another reader's digest
  elif [ $status -ne 0 ] || [ "$(cut -d ' ' -f 1 out)" != "$sum" ]; then
    echo "$path ($whole): exit status $status, $(cut -c 1-64 out) in place of $sum" >&2
    cat err >&2
    failed=$((failed + 1))
  else
    hashed=$((hashed + 1))
    "$VMDK_TOOL" info "$image" --json >info 2>err </dev/null || { failed=$((failed + 1)); cat err >&2; }
    grep -q "\"capacity\": *${size}[,}]*" info || { echo "$path: its capacity is not $size" >&2; failed=$((failed + 1)); }
  fi
done <rows
echo "$hashed with the right digest, $refused without one, $failed wrong"
[ $failed -eq 0 ] || fail "$failed images of the corpus"
[ $hashed -gt 0 ] || fail "no image of the corpus was there"
