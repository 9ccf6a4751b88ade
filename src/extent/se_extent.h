// SPDX-License-Identifier: MIT
// seSparse extents: grains of 4 KiB, 64-bit directory and tables, no second copy of either.
#ifndef VMDK_EXTENT_SE_EXTENT_H
#define VMDK_EXTENT_SE_EXTENT_H

#include "extent/extent.h"
#include "extent/grain_table.h"
#include "format/se_header.h"

namespace vmdk {

class SeExtent final : public Extent {
 public:
  // Throws VMDK_ERR_CORRUPT if the directory does not lie inside the file. `size` is that of the
  // extent line. `file` and what `shared` refers to outlive the extent.
  SeExtent(const File& file, const SeHeader& header, std::uint64_t size, const Shared& shared);

  vmdk_extent_kind kind() const noexcept override { return VMDK_EXTENT_SE_SPARSE; }
  std::uint64_t size() const noexcept override { return size_; }
  std::uint64_t grain_bytes() const noexcept override { return kSeGrainSectors * kSectorSize; }
  std::uint32_t header_version() const noexcept override { return 2; }
  const char* why_read_only() const noexcept override {
    return "seSparse extents are only read: how their journal is written is not known";
  }
  const File* file() const noexcept override { return &file_; }
  Run map(std::uint64_t offset, std::uint64_t size) const override;

 private:
  void check_regions() const;
  std::uint64_t directory_entry(std::uint64_t index) const;
  // File offset of a table; 0 = there is none.
  std::uint64_t find_table(std::uint64_t index) const;
  GrainRun run(std::uint64_t grain, std::uint64_t most) const;
  GrainRun join(std::uint64_t grain, std::uint64_t most, std::uint64_t table) const;
  // File sector of a grain that is data, 0 if it does not lie inside the grain area and the file.
  std::uint64_t grain_sector(std::uint64_t grain, std::uint64_t entry) const noexcept;

  const File& file_;
  SeHeader header_;
  std::uint64_t size_;
  TableCache& tables_;
  std::uint32_t number_;  // of the file in the cache
};

}  // namespace vmdk

#endif
