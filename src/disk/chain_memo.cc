// SPDX-License-Identifier: MIT
#include "disk/chain_memo.h"

#include <algorithm>

#include "disk/disk.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kLargestCell = 64 << 10, kSmallestCell = 4 << 10;

}  // namespace

ChainMemo::ChainMemo(const std::vector<Link>& links) {
  if (links.size() < 2) return;
  std::uint64_t cell = kLargestCell;
  for (const Link& link : links)
    for (const Link::Slot& slot : link.slots)
      if (const std::uint64_t grain = slot.extent->grain_bytes(); grain != 0)
        cell = std::min(cell, grain);
  if (cell < kSmallestCell) return;
  for (const Link& link : links)
    for (const Link::Slot& slot : link.slots)
      if (slot.begin % cell != 0) return;
  cells_ = std::vector<std::atomic<std::uint64_t>>(kCells);
  cell_bytes_ = cell;
}

std::size_t ChainMemo::absent_links(std::uint64_t offset) const noexcept {
  const std::uint64_t cell = offset / cell_bytes_;
  const std::uint64_t known = cells_[cell % kCells].load(std::memory_order_relaxed);
  return known >> kLinkBits == cell ? known & ((1u << kLinkBits) - 1) : 0;
}

void ChainMemo::forget(std::uint64_t offset, std::uint64_t size) noexcept {
  if (cell_bytes_ == 0 || size == 0) return;
  const std::uint64_t last = (offset + size - 1) / cell_bytes_;
  std::uint64_t cell = offset / cell_bytes_;
  if (last - cell >= kCells) cell = last - (kCells - 1);  // every place once
  for (; cell <= last; ++cell) cells_[cell % kCells].store(0, std::memory_order_relaxed);
}

void ChainMemo::learn(std::uint64_t offset, std::size_t links) noexcept {
  const std::uint64_t cell = offset / cell_bytes_;
  cells_[cell % kCells].store(cell << kLinkBits | links, std::memory_order_relaxed);
}

}  // namespace vmdk
