// SPDX-License-Identifier: MIT
// Header of a hosted sparse extent, "KDMV" (VDF, "Hosted Sparse Extent Header"), and what the
// lookup of grains needs to know, whichever header it came from.
#ifndef VMDK_FORMAT_SPARSE_HEADER_H
#define VMDK_FORMAT_SPARSE_HEADER_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "util/bytes.h"

namespace vmdk {

inline constexpr std::uint32_t kSparseMagic = 0x564d444b;
inline constexpr std::size_t kSparseHeaderSize = 512;
inline constexpr std::uint64_t kDirectoryAtEnd = UINT64_MAX;  // gdOffset: see the footer
inline constexpr std::uint32_t kSparseTableEntries = 512;     // of every extent by VMware

struct SparseHeader {
  static constexpr std::uint32_t kNewlineTest = 0x1, kRedundantTable = 0x2, kZeroedGrains = 0x4,
                                 kCompressed = 0x10000, kMarkers = 0x20000;

  std::uint32_t version = 1, flags = 0;
  std::uint64_t capacity = 0, grain_sectors = 0;
  std::uint64_t descriptor_sector = 0, descriptor_sectors = 0;
  std::uint32_t gtes_per_gt = 0;
  std::uint64_t rgd_sector = 0, gd_sector = 0, overhead = 0;
  bool unclean = false;
  std::uint16_t compression = 0;

  bool compressed() const noexcept { return (flags & kCompressed) != 0; }
  bool markers() const noexcept { return (flags & kMarkers) != 0; }
  bool has_redundant() const noexcept { return (flags & kRedundantTable) != 0 && rgd_sector != 0; }
  // Carries a descriptor and no grains.
  bool is_carrier() const noexcept { return capacity == 0; }

  // Throws VMDK_ERR_CORRUPT or VMDK_ERR_UNSUPPORTED, naming the field and both values where two
  // contradict each other. `name` is the file, for messages.
  static SparseHeader decode(const std::string& name, Bytes in);

  // With the newline bytes, whatever the flags say: libyal looks at them in any case.
  std::array<std::byte, kSparseHeaderSize> encode() const noexcept;
};

// The header of a new extent with all its tables, laid out as VMware does it: descriptor area,
// redundant directory and tables, directory and tables, grains. Nothing if a table or the first
// grain would lie where 32 bits do not reach. `grain_sectors` is a power of two.
std::optional<SparseHeader> new_sparse_header(std::uint64_t capacity_sectors,
                                              std::uint64_t grain_sectors,
                                              std::uint64_t descriptor_sectors) noexcept;

// The longest descriptor that is embedded in a new extent, and the sectors that are set aside for
// one of `text_bytes`.
inline constexpr std::size_t kMaxEmbeddedText = 20476 * kSectorSize;
std::uint64_t descriptor_area(std::size_t text_bytes) noexcept;

// A stretch of sectors that holds no grains.
struct SectorRange {
  std::uint64_t begin = 0, size = 0;
};

struct GrainLayout {
  std::uint64_t capacity_sectors = 0;
  std::uint64_t grain_sectors = 0;
  std::uint64_t gtes_per_gt = 0;
  std::uint64_t gd_sector = 0;
  std::uint64_t gd_entries = 0;  // as many as the capacity needs
  std::optional<std::uint64_t> rgd_sector;
  std::uint64_t first_grain_sector = 0;  // nothing before it is a grain
  bool grains_whole = true;  // a grain takes all its sectors in the file (else it is compressed)
  SectorRange header, descriptor;  // no grain lies there
};

// Tables that cover `capacity_sectors`; throws VMDK_ERR_CORRUPT if the directory is not in the
// file.
std::uint64_t tables_needed(std::uint64_t capacity_sectors, std::uint64_t grain_sectors,
                            std::uint64_t gtes_per_gt) noexcept;

inline constexpr std::uint64_t kCapacityRounding = 128;  // VirtualBox rounds up to 64 KiB

// The capacity in the header of an extent may be that of its line rounded up. Throws
// VMDK_ERR_CORRUPT.
void check_capacity(const std::string& name, std::uint64_t header_sectors,
                    std::uint64_t line_sectors, std::uint64_t rounding);

// The footer of a stream is a copy of the header that tells where the directory is. Throws
// VMDK_ERR_CORRUPT.
void check_footer(const std::string& name, const SparseHeader& header, const SparseHeader& footer);

// Throws VMDK_ERR_CORRUPT unless it is a power of two from one sector to 2^31 bytes.
void check_grain_size(const std::string& name, std::uint64_t grain_sectors);

}  // namespace vmdk

#endif
