// SPDX-License-Identifier: MIT
// Inflating and deflating grains with libdeflate, or with zlib where that is missing.
#ifndef VMDK_UTIL_DEFLATE_H
#define VMDK_UTIL_DEFLATE_H

#include <cstddef>
#include <memory>
#include <optional>

#include "util/bytes.h"

namespace vmdk {

// State for inflating one buffer after the other. One thread at a time.
class Inflater final {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Inflates a zlib stream (RFC 1950), whose checksum is verified, or raw deflate data (RFC 1951);
  // bytes that follow the stream are ignored. Returns how many bytes of `out` were filled, or
  // nothing if the data is damaged or does not fit.
  std::optional<std::size_t> inflate(Bytes in, MutableBytes out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// State for deflating one buffer after the other, always to the same bytes. One thread at a time.
class Deflater final {
 public:
  static constexpr int kUsualLevel = 6, kMaxLevel = 12;

  // 0: stored, not compressed; 1 (fast) to kMaxLevel (small).
  explicit Deflater(int level);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The most bytes that `size` bytes become, at any level.
  static std::size_t bound(std::size_t size) noexcept;

  // Writes a zlib stream (RFC 1950) to `out`, which has room for bound(); returns its size.
  std::size_t deflate(Bytes in, MutableBytes out);

 private:
  struct State;
  // 0 if it does not fit.
  std::size_t compress(Bytes in, MutableBytes out);

  std::unique_ptr<State> state_;
  bool stores_;
};

// Are these the first two bytes of a zlib stream? (RFC 1950, 2.2)
bool has_zlib_header(Bytes in) noexcept;

}  // namespace vmdk

#endif
