#!/bin/sh
# SPDX-License-Identifier: MIT
# The images of tests/data that qemu-img opens, too: both must see the same guest.
. "$(dirname "$0")/../tool/lib.sh"
need qemu-img python3 timeout
images=${VMDK_TEST_IMAGES:-}
if [ -z "$images" ] || [ ! -r "$images/manifest.tsv" ]; then
  images=$work/images
  python3 "$project/tests/data/make_images.py" "$images" --only 'good-*' >make.log 2>&1 ||
    { tail -5 make.log >&2; fail "make_images.py"; }
fi

# Where qemu-img 7.2 shows another disk, and why. Each was looked into by hand.
known_difference() {
  case $1 in
    # It takes the size in the header, which VirtualBox rounds up, for that of the disk.
    good-hosted-capacity-rounded* | good-stream-virtualbox) ;;
    # It serves the sector of the descriptor for a table entry of 1.
    good-hosted-zero-grain-bit-clear) ;;
    # It knows nothing of further extents of an embedded descriptor.
    good-hosted-embedded-two-lines | good-hosted-carrier) ;;
    # Where an extent ends within a grain, it shows the rest of that grain in place of the next extent.
    good-split-three | good-split-qemu | good-split-unclean | good-split-sizes-mixed | good-cowd-several) ;;
    good-chain-hosted-on-split | good-chain-split-on-hosted) ;;
    # It counts an extent behind an empty line twice, and leaves ZERO extents out.
    good-text-blank-before-extents | good-chain-zero-extent-hides) ;;
    *) return 1 ;;
  esac
}

tab=$(printf '\t')
same=0 other=0 failed=0
# Small disks that open with default options and are read to their end.
awk -F '\t' '!/^#/ && $1 ~ /^good-/ && $3 == "0x0" && $4 == 0 && $5 == "-" && $6 == "-" && $7 == "-" &&
  $8 == "0" && $10 != "-" && $18 == "-" && $9 <= 67108864 { print $1 "\t" $2 }' "$images/manifest.tsv" >rows
while IFS=$tab read -r name path; do
  rm -f by-qemu.raw
  timeout 60 qemu-img convert -f vmdk -O raw "$images/$path" by-qemu.raw >qemu.log 2>&1 </dev/null || continue
  "$VMDK_TOOL" compare "$images/$path" by-qemu.raw --raw-b >out 2>err </dev/null
  case $? in
    0) same=$((same + 1)) ;;
    1)
      if known_difference "$name"; then
        other=$((other + 1))
      else
        echo "$name differs from what qemu-img shows" >&2
        cat out err >&2
        failed=$((failed + 1))
      fi
      ;;
    *) echo "$name: $(cat err)" >&2 && failed=$((failed + 1)) ;;
  esac
done <rows
echo "$same alike, $other known to differ, $failed wrong"
[ $failed -eq 0 ] || fail "$failed images differ"
[ $same -ge 100 ] || fail "qemu-img opened only $same images"
