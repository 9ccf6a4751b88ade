// SPDX-License-Identifier: MIT
#include "convert_options.h"

#include "errors.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

constexpr std::uint32_t kHighestLevel = 12;

}  // namespace

void ConvertOptions::add_to(CommandLine& line, const char* kind_help) {
  disk_.add_to(line, kind_help);
  disk_.add_details_to(line);
  line.option("--capacity", capacity_text_, "SIZE", "What the guest sees; as in SRC if not given");
  line.option("--level", level_text_, "N",
              "Of streamOptimized: 0 (stored), 1 (fast) to 12 (small); 6 if not given");
  line.footer(
      "KIND, in any case: raw, monolithicSparse, monolithicFlat, twoGbMaxExtentSparse,\n"
      "twoGbMaxExtentFlat, streamOptimized, vmfs, vmfsThin, vmfsPreallocated,\n"
      "vmfsEagerZeroedThick, vmfsSparse.");
}

void ConvertOptions::check() {
  disk_.check();
  if (!capacity_text_.empty()) {
    capacity_ = parse_size(capacity_text_, "--capacity");
    if (capacity_ == 0) throw UsageError("--capacity: a disk has at least one byte");
  }
  if (!level_text_.empty()) {
    compression_ = parse_count(level_text_, "--level", 0, kHighestLevel);
    if (compression_ == 0) compression_ = VMDK_COMPRESSION_STORED;
  }
}

// docs/targets.md has what is chosen for each.
std::uint32_t ConvertOptions::type() const {
  if (disk_.type() != VMDK_TYPE_UNKNOWN) return disk_.type();
  const bool package = disk_.target() == VMDK_TARGET_OVA || disk_.target() == VMDK_TARGET_AWS;
  return package ? VMDK_TYPE_STREAM_OPTIMIZED : VMDK_TYPE_UNKNOWN;
}

vmdk_create_options ConvertOptions::create_options(std::uint32_t type) const {
  vmdk_create_options options = disk_.create_options();
  if (options.type == VMDK_TYPE_UNKNOWN) options.type = type;
  options.capacity = capacity_;
  return options;
}

bool is_written_in_order(std::uint32_t type) {
  return type == VMDK_TYPE_RAW || type == VMDK_TYPE_STREAM_OPTIMIZED;
}

}  // namespace vmdk_tool
