// SPDX-License-Identifier: MIT
#include "ops/stream_writer.h"

#include <algorithm>

#include "format/marker.h"
#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kTableSectors = kSparseTableEntries * 4 / kSectorSize;
constexpr std::uint64_t kTailSectors = 3;  // footer with its marker, end of the stream
constexpr std::uint64_t kOverheadUnit = 128;
constexpr std::uint64_t kMaxTables = (std::uint64_t{1} << 32) / kSparseTableEntries;

std::size_t bytes_of(std::uint64_t sectors) noexcept {
  return static_cast<std::size_t>(sectors * kSectorSize);
}

std::uint64_t directory_sectors(std::uint64_t tables) noexcept {
  return divide_up(tables * 4, kSectorSize);
}

SparseHeader header_for(std::uint64_t capacity_sectors, std::uint64_t grain_sectors,
                        std::size_t descriptor_bytes) noexcept {
  SparseHeader header;
  header.version = 3;
  header.flags = SparseHeader::kNewlineTest | SparseHeader::kCompressed | SparseHeader::kMarkers;
  header.capacity = capacity_sectors;
  header.grain_sectors = grain_sectors;
  header.descriptor_sector = 1;
  header.descriptor_sectors = descriptor_area(descriptor_bytes);
  header.gtes_per_gt = kSparseTableEntries;
  header.gd_sector = kDirectoryAtEnd;
  header.overhead = round_up(1 + header.descriptor_sectors, kOverheadUnit);
  header.compression = 1;
  return header;
}

}  // namespace

std::size_t record_bound(std::size_t grain_bytes) noexcept {
  return static_cast<std::size_t>(
      round_up(kGrainMarkerSize + Deflater::bound(grain_bytes), kSectorSize));
}

std::size_t encode_record(std::uint64_t sector, Bytes plain, Deflater& deflater, MutableBytes out) {
  const std::size_t packed = deflater.deflate(plain, out.subspan(kGrainMarkerSize));
  Marker{sector, static_cast<std::uint32_t>(packed), 0}.encode(out);
  const std::size_t used = kGrainMarkerSize + packed;
  const auto size = static_cast<std::size_t>(round_up(used, kSectorSize));
  const MutableBytes padding = out.first(size).subspan(used);
  std::fill(padding.begin(), padding.end(), std::byte{0});
  return size;
}

StreamWriter::StreamWriter(ByteSink& sink, std::string name, std::uint64_t capacity_sectors,
                           std::uint64_t grain_sectors, const std::string& descriptor)
    : sink_(sink),
      name_(std::move(name)),
      header_(header_for(capacity_sectors, grain_sectors, descriptor.size())),
      grains_(divide_up(capacity_sectors, grain_sectors)),
      sector_(header_.overhead) {
  if (descriptor.size() > kMaxEmbeddedText)
    throw Error(VMDK_ERR_LIMIT, name_ + ": the descriptor has " +
                                    std::to_string(descriptor.size()) + " bytes, more than the " +
                                    std::to_string(kMaxEmbeddedText) + " there is room for");
  const std::uint64_t tables = tables_needed(capacity_sectors, grain_sectors, kSparseTableEntries);
  if (tables > kMaxTables)
    throw Error(VMDK_ERR_LIMIT, name_ + ": " + std::to_string(capacity_sectors) +
                                    " sectors: a stream has at most 2^32 grains; take larger ones");
  tail_.resize(bytes_of(1 + directory_sectors(tables) + kTailSectors));
  std::vector<std::byte> head(bytes_of(header_.overhead));
  const MutableBytes area = MutableBytes(head).subspan(kSparseHeaderSize);
  const auto header = header_.encode();
  std::copy(header.begin(), header.end(), head.begin());
  std::copy_n(as_bytes(descriptor).begin(), descriptor.size(), area.begin());
  sink_.write(head);
}

void StreamWriter::write(std::span<const Record> records, Bytes bytes) {
  while (!records.empty()) {
    const std::uint64_t table = records[0].grain / kSparseTableEntries;
    if (table != table_) write_table();
    table_ = table;
    std::size_t count = 0, size = 0;
    for (; count < records.size() && records[count].grain / kSparseTableEntries == table; ++count) {
      enter(records[count], sector_ + size / kSectorSize);
      size += records[count].size;
    }
    if (size > bytes.size()) misused("has more records than bytes");
    sink_.write(bytes.first(size));
    sector_ += size / kSectorSize;
    records = records.subspan(count);
    bytes = bytes.subspan(size);
  }
  if (!bytes.empty()) misused("has more bytes than records");
}

void StreamWriter::enter(const Record& record, std::uint64_t sector) {
  if (record.grain < next_grain_ || record.grain >= grains_ || record.size == 0 ||
      record.size % kSectorSize != 0)
    misused("cannot go on with " + std::to_string(record.size) + " bytes of grain " +
            std::to_string(record.grain) + " of " + std::to_string(grains_) + " where grain " +
            std::to_string(next_grain_) + " is the next");
  next_grain_ = record.grain + 1;
  store_le(entries_, kSectorSize + record.grain % kSparseTableEntries * 4, addressable(sector));
  has_entries_ = true;
}

void StreamWriter::write_table() {
  if (!has_entries_) return;
  Marker::of(MarkerType::grain_table, kTableSectors).encode(entries_);
  store_le(tail_, kSectorSize + static_cast<std::size_t>(table_) * 4, addressable(sector_ + 1));
  sink_.write(entries_);
  sector_ += 1 + kTableSectors;
  entries_.fill(std::byte{0});
  has_entries_ = false;
}

void StreamWriter::finish() {
  write_table();
  const std::uint64_t directory = tail_.size() / kSectorSize - 1 - kTailSectors;
  header_.gd_sector = addressable(sector_ + 1);
  const MutableBytes footer = MutableBytes(tail_).subspan(bytes_of(1 + directory));
  Marker::of(MarkerType::grain_directory, directory).encode(tail_);
  Marker::of(MarkerType::footer, 1).encode(footer);
  const auto header = header_.encode();
  std::copy(header.begin(), header.end(), footer.subspan(kSectorSize).begin());
  sink_.write(tail_);  // the marker of the end is zeros
  next_grain_ = grains_;
}

std::uint32_t StreamWriter::addressable(std::uint64_t sector) const {
  if (sector <= UINT32_MAX) return static_cast<std::uint32_t>(sector);
  throw Error(VMDK_ERR_LIMIT,
              name_ + ": what is stored takes more than the 2 TiB that a stream can address");
}

void StreamWriter::misused(const std::string& why) const {
  throw Error(VMDK_ERR_INTERNAL, name_ + ": the stream " + why);
}

std::uint64_t stream_overhead(std::uint64_t capacity_sectors, std::uint64_t grain_sectors,
                              std::uint64_t tables, std::size_t descriptor_bytes) noexcept {
  const SparseHeader header = header_for(capacity_sectors, grain_sectors, descriptor_bytes);
  const std::uint64_t all = tables_needed(capacity_sectors, grain_sectors, kSparseTableEntries);
  return (header.overhead + tables * (1 + kTableSectors) + 1 + directory_sectors(all) +
          kTailSectors) *
         kSectorSize;
}

}  // namespace vmdk
