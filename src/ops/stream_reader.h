// SPDX-License-Identifier: MIT
// Reads a stream-optimized disk from first byte to last (VDF, "Stream-Optimized Compressed Sparse
// Extents"; docs/format.md). All that can be checked on the way is checked.
#ifndef VMDK_OPS_STREAM_READER_H
#define VMDK_OPS_STREAM_READER_H

#include <cstdint>
#include <optional>
#include <string>

#include "extent/grain_record.h"
#include "format/descriptor.h"
#include "format/marker.h"
#include "format/sparse_header.h"
#include "io/byte_reader.h"
#include "io/byte_stream.h"
#include "ops/stream_tables.h"
#include "util/bytes.h"
#include "util/deflate.h"

namespace vmdk {

// One thread, but for what says otherwise.
class StreamReader final {
 public:
  // A grain as it came.
  struct Record {
    std::uint64_t grain = 0;  // its number on the disk
    std::uint64_t at = 0;     // byte of the stream where its marker stands
    std::size_t size = 0;     // of its compressed data
  };

  // Reads header and descriptor. Throws VMDK_ERR_NOT_VMDK, VMDK_ERR_CORRUPT, VMDK_ERR_UNSUPPORTED,
  // VMDK_ERR_LIMIT or VMDK_ERR_ENCRYPTED. `source` outlives the reader.
  StreamReader(ByteSource& source, const DescriptorLimits& limits);

  const Descriptor& descriptor() const noexcept { return descriptor_; }
  std::uint64_t capacity_sectors() const noexcept { return descriptor_.sectors; }
  std::uint64_t grain_bytes() const noexcept { return header_.grain_sectors * kSectorSize; }
  // The most bytes that the compressed data of a grain has.
  std::size_t max_packed() const noexcept {
    return static_cast<std::size_t>(max_packed_bytes(grain_bytes()));
  }

  // The next grain in the order of the stream; its compressed data fills the beginning of `out`,
  // which has room for max_packed(). Nothing at the end of the stream, when tables, directory and
  // footer were found to be those of the grains that came, and nothing but zeros followed. Throws
  // VMDK_ERR_CORRUPT.
  std::optional<Record> next(MutableBytes out);

  // Inflates a grain into `plain`, which is as long as the grain is on the disk. Throws
  // VMDK_ERR_CORRUPT. Any thread, also beside next(), with an inflater of its own.
  void inflate(const Record& record, Bytes packed, Inflater& inflater, MutableBytes plain) const;

 private:
  // What came last. In a stream with its tables in front it stays at `grains` up to the end.
  enum class Stage { grains, directory, footer, end };

  void read_header();
  void read_descriptor(const DescriptorLimits& limits);
  bool tables_in_front() const noexcept { return header_.gd_sector < header_.overhead; }
  void go_to(std::uint64_t sector, const char* what);
  void read_tables_in_front();
  template <class Use>
  void read_entries(std::uint64_t count, const char* what, Use use);
  void pass(std::uint64_t bytes, const char* what);

  std::optional<Record> take_grain(const Marker& marker, MutableBytes out);
  void check_marker(const Marker& marker) const;
  void take_marker(const Marker& marker);
  void take_table(const Marker& marker);
  void take_directory(const Marker& marker);
  void take_footer(const Marker& marker);
  void take_end(Bytes sector);
  void finish();
  [[noreturn]] void throw_ended(const std::string& where);
  [[noreturn]] void throw_marker(const Marker& marker, const std::string& why) const;

  ByteReader in_;
  SparseHeader header_;
  Descriptor descriptor_;
  TableShape shape_{};
  std::optional<TablesInFront> front_;  // one of both
  std::optional<TablesBehind> behind_;
  bool started_ = false;
  Stage stage_ = Stage::grains;
  std::uint64_t directory_sector_ = 0;  // where it was, behind the grains
};

}  // namespace vmdk

#endif
