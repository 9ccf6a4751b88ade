// SPDX-License-Identifier: MIT
#include "ops/measure.h"

#include <algorithm>
#include <vector>

#include "format/cowd_header.h"
#include "ops/piece_source.h"
#include "ops/piece_target.h"
#include "ops/stream_writer.h"
#include "util/checked.h"

namespace vmdk {

namespace {

constexpr const char* kName = "the new disk";
constexpr std::uint64_t kBlock = 4096;  // of the host's file system

class CountingSink final : public ByteSink {
 public:
  void write(Bytes in) override { bytes += in.size(); }
  std::uint64_t bytes = 0;
};

// Metadata of one extent: what it always has, and what each table that is used adds.
struct Metadata {
  std::uint64_t fixed = 0, table = 0, tables = 0;
};

// Counts the grains, blocks of flat extents, that data falls into.
class Counter final {
 public:
  Counter(const NewDisk& disk, const DiskMaker::Layout& layout)
      : disk_(disk),
        layout_(layout),
        grain_(disk.grain_bytes != 0 ? disk.grain_bytes : kUsualGrain) {
    if (flat()) grain_ = kBlock;
  }

  std::uint64_t unit() const noexcept { return grain_; }
  bool flat() const noexcept {
    const ExtentType type = layout_.extents.front().type;
    return type == ExtentType::flat || type == ExtentType::vmfs;
  }

  void add(std::uint64_t offset, std::uint64_t size) {
    const std::uint64_t first = offset / grain_, last = (offset + size - 1) / grain_;
    for (std::uint64_t grain = std::max(first, next_grain_); grain <= last;) {
      const std::uint64_t table = grain / entries_of_table();
      const std::uint64_t end = std::min(last + 1, (table + 1) * entries_of_table());
      if (table >= next_table_) ++tables_;
      next_table_ = table + 1;
      grains_ += end - grain;
      grain = end;
    }
    next_grain_ = std::max(next_grain_, last + 1);
  }

  Measure result() const {
    const std::uint64_t capacity = disk_.sectors * kSectorSize;
    const std::uint64_t all = divide_up(capacity, grain_);
    const std::uint64_t text = round_up(layout_.descriptor.size(), kBlock);
    Measure out;
    if (disk_.type == VMDK_TYPE_STREAM_OPTIMIZED) {
      const std::uint64_t record = record_bound(static_cast<std::size_t>(grain_));
      const auto overhead = [&](std::uint64_t tables) {
        return stream_overhead(disk_.sectors, grain_ / kSectorSize, tables,
                               layout_.descriptor.size());
      };
      out.needed = overhead(tables_) + grains_ * record;
      out.most = overhead(divide_up(all, entries_of_table())) + all * record;
    } else if (flat()) {
      out.most = capacity + text;
      out.needed = layout_.preallocate == VMDK_PREALLOCATE_NONE
                       ? std::min(grains_ * grain_, capacity) + text
                       : out.most;
    } else {
      out.most = all * grain_ + (layout_.embedded ? 0 : text);
      out.needed = grains_ * grain_ + (layout_.embedded ? 0 : text);
      std::uint64_t table = 0;
      for (const ExtentLine& line : layout_.extents) {
        const Metadata metadata = metadata_of(line);
        out.most += metadata.fixed + metadata.tables * metadata.table;
        out.needed += metadata.fixed;
        table = std::max(table, metadata.table);
      }
      out.needed += tables_ * table;
    }
    out.needed = std::min(out.needed, out.most);
    return out;
  }

 private:
  bool cowd() const noexcept { return layout_.extents.front().type == ExtentType::vmfs_sparse; }
  std::uint64_t entries_of_table() const noexcept {
    return cowd() ? kCowdTableEntries : kSparseTableEntries;
  }

  Metadata metadata_of(const ExtentLine& line) const {
    Metadata out;
    const std::uint64_t grain_sectors = grain_ / kSectorSize;
    out.tables = tables_needed(line.sectors, grain_sectors, entries_of_table());
    const std::uint64_t tables_bytes = out.tables * entries_of_table() * 4;
    if (cowd()) {
      const auto header = new_cowd_header(static_cast<std::uint32_t>(line.sectors),
                                          static_cast<std::uint32_t>(grain_sectors));
      out.table = entries_of_table() * 4;
      if (header) out.fixed = header->free_sector * kSectorSize - tables_bytes;
    } else {
      const std::uint64_t area = layout_.embedded ? descriptor_area(layout_.descriptor.size()) : 0;
      const auto header = new_sparse_header(line.sectors, grain_sectors, area);
      out.table = 2 * kBlock;  // two copies, each somewhere in a block
      if (header) out.fixed = header->overhead * kSectorSize - 2 * tables_bytes;
    }
    out.fixed = round_up(out.fixed, kBlock);
    return out;
  }

  const NewDisk& disk_;
  const DiskMaker::Layout& layout_;
  std::uint64_t grain_;
  std::uint64_t grains_ = 0, tables_ = 0;
  std::uint64_t next_grain_ = 0, next_table_ = 0;  // behind those that are counted
};

// Counts what would be written.
class CountingTarget final : public PieceTarget {
 public:
  explicit CountingTarget(Counter& counter) : counter_(counter) {}
  std::uint64_t unit() const noexcept override { return counter_.unit(); }
  bool takes_files() const noexcept override { return counter_.flat(); }
  bool needs_order() const noexcept override { return true; }
  void prepare(Piece& piece) override { find_data(piece); }
  void take(Piece& piece) override {
    if (piece.file != nullptr) counter_.add(piece.offset, piece.size);
    for (const Piece::Part& part : piece.data) counter_.add(part.offset, part.size);
  }
  void finish() override {}

 private:
  Counter& counter_;
};

}  // namespace

Measure measure(const Disk& source, const Conversion& how, bool read_all) {
  Conversion plain = how;
  plain.on_output = nullptr;
  const NewDisk disk = new_disk_for(source, plain, kName);
  const DiskMaker::Layout layout = DiskMaker::layout(kName, disk);
  Counter counter(disk, layout);
  if (!read_all) {
    DiskPieces pieces(source, {counter.unit(), false, how.on_lost != nullptr});
    for (Piece piece; pieces.fill(piece); piece.clear())
      for (const Piece::Part& part : piece.parts) counter.add(part.offset, part.size);
    return counter.result();
  }
  if (disk.type != VMDK_TYPE_STREAM_OPTIMIZED) {
    CountingTarget target(counter);
    convey_disk(source, target, plain, kName, disk);
    return counter.result();
  }
  CountingSink sink;
  plain.wish.type = VMDK_TYPE_STREAM_OPTIMIZED;
  convert_disk(source, sink, plain);
  Measure out = counter.result();
  out.needed = sink.bytes;
  out.exact = true;
  return out;
}

}  // namespace vmdk
