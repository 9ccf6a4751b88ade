// SPDX-License-Identifier: MIT
// Hosted sparse and COWD extents with plain grains (VDF, "Hosted Sparse Extents", "ESX Server
// Sparse Extents").
#ifndef VMDK_EXTENT_SPARSE_EXTENT_H
#define VMDK_EXTENT_SPARSE_EXTENT_H

#include "extent/extent.h"
#include "extent/grain_table.h"
#include "extent/grain_writer.h"

namespace vmdk {

// What a header says of an extent as a whole.
struct SparseFacts {
  vmdk_extent_kind kind;
  std::uint32_t header_version;
  bool unclean;
  bool zero_entries = false;  // an entry may say that a grain is zeros
};

class SparseExtent final : public Extent {
 public:
  // `file` and what `shared` refers to outlive the extent.
  SparseExtent(File& file, const GrainLayout& layout, const SparseFacts& facts,
               const Shared& shared);

  vmdk_extent_kind kind() const noexcept override { return facts_.kind; }
  std::uint64_t size() const noexcept override {
    return table_.layout().capacity_sectors * kSectorSize;
  }
  std::uint64_t grain_bytes() const noexcept override {
    return table_.layout().grain_sectors * kSectorSize;
  }
  std::uint32_t header_version() const noexcept override { return facts_.header_version; }
  bool unclean() const noexcept override { return writer_.unclean(); }
  std::uint64_t recovered() const noexcept override { return table_.recovered(); }
  const File* file() const noexcept override { return &file_; }
  Run map(std::uint64_t offset, std::uint64_t size) const override;

  const char* why_read_only() const noexcept override;
  void prepare() override;
  void write(std::uint64_t offset, Bytes in, const Below& below) override {
    writer_.write(offset, in, below);
  }
  void zero(std::uint64_t offset, std::uint64_t size, const Below& below, bool give_back) override {
    writer_.zero(offset, size, below, give_back);
  }
  bool has_changes() const noexcept override { return writer_.has_changes(); }
  void before_sync() override { writer_.before_sync(); }
  void write_tables() override { table_.changes().write(); }
  bool has_last_tables() const noexcept override { return writer_.has_last_changes(); }
  void write_last_tables() override { table_.changes().write_last(); }
  void saved() override { writer_.saved(); }
  void finish() override { writer_.finish(); }

 private:
  const File& file_;
  SparseFacts facts_;
  GrainTable table_;
  GrainWriter writer_;
};

// The run of bytes from `offset` on, at most `size` of them, that a run of grains stands for, which
// begins with the grain that `offset` lies in.
Run bytes_of(const GrainRun& grains, std::uint64_t grain_bytes, std::uint64_t offset,
             std::uint64_t size) noexcept;

}  // namespace vmdk

#endif
