// SPDX-License-Identifier: MIT
// Headers and table entries of a seSparse extent. VMware published nothing on it; docs/format.md
// says what is known.
#ifndef VMDK_FORMAT_SE_HEADER_H
#define VMDK_FORMAT_SE_HEADER_H

#include <cstdint>
#include <optional>
#include <string>

#include "util/bytes.h"

namespace vmdk {

inline constexpr std::uint64_t kSeMagic = 0xcafebabe;
inline constexpr std::size_t kSeHeaderSize = 512;
inline constexpr std::uint64_t kSeGrainSectors = 8;
inline constexpr std::uint64_t kSeTableSectors = 64;
inline constexpr std::uint64_t kSeTableEntries = kSeTableSectors * kSectorSize / 8;

struct SeHeader {
  struct Region {
    std::uint64_t sector = 0, sectors = 0;
  };
  std::uint64_t capacity = 0;
  Region volatile_header, directory, tables, grains;

  // The constant header, in the first sector. Throws VMDK_ERR_CORRUPT or VMDK_ERR_UNSUPPORTED.
  static SeHeader decode(const std::string& name, Bytes in);
};

// The volatile header. Throws VMDK_ERR_CORRUPT, or VMDK_ERR_UNSUPPORTED if its journal is to be
// replayed: what the tables say is out of date then.
void check_se_volatile_header(const std::string& name, Bytes in);

// Number of the table a directory entry leads to; nothing where the entry is damaged. 0 is no entry
// and must be asked for first.
std::optional<std::uint64_t> se_table_number(std::uint64_t entry) noexcept;

enum class SeGrain { absent, zero, data, damaged };
SeGrain se_grain_kind(std::uint64_t entry) noexcept;

// Number of the grain in the grain area. Its low 12 bits stand above the high ones.
constexpr std::uint64_t se_grain_number(std::uint64_t entry) noexcept {
  return ((entry >> 48) & 0xfff) | ((entry & 0x0000ffffffffffff) << 12);
}

}  // namespace vmdk

#endif
