// SPDX-License-Identifier: MIT
// A compressed grain, with what stands in front of it (VDF, "Stream-Optimized Compressed Sparse
// Extents").
#ifndef VMDK_EXTENT_GRAIN_RECORD_H
#define VMDK_EXTENT_GRAIN_RECORD_H

#include <cstdint>
#include <string>

#include "util/bytes.h"
#include "util/deflate.h"

namespace vmdk {

// Compressed grains larger than this are refused: they would have to be inflated whole for each
// byte.
inline constexpr std::uint64_t kMaxPackedGrainBytes = 16 << 20;

// Throws VMDK_ERR_UNSUPPORTED.
void check_packed_grain_size(const std::string& name, std::uint64_t grain_bytes);

// The most compressed bytes of a grain. Data that cannot be compressed grows a little; twice the
// grain is beyond what any writer makes.
constexpr std::uint64_t max_packed_bytes(std::uint64_t grain_bytes) noexcept {
  return 2 * grain_bytes + 1024;
}

// Which grain it is, for messages.
struct GrainPlace {
  std::uint64_t grain;  // its number
  std::uint64_t at;     // byte of the file where it is stored
};

// Throws VMDK_ERR_CORRUPT if no grain can have so many compressed bytes.
void check_packed_size(const std::string& name, const GrainPlace& place, std::uint64_t size,
                       std::uint64_t grain_bytes);

// Throws VMDK_ERR_CORRUPT for a grain, "grain N, stored at byte N, ...".
[[noreturn]] void throw_damaged_grain(const std::string& name, const GrainPlace& place,
                                      const std::string& why);

// Inflates to `out`, which is as long as the grain is on the disk. Throws VMDK_ERR_CORRUPT.
// `scratch` is used for the last grain of a disk.
void inflate_grain(const std::string& name, const GrainPlace& place, Bytes packed,
                   std::uint64_t grain_bytes, Inflater& inflater, Buffer& scratch,
                   MutableBytes out);

}  // namespace vmdk

#endif
