// SPDX-License-Identifier: MIT
// Hosted sparse extents with compressed grains (VDF, "Stream-Optimized Compressed Sparse Extents").
#ifndef VMDK_EXTENT_STREAM_EXTENT_H
#define VMDK_EXTENT_STREAM_EXTENT_H

#include <memory>
#include <span>

#include "extent/extent.h"
#include "extent/grain_cache.h"
#include "extent/grain_table.h"
#include "extent/read_ahead.h"
#include "extent/sparse_extent.h"

namespace vmdk {

// What compressed extents share with the others of their chain.
struct InflateShared {
  GrainCache& cache;
  InflateStates& states;
  GrainBuffers& buffers;
  WorkerPool* pool;  // null: the reading thread alone
  unsigned threads;  // with a pool: threads that inflate for one reader, itself included
};

class StreamExtent final : public Extent, public GrainSource {
 public:
  // `markers`: records begin with their sector on the disk and their size, else with the size
  // alone. `file` and what is shared outlive the extent.
  StreamExtent(File& file, const GrainLayout& layout, const SparseFacts& facts, bool markers,
               const Shared& shared, const InflateShared& inflating);
  ~StreamExtent();

  vmdk_extent_kind kind() const noexcept override { return VMDK_EXTENT_STREAM; }
  std::uint64_t size() const noexcept override {
    return table_.layout().capacity_sectors * kSectorSize;
  }
  std::uint64_t grain_bytes() const noexcept override { return grain_bytes_; }
  std::uint32_t header_version() const noexcept override { return facts_.header_version; }
  bool unclean() const noexcept override { return facts_.unclean; }
  std::uint64_t recovered() const noexcept override { return table_.recovered(); }
  const char* why_read_only() const noexcept override {
    return "its grains are compressed, and written once only";
  }
  const File* file() const noexcept override { return &file_; }
  Run map(std::uint64_t offset, std::uint64_t size) const override;
  void read(const Run& run, std::uint64_t offset, MutableBytes out) const override;

 private:
  static constexpr std::size_t kBatch = 32;  // grains whose records are read together

  bool is_stored(std::uint64_t grain) const override;
  void inflate(std::uint64_t grain, MutableBytes out) const override;

  void read_part(std::uint64_t grain, std::size_t at, MutableBytes out) const;
  void read_whole(std::uint64_t grain, MutableBytes out) const;
  std::size_t adjacent(std::span<const std::uint32_t> sectors) const noexcept;
  std::uint64_t end_of_record(std::uint32_t sector, std::uint32_t next) const noexcept;
  void inflate_record(std::uint64_t grain, std::uint64_t at, Bytes record, InflateState& state,
                      MutableBytes out) const;
  std::size_t bytes_of_grain(std::uint64_t grain) const noexcept;

  const File& file_;
  SparseFacts facts_;
  GrainTable table_;
  std::uint64_t grain_bytes_, header_bytes_, max_record_;
  bool markers_;
  InflateShared inflating_;
  std::uint64_t first_key_;  // of its grains in the cache
  std::unique_ptr<ReadAhead> ahead_;
};

}  // namespace vmdk

#endif
