// SPDX-License-Identifier: MIT
// Writes a stream-optimized disk from first byte to last, laid out as VMware does it (VDF,
// "Stream-Optimized Compressed Sparse Extents"; docs/format.md, "What is written").
#ifndef VMDK_OPS_STREAM_WRITER_H
#define VMDK_OPS_STREAM_WRITER_H

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/sparse_header.h"
#include "io/byte_stream.h"
#include "util/bytes.h"
#include "util/deflate.h"

namespace vmdk {

// The most bytes that encode_record() fills.
std::size_t record_bound(std::size_t grain_bytes) noexcept;

// A grain as it stands in a stream: marker, zlib data, padding to whole sectors. `plain` is the
// whole grain (the last one of a disk padded with zeros), `sector` its place on the disk. Returns
// how many bytes of `out` were filled. Any thread, with a deflater of its own.
std::size_t encode_record(std::uint64_t sector, Bytes plain, Deflater& deflater, MutableBytes out);

// One thread.
class StreamWriter final {
 public:
  struct Record {
    std::uint64_t grain;
    std::size_t size;
  };

  // Writes header and descriptor. Throws VMDK_ERR_LIMIT for a disk that no stream can hold. `name`
  // is for messages; `sink` outlives the writer.
  StreamWriter(ByteSink& sink, std::string name, std::uint64_t capacity_sectors,
               std::uint64_t grain_sectors, const std::string& descriptor);

  // Records of encode_record(), one behind the other in `bytes`, of grains in ascending order, all
  // of them behind those that were written before. Zero grains are left out by not being written.
  void write(std::span<const Record> records, Bytes bytes);

  // The last table, the directory, the footer and the end. Without it, it is no disk.
  void finish();

 private:
  void enter(const Record& record, std::uint64_t sector);
  void write_table();
  std::uint32_t addressable(std::uint64_t sector) const;
  [[noreturn]] void misused(const std::string& why) const;

  ByteSink& sink_;
  std::string name_;
  SparseHeader header_;
  std::uint64_t grains_, next_grain_ = 0;
  std::uint64_t sector_;     // of the file, where the next thing goes
  std::uint64_t table_ = 0;  // that of the last record
  bool has_entries_ = false;
  // Both with their markers, as they are written.
  std::array<std::byte, kSectorSize + kSparseTableEntries * 4> entries_{};
  std::vector<std::byte> tail_;
};

// Bytes of a stream beside its records: `tables` of its tables have grains.
std::uint64_t stream_overhead(std::uint64_t capacity_sectors, std::uint64_t grain_sectors,
                              std::uint64_t tables, std::size_t descriptor_bytes) noexcept;

}  // namespace vmdk

#endif
