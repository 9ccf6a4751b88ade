// SPDX-License-Identifier: MIT
#include "digest.h"

#include <algorithm>
#include <string_view>

namespace vmdk_tool {
namespace {

// Small enough to stay in the processor's cache.
constexpr std::byte kZeros[16 * 1024] = {};

}  // namespace

Digest::Digest(const nettle_hash& hash)
    : hash_(hash), context_(hash.context_size / sizeof(std::max_align_t) + 1) {
  hash_.init(context_.data());
}

void Digest::add(std::span<const std::byte> data) {
  const void* const bytes = data.data();
  hash_.update(context_.data(), data.size(), static_cast<const std::uint8_t*>(bytes));
}

std::uint64_t Digest::add_zeros(std::uint64_t size) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof kZeros));
  add({kZeros, n});
  return n;
}

std::string Digest::hex() {
  std::vector<std::uint8_t> digest(hash_.digest_size);
  hash_.digest(context_.data(), digest.size(), digest.data());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace vmdk_tool
