// SPDX-License-Identifier: MIT
#include "extent/sparse_extent.h"

#include <algorithm>

namespace vmdk {

SparseExtent::SparseExtent(const File& file, const GrainLayout& layout, const SparseFacts& facts,
                           const Shared& shared)
    : file_(file), facts_(facts), table_(file, layout, shared) {}

Run SparseExtent::map(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t grain = offset / grain_bytes();
  const std::uint64_t last = (offset + size - 1) / grain_bytes();
  return bytes_of(table_.run(grain, last - grain + 1), grain_bytes(), offset, size);
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
