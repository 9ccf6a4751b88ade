// SPDX-License-Identifier: MIT
// What stands in front of the pieces of a stream-optimized extent (VDF, "Stream-Optimized
// Compressed Sparse Extents").
#ifndef VMDK_FORMAT_MARKER_H
#define VMDK_FORMAT_MARKER_H

#include <cstdint>

#include "util/bytes.h"

namespace vmdk {

inline constexpr std::size_t kMarkerSize = 16;       // as far as it says something
inline constexpr std::size_t kGrainMarkerSize = 12;  // the data of a grain follows at once

enum class MarkerType : std::uint32_t {
  end_of_stream = 0,
  grain_table = 1,
  grain_directory = 2,
  footer = 3,
  progress = 4
};

struct Marker {
  std::uint64_t value = 0;  // a grain: its sector on the disk; else: sectors that follow
  std::uint32_t size = 0;   // a grain: bytes that follow; else 0
  std::uint32_t type = 0;   // meaningful where size is 0

  static Marker decode(Bytes in) {
    return {load_le<std::uint64_t>(in, 0), load_le<std::uint32_t>(in, 8),
            load_le<std::uint32_t>(in, 12)};
  }
  static Marker of(MarkerType type, std::uint64_t sectors) noexcept {
    return {sectors, 0, static_cast<std::uint32_t>(type)};
  }
  // The type only where it means something: of a grain the data stands there.
  void encode(MutableBytes out) const {
    store_le(out, 0, value);
    store_le(out, 8, size);
    if (size == 0) store_le(out, 12, type);
  }
  bool is(MarkerType wanted) const noexcept {
    return size == 0 && type == static_cast<std::uint32_t>(wanted);
  }
};

}  // namespace vmdk

#endif
