// SPDX-License-Identifier: MIT
// Inflated grains that were read in part, for the next read of the same one; and the state that
// inflating needs, used again instead of being made for each read.
#ifndef VMDK_EXTENT_GRAIN_CACHE_H
#define VMDK_EXTENT_GRAIN_CACHE_H

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "util/bytes.h"
#include "util/deflate.h"
#include "util/lender.h"

namespace vmdk {

// Any number of threads.
class GrainCache final {
 public:
  explicit GrainCache(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // `key` names a grain of the chain, see add_extent().
  // Copies from a grain, from its byte `at` on. Returns false if it is not here.
  bool read(std::uint64_t key, std::size_t at, MutableBytes out);

  // Keeps a grain of `size` bytes; older ones make room. Gives back memory to use again.
  Buffer put(std::uint64_t key, Buffer grain, std::size_t size);

  // The first of `grains` keys that belong to a new extent.
  std::uint64_t add_extent(std::uint64_t grains) noexcept;

 private:
  struct Entry {
    std::uint64_t key;
    Buffer grain;
    std::size_t size;
  };

  std::mutex mutex_;
  std::uint64_t max_bytes_, bytes_ = 0, next_key_ = 0;
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> by_key_;
};

// Lends memory for grains inflated ahead of a reader, up to a number of bytes for the whole chain.
// Any number of threads.
class GrainBuffers final {
 public:
  explicit GrainBuffers(std::uint64_t max_bytes) : left_(max_bytes) {}

  // A buffer of `size` bytes, or an empty one if that would be too much.
  Buffer take(std::size_t size);
  void give_back(Buffer buffer) noexcept;

 private:
  std::mutex mutex_;
  std::uint64_t left_;
  std::vector<Buffer> idle_;
};

// What one thread needs to inflate grains.
struct InflateState {
  Inflater inflater;
  Buffer packed, rest, grain;
};

using InflateStates = Lender<InflateState>;

}  // namespace vmdk

#endif
