// SPDX-License-Identifier: MIT
// Views of bytes and little-endian numbers in them. VMDK is little-endian throughout and its
// structures are packed, so everything goes through memcpy: one load or store instruction.
#ifndef VMDK_UTIL_BYTES_H
#define VMDK_UTIL_BYTES_H

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace vmdk {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline constexpr std::uint64_t kSectorSize = 512;

template <class T>
T load_le(Bytes in, std::size_t at) {
  assert(at + sizeof(T) <= in.size());
  std::array<std::byte, sizeof(T)> raw;
  std::memcpy(raw.data(), in.data() + at, sizeof(T));
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<T>(raw);
}

template <class T>
void store_le(MutableBytes out, std::size_t at, T value) {
  assert(at + sizeof(T) <= out.size());
  auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  std::memcpy(out.data() + at, raw.data(), sizeof(T));
}

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string_view as_text(Bytes in) {
  return {reinterpret_cast<const char*>(in.data()), in.size()};
}

// Memory for bytes about to be overwritten: not cleared first, unlike a vector.
class Buffer final {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : data_(new std::byte[size]), size_(size) {}

  // Makes room for `size` bytes; the content is lost if it has to grow.
  void reserve(std::size_t size) {
    if (size > size_) *this = Buffer(size);
  }
  std::size_t size() const noexcept { return size_; }
  MutableBytes first(std::size_t size) {
    assert(size <= size_);
    return {data_.get(), size};
  }
  Bytes first(std::size_t size) const {
    assert(size <= size_);
    return {data_.get(), size};
  }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
};

}  // namespace vmdk

#endif
