// SPDX-License-Identifier: MIT
#ifndef VMDK_UTIL_ZEROS_H
#define VMDK_UTIL_ZEROS_H

#include <cstring>

#include "util/bytes.h"

namespace vmdk {

// Zeros to write or to show.
inline constexpr std::array<std::byte, 64 << 10> kZeroBytes{};
inline constexpr Bytes kZeros{kZeroBytes};

// Are all the bytes zero? At the speed of memory: the bytes are compared with themselves, one
// further on.
inline bool is_zero(Bytes bytes) noexcept {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace vmdk

#endif
