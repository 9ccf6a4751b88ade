// SPDX-License-Identifier: MIT
#include "extent/sparse_extent.h"

#include <algorithm>

namespace vmdk {

namespace {

constexpr std::uint64_t kLargestWritten = 64 << 20;  // grains that are put together in memory

}  // namespace

SparseExtent::SparseExtent(File& file, const GrainLayout& layout, const SparseFacts& facts,
                           const Shared& shared)
    : file_(file),
      facts_(facts),
      table_(file, layout, shared),
      writer_(file, table_, {facts.kind == VMDK_EXTENT_COWD, facts.unclean, facts.zero_entries}) {}

Run SparseExtent::map(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t grain = offset / grain_bytes();
  const std::uint64_t last = (offset + size - 1) / grain_bytes();
  return bytes_of(table_.run(grain, last - grain + 1), grain_bytes(), offset, size);
}

const char* SparseExtent::why_read_only() const noexcept {
  // Hosts that track changes raise the version of plain extents to 3; the tracking would be wrong.
  if (facts_.kind == VMDK_EXTENT_SPARSE && facts_.header_version == 3)
    return "its header version is 3: its changes are tracked, and what is written here would be "
           "missed";
  if (grain_bytes() > kLargestWritten) return "its grains are larger than 64 MiB";
  return nullptr;
}

void SparseExtent::prepare() {
  Extent::prepare();
  writer_.prepare();
}

Run bytes_of(const GrainRun& grains, std::uint64_t grain_bytes, std::uint64_t offset,
             std::uint64_t size) noexcept {
  const std::uint64_t within = offset % grain_bytes;
  Run run;
  run.kind = grains.kind;
  run.offset = offset;
  run.size = std::min(size, grains.grains * grain_bytes - within);
  if (grains.kind == RunKind::data) run.file_offset = grains.sector * kSectorSize + within;
  return run;
}

}  // namespace vmdk
