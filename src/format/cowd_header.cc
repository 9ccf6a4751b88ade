// SPDX-License-Identifier: MIT
#include "format/cowd_header.h"

#include "format/sparse_header.h"
#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

CowdHeader CowdHeader::decode(const std::string& name, Bytes in) {
  if (load_le<std::uint32_t>(in, 0) != kCowdMagic)
    throw_corrupt(name, "the magic number of the header is missing");
  const auto version = load_le<std::uint32_t>(in, 4);
  if (version != 1)
    throw Error(VMDK_ERR_UNSUPPORTED,
                name + ": COWD version " + std::to_string(version) + " is not known");
  CowdHeader header;
  header.capacity = load_le<std::uint32_t>(in, 12);
  header.grain_sectors = load_le<std::uint32_t>(in, 16);
  header.gd_sector = load_le<std::uint32_t>(in, 20);
  header.gd_entries = load_le<std::uint32_t>(in, 24);
  header.free_sector = load_le<std::uint32_t>(in, 28);
  header.unclean = load_le<std::uint32_t>(in, 1648) != 0;
  check_grain_size(name, header.grain_sectors);
  if (header.gd_sector < kCowdHeaderSize / kSectorSize)
    throw_corrupt(name, "the grain directory at sector " + std::to_string(header.gd_sector) +
                            " is inside the header");
  return header;
}

std::array<std::byte, kCowdHeaderSize> CowdHeader::encode() const noexcept {
  std::array<std::byte, kCowdHeaderSize> out{};
  store_le(out, 0, kCowdMagic);
  store_le(out, 4, std::uint32_t{1});  // version
  store_le(out, 8, std::uint32_t{3});  // flags: those of every extent by ESX
  store_le(out, 12, capacity);
  store_le(out, 16, grain_sectors);
  store_le(out, 20, gd_sector);
  store_le(out, 24, gd_entries);
  store_le(out, 28, free_sector);
  store_le(out, 1648, std::uint32_t{unclean});
  return out;
}

std::optional<CowdHeader> new_cowd_header(std::uint32_t capacity_sectors,
                                          std::uint32_t grain_sectors) noexcept {
  const std::uint64_t tables = tables_needed(capacity_sectors, grain_sectors, kCowdTableEntries);
  const std::uint64_t gd_sector = kCowdHeaderSize / kSectorSize;
  const std::uint64_t end =
      gd_sector + divide_up(tables * 4, kSectorSize) + tables * kCowdTableSectors;
  const std::uint64_t free_sector = round_up(end, grain_sectors);
  if (free_sector > UINT32_MAX) return std::nullopt;
  CowdHeader header;
  header.capacity = capacity_sectors;
  header.grain_sectors = grain_sectors;
  header.gd_sector = static_cast<std::uint32_t>(gd_sector);
  header.gd_entries = static_cast<std::uint32_t>(tables);
  header.free_sector = static_cast<std::uint32_t>(free_sector);
  return header;
}

}  // namespace vmdk
