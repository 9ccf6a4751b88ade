// SPDX-License-Identifier: MIT
#include "extent/grain_cache.h"

namespace vmdk {

bool GrainCache::read(std::uint64_t key, std::size_t at, MutableBytes out) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || at + out.size() > found->second->size) return false;
  entries_.splice(entries_.begin(), entries_, found->second);
  std::memcpy(out.data(), found->second->grain.first(found->second->size).data() + at, out.size());
  return true;
}

Buffer GrainCache::put(std::uint64_t key, Buffer grain, std::size_t size) {
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return grain;  // another thread was faster
  Buffer spare;
  while (!entries_.empty() && bytes_ + size > max_bytes_) {
    bytes_ -= entries_.back().size;
    by_key_.erase(entries_.back().key);
    spare = std::move(entries_.back().grain);
    entries_.pop_back();
  }
  entries_.push_front({key, std::move(grain), size});
  bytes_ += size;
  by_key_.emplace(key, entries_.begin());
  return spare;
}

std::uint64_t GrainCache::add_extent(std::uint64_t grains) noexcept {
  const std::uint64_t first = next_key_;
  next_key_ += grains;
  return first;
}

Buffer GrainBuffers::take(std::size_t size) {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty() && idle_.back().size() == size) {
    Buffer buffer = std::move(idle_.back());
    idle_.pop_back();
    return buffer;
  }
  // Those of another size make room.
  while (left_ < size && !idle_.empty()) {
    left_ += idle_.back().size();
    idle_.pop_back();
  }
  if (left_ < size) return {};
  idle_.reserve(idle_.capacity() + 1);  // so that giving back never has to allocate
  Buffer buffer(size);
  left_ -= size;
  return buffer;
}

void GrainBuffers::give_back(Buffer buffer) noexcept {
  if (buffer.size() == 0) return;
  const std::lock_guard lock(mutex_);
  if (idle_.size() < idle_.capacity())
    idle_.push_back(std::move(buffer));
  else
    left_ += buffer.size();
}

}  // namespace vmdk
