// SPDX-License-Identifier: MIT
// Arithmetic on numbers that come from a file: an overflow there is damage, not a bug.
#ifndef VMDK_UTIL_CHECKED_H
#define VMDK_UTIL_CHECKED_H

#include <cstdint>
#include <string>

#include "util/error.h"

namespace vmdk {

inline std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, const char* what) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    throw Error(VMDK_ERR_CORRUPT, std::string(what) + " is larger than 64 bits can hold");
  return sum;
}

inline std::uint64_t checked_mul(std::uint64_t a, std::uint64_t b, const char* what) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product))
    throw Error(VMDK_ERR_CORRUPT, std::string(what) + " is larger than 64 bits can hold");
  return product;
}

// Does [begin, begin + size) lie in [0, limit)?
constexpr bool in_bounds(std::uint64_t begin, std::uint64_t size, std::uint64_t limit) noexcept {
  return begin <= limit && size <= limit - begin;
}

constexpr std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) noexcept {
  return a / b + (a % b != 0 ? 1 : 0);
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) noexcept {
  return divide_up(value, to) * to;
}

}  // namespace vmdk

#endif
