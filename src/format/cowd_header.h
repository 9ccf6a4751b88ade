// SPDX-License-Identifier: MIT
// Header of an ESX server sparse extent, "COWD" (VDF, "ESX Server Sparse Extents").
#ifndef VMDK_FORMAT_COWD_HEADER_H
#define VMDK_FORMAT_COWD_HEADER_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "util/bytes.h"

namespace vmdk {

inline constexpr std::uint32_t kCowdMagic = 0x44574f43;
inline constexpr std::size_t kCowdHeaderSize = 2048;
inline constexpr std::uint64_t kCowdTableEntries = 4096;
inline constexpr std::uint64_t kCowdTableSectors = kCowdTableEntries * 4 / kSectorSize;

struct CowdHeader {
  std::uint32_t capacity = 0, grain_sectors = 0, gd_sector = 0, gd_entries = 0, free_sector = 0;
  bool unclean = false;

  // Throws VMDK_ERR_CORRUPT or VMDK_ERR_UNSUPPORTED. `name` is the file, for messages.
  static CowdHeader decode(const std::string& name, Bytes in);

  std::array<std::byte, kCowdHeaderSize> encode() const noexcept;
};

// The header of a new extent with all its tables behind the directory; the free sector is where
// the first grain goes. Nothing if that lies where 32 bits do not reach. `grain_sectors` is a power
// of two.
std::optional<CowdHeader> new_cowd_header(std::uint32_t capacity_sectors,
                                          std::uint32_t grain_sectors) noexcept;

}  // namespace vmdk

#endif
