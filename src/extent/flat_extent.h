// SPDX-License-Identifier: MIT
// Extents without tables (VDF, "Simple Extents"): plain bytes of a file or device, and zeros.
#ifndef VMDK_EXTENT_FLAT_EXTENT_H
#define VMDK_EXTENT_FLAT_EXTENT_H

#include "extent/extent.h"

namespace vmdk {

// FLAT, VMFS and device extents.
class FlatExtent final : public Extent {
 public:
  // `file` outlives the extent. A `thick` one keeps its space. Throws VMDK_ERR_CORRUPT if the file
  // is shorter than the extent.
  FlatExtent(File& file, std::uint64_t file_offset, std::uint64_t size, bool thick);

  vmdk_extent_kind kind() const noexcept override { return VMDK_EXTENT_FLAT; }
  std::uint64_t size() const noexcept override { return size_; }
  const File* file() const noexcept override { return &file_; }
  std::uint64_t file_offset() const noexcept override { return file_offset_; }
  Run map(std::uint64_t offset, std::uint64_t size) const override {
    return {RunKind::data, false, offset, size, file_offset_ + offset};
  }

  const char* why_read_only() const noexcept override { return nullptr; }
  void write(std::uint64_t offset, Bytes in, const Below&) override {
    file_.write_at(file_offset_ + offset, in);
  }
  void zero(std::uint64_t offset, std::uint64_t size, const Below&, bool) override {
    zero_file(file_, file_offset_ + offset, size, !thick_);
  }

 private:
  File& file_;
  std::uint64_t file_offset_, size_;
  bool thick_;
};

// ZERO extents, and those that NOACCESS hides.
class ZeroExtent final : public Extent {
 public:
  explicit ZeroExtent(std::uint64_t size) : size_(size) {}

  vmdk_extent_kind kind() const noexcept override { return VMDK_EXTENT_ZERO; }
  std::uint64_t size() const noexcept override { return size_; }
  const File* file() const noexcept override { return nullptr; }
  Run map(std::uint64_t offset, std::uint64_t size) const override {
    return {RunKind::zero, false, offset, size, UINT64_MAX};
  }

  const char* why_read_only() const noexcept override { return nullptr; }
  void write(std::uint64_t, Bytes, const Below&) override {}
  void zero(std::uint64_t, std::uint64_t, const Below&, bool) override {}

 private:
  std::uint64_t size_;
};

}  // namespace vmdk

#endif
