// SPDX-License-Identifier: MIT
// Several digests of the same bytes, which pass by once.
#pragma once

#include <nettle/nettle-meta.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "digest.h"
#include "progress.h"
#include "source.h"

namespace vmdk_tool {

class Digests {
 public:
  // Each is one of nettle's, such as &nettle_sha256.
  explicit Digests(std::vector<const nettle_hash*> which);

  void add(std::span<const std::byte> data);
  // Throws Cancelled: zeros may be many TiB.
  void add_zeros(std::uint64_t size);
  // All of a source.
  void add_source(Source& source, std::uint32_t threads, Progress& progress);

  struct Result {
    const char* algorithm;  // "sha256"
    std::string hex;
  };
  // The digests so far; ends them.
  std::vector<Result> results();

 private:
  std::vector<const nettle_hash*> which_;
  std::vector<Digest> digests_;
};

}  // namespace vmdk_tool
