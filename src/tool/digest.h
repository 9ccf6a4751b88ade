// SPDX-License-Identifier: MIT
// Digests of bytes that pass by once.
#pragma once

#include <nettle/nettle-meta.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vmdk_tool {

class Digest {
 public:
  // `hash` is one of nettle's, such as nettle_sha256.
  explicit Digest(const nettle_hash& hash);

  void add(std::span<const std::byte> data);
  // Returns how many of the zeros it took: a piece of them, so that a job of
  // many TiB can be watched and cancelled.
  std::uint64_t add_zeros(std::uint64_t size);
  // The digest so far; ends it.
  std::string hex();

 private:
  const nettle_hash& hash_;
  std::vector<std::max_align_t> context_;
};

}  // namespace vmdk_tool
