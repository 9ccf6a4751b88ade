// SPDX-License-Identifier: MIT
#include "extent/table_cache.h"

#include <algorithm>
#include <bit>

namespace vmdk {

namespace {

constexpr unsigned kBlockBits = 40;  // of a tag: block numbers of files up to 2^52 bytes

// Words are kept as they stand in the file, whatever the byte order of the machine.
void store_words(std::span<std::atomic<std::uint32_t>> to, Bytes from) noexcept {
  for (std::size_t i = 0; i < to.size(); ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, from.data() + i * 4, 4);
    to[i].store(word, std::memory_order_release);
  }
}

}  // namespace

TableCache::TableCache(std::uint64_t max_bytes) {
  const std::uint64_t shard_bytes = kBlockSize * kWays * kSetsPerShard;
  const std::uint64_t count = std::clamp<std::uint64_t>(max_bytes / shard_bytes, 1, 1 << 16);
  shards_ = std::vector<std::atomic<Shard*>>(std::bit_floor(count));
  shift_ = 64 - static_cast<unsigned>(std::bit_width(shards_.size() * kSetsPerShard) - 1);
}

TableCache::~TableCache() {
  for (const auto& slot : shards_) {
    const std::unique_ptr<Shard> shard(slot.load(std::memory_order_relaxed));
    if (!shard) continue;
    for (Set& set : shard->sets)
      for (Slot& way : set.slots) delete way.block.load(std::memory_order_relaxed);
  }
}

TableCache::Shard& TableCache::shard(std::size_t index) {
  std::atomic<Shard*>& slot = shards_[index];
  if (Shard* made = slot.load(std::memory_order_acquire)) return *made;
  const std::lock_guard lock(mutex_);
  if (slot.load(std::memory_order_relaxed) == nullptr)
    slot.store(std::make_unique<Shard>().release(), std::memory_order_release);
  return *slot.load(std::memory_order_relaxed);
}

bool TableCache::copy(const Set& set, std::uint64_t tag, std::size_t at,
                      MutableBytes out) const noexcept {
  for (const Slot& slot : set.slots) {
    const std::uint32_t before = slot.sequence.load(std::memory_order_acquire);
    if ((before & 1) != 0 || slot.tag.load(std::memory_order_acquire) != tag) continue;
    const Block& block = *slot.block.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < out.size(); i += 4) {
      const std::uint32_t word = block[(at + i) / 4].load(std::memory_order_acquire);
      std::memcpy(out.data() + i, &word, 4);
    }
    if (slot.sequence.load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

void TableCache::fill(Shard& home, Set& set, std::uint64_t tag, const File& file,
                      std::uint64_t begin, std::size_t at, MutableBytes out) {
  const std::lock_guard lock(home.mutex);
  if (copy(set, tag, at, out)) return;
  std::array<std::byte, kBlockSize> bytes{};
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(kBlockSize, file.size() - begin));
  file.read_at(begin, MutableBytes(bytes).first(size));
  std::memcpy(out.data(), bytes.data() + at, out.size());

  Slot& slot = set.slots[set.next_victim++ % kWays];
  if (slot.block.load(std::memory_order_relaxed) == nullptr)
    slot.block.store(std::make_unique<Block>().release(), std::memory_order_release);
  const std::uint32_t sequence = slot.sequence.load(std::memory_order_relaxed);
  slot.sequence.store(sequence + 1, std::memory_order_relaxed);
  slot.tag.store(0, std::memory_order_release);
  store_words(*slot.block.load(std::memory_order_relaxed), bytes);
  slot.tag.store(tag, std::memory_order_release);
  slot.sequence.store(sequence + 2, std::memory_order_release);
}

bool TableCache::find_home(std::uint32_t number, std::uint64_t block, Home& home) const noexcept {
  if (block >> kBlockBits != 0 || number >> (64 - kBlockBits - 1) != 0) return false;
  home.tag = (std::uint64_t{number} << kBlockBits | block) + 1;
  const std::uint64_t index = home.tag * 0x9e3779b97f4a7c15 >> shift_;
  home.shard = index / kSetsPerShard;
  home.set = index % kSetsPerShard;
  return true;
}

void TableCache::patch(std::uint32_t number, std::uint64_t offset, Bytes bytes) noexcept {
  Home home;
  if (!find_home(number, offset / kBlockSize, home)) return;
  Shard* in = shards_[home.shard].load(std::memory_order_acquire);
  if (in == nullptr) return;
  for (Slot& slot : in->sets[home.set].slots) {
    if (slot.tag.load(std::memory_order_relaxed) != home.tag) continue;
    Block& block = *slot.block.load(std::memory_order_relaxed);
    store_words(std::span(block).subspan(offset % kBlockSize / 4, bytes.size() / 4), bytes);
  }
}

void TableCache::read(const File& file, std::uint32_t number, std::uint64_t offset,
                      MutableBytes out) {
  check_inside(file, offset, out.size());
  while (!out.empty()) {
    const std::uint64_t block = offset / kBlockSize;
    const std::size_t at = offset % kBlockSize;
    const MutableBytes piece = out.first(std::min(out.size(), kBlockSize - at));
    if (Home home; !find_home(number, block, home)) {
      file.read_at(offset, piece);
    } else {
      Shard& in = shard(home.shard);
      Set& set = in.sets[home.set];
      if (!copy(set, home.tag, at, piece))
        fill(in, set, home.tag, file, block * kBlockSize, at, piece);
    }
    offset += piece.size();
    out = out.subspan(piece.size());
  }
}

}  // namespace vmdk
