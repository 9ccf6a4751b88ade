// SPDX-License-Identifier: MIT
#include "format/sparse_header.h"

#include <algorithm>
#include <bit>

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kIncompatibleFlags = 0xffff0000;
constexpr std::uint64_t kMaxGrainSectors = std::uint64_t{1} << 22;  // 2^31 bytes
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;       // 2^63 bytes

void check_compression(const std::string& name, const SparseHeader& header) {
  if (header.compression > 1)
    throw Error(VMDK_ERR_UNSUPPORTED, name + ": compression algorithm " +
                                          std::to_string(header.compression) + " is not known");
  // Two readers would see two disks.
  if (header.compressed() != (header.compression == 1))
    throw_corrupt(name,
                  std::string("the header contradicts itself: its flags say that grains are ") +
                      (header.compressed() ? "compressed" : "plain") +
                      ", its compression algorithm is " + std::to_string(header.compression));
  if (header.markers() && !header.compressed())
    throw_corrupt(name, "the header contradicts itself: markers without compressed grains");
}

constexpr std::uint32_t kNewlines = 0x0a0d200a;  // LF, blank, CR LF

void check_newlines(const std::string& name, Bytes in) {
  if (load_le<std::uint32_t>(in, 73) == kNewlines) return;
  throw_corrupt(
      name, "the line ends in the header were changed: the file went through a transfer as text");
}

}  // namespace

void check_grain_size(const std::string& name, std::uint64_t grain_sectors) {
  if (std::has_single_bit(grain_sectors) && grain_sectors <= kMaxGrainSectors) return;
  throw_corrupt(name, "the grain size of " + std::to_string(grain_sectors) +
                          " sectors is not a power of two from 1 to 4194304");
}

std::uint64_t descriptor_area(std::size_t text_bytes) noexcept {
  // VMware's area, of which others rewrite all 20 sectors at once; and room for keys to come.
  constexpr std::uint64_t kAreaSectors = 20;
  constexpr std::size_t kSpareText = 2048;
  return std::max(kAreaSectors, divide_up(text_bytes + kSpareText, kSectorSize));
}

std::uint64_t tables_needed(std::uint64_t capacity_sectors, std::uint64_t grain_sectors,
                            std::uint64_t gtes_per_gt) noexcept {
  return divide_up(divide_up(capacity_sectors, grain_sectors), gtes_per_gt);
}

SparseHeader SparseHeader::decode(const std::string& name, Bytes in) {
  SparseHeader header;
  header.version = load_le<std::uint32_t>(in, 4);
  header.flags = load_le<std::uint32_t>(in, 8);
  header.capacity = load_le<std::uint64_t>(in, 12);
  header.grain_sectors = load_le<std::uint64_t>(in, 20);
  header.descriptor_sector = load_le<std::uint64_t>(in, 28);
  header.descriptor_sectors = load_le<std::uint64_t>(in, 36);
  header.gtes_per_gt = load_le<std::uint32_t>(in, 44);
  header.rgd_sector = load_le<std::uint64_t>(in, 48);
  header.gd_sector = load_le<std::uint64_t>(in, 56);
  header.overhead = load_le<std::uint64_t>(in, 64);
  header.unclean = in[72] != std::byte{0};
  header.compression = load_le<std::uint16_t>(in, 77);

  if (load_le<std::uint32_t>(in, 0) != kSparseMagic)
    throw_corrupt(name, "the magic number of the header is missing");
  if (header.version > 3)
    throw Error(VMDK_ERR_UNSUPPORTED,
                name + ": header version " + std::to_string(header.version) + " is not known");
  const std::uint32_t unknown = header.flags & kIncompatibleFlags & ~(kCompressed | kMarkers);
  if (unknown != 0)
    throw Error(VMDK_ERR_UNSUPPORTED, name + ": the header has flags that are not known (" +
                                          std::to_string(unknown) + ")");
  if ((header.flags & kNewlineTest) != 0) check_newlines(name, in);
  if (header.capacity > kMaxSectors)
    throw_corrupt(name, "the capacity of " + std::to_string(header.capacity) +
                            " sectors is more than 2^63 bytes");
  check_compression(name, header);
  if (header.is_carrier()) return header;
  check_grain_size(name, header.grain_sectors);
  if (header.gtes_per_gt == 0)
    throw_corrupt(name, "the header says that a grain table has 0 entries");
  return header;
}

void check_capacity(const std::string& name, std::uint64_t header_sectors,
                    std::uint64_t line_sectors, std::uint64_t rounding) {
  if (header_sectors == line_sectors ||
      (header_sectors > line_sectors && header_sectors <= round_up(line_sectors, rounding)))
    return;
  throw_corrupt(name, "its header says that it has " + std::to_string(header_sectors) +
                          " sectors, the descriptor says " + std::to_string(line_sectors) +
                          " sectors");
}

void check_footer(const std::string& name, const SparseHeader& header, const SparseHeader& footer) {
  const auto compare = [&](const char* what, std::uint64_t in_header, std::uint64_t in_footer) {
    if (in_header != in_footer)
      throw_corrupt(name, std::string("its header and its footer contradict each other: ") + what +
                              " " + std::to_string(in_header) + " and " +
                              std::to_string(in_footer));
  };
  compare("version", header.version, footer.version);
  compare("flags", header.flags, footer.flags);
  if (header.capacity != 0) compare("capacity", header.capacity, footer.capacity);
  compare("grain size", header.grain_sectors, footer.grain_sectors);
  compare("descriptor offset", header.descriptor_sector, footer.descriptor_sector);
  compare("descriptor size", header.descriptor_sectors, footer.descriptor_sectors);
  compare("grain table entries", header.gtes_per_gt, footer.gtes_per_gt);
  compare("redundant directory", header.rgd_sector, footer.rgd_sector);
  compare("overhead", header.overhead, footer.overhead);
  if (header.gd_sector != kDirectoryAtEnd)
    compare("grain directory", header.gd_sector, footer.gd_sector);
  if (footer.gd_sector == kDirectoryAtEnd)
    throw_corrupt(name, "its footer does not say where the grain directory is");
}

std::array<std::byte, kSparseHeaderSize> SparseHeader::encode() const noexcept {
  std::array<std::byte, kSparseHeaderSize> out{};
  store_le(out, 0, kSparseMagic);
  store_le(out, 4, version);
  store_le(out, 8, flags);
  store_le(out, 12, capacity);
  store_le(out, 20, grain_sectors);
  store_le(out, 28, descriptor_sector);
  store_le(out, 36, descriptor_sectors);
  store_le(out, 44, gtes_per_gt);
  store_le(out, 48, rgd_sector);
  store_le(out, 56, gd_sector);
  store_le(out, 64, overhead);
  store_le(out, 72, std::uint8_t{unclean});
  store_le(out, 73, kNewlines);
  store_le(out, 77, compression);
  return out;
}

std::optional<SparseHeader> new_sparse_header(std::uint64_t capacity_sectors,
                                              std::uint64_t grain_sectors,
                                              std::uint64_t descriptor_sectors) noexcept {
  constexpr std::uint64_t kTableSectors = kSparseTableEntries * 4 / kSectorSize;
  const std::uint64_t tables = tables_needed(capacity_sectors, grain_sectors, kSparseTableEntries);
  if (tables > UINT32_MAX) return std::nullopt;
  const std::uint64_t directory_sectors = divide_up(tables * 4, kSectorSize);
  SparseHeader header;
  header.flags = SparseHeader::kNewlineTest | SparseHeader::kRedundantTable;
  header.capacity = capacity_sectors;
  header.grain_sectors = grain_sectors;
  header.descriptor_sector = descriptor_sectors == 0 ? 0 : 1;
  header.descriptor_sectors = descriptor_sectors;
  header.gtes_per_gt = kSparseTableEntries;
  header.rgd_sector = 1 + descriptor_sectors;
  header.gd_sector = header.rgd_sector + directory_sectors + tables * kTableSectors;
  const std::uint64_t end = header.gd_sector + directory_sectors + tables * kTableSectors;
  header.overhead = round_up(end, grain_sectors);
  if (header.overhead > UINT32_MAX) return std::nullopt;
  return header;
}

}  // namespace vmdk
