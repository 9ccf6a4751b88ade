// SPDX-License-Identifier: MIT
#include "digests.h"

#include <algorithm>

#include "piece_reader.h"
#include "signals.h"

namespace vmdk_tool {
namespace {

// Bytes are still in the processor's cache when the second digest sees them.
constexpr std::size_t kAtOnce = 64 * 1024;

}  // namespace

Digests::Digests(std::vector<const nettle_hash*> which) : which_(std::move(which)) {
  digests_.reserve(which_.size());
  for (const nettle_hash* const hash : which_) digests_.emplace_back(*hash);
}

void Digests::add(std::span<const std::byte> data) {
  while (!data.empty()) {
    const std::span<const std::byte> piece = data.first(std::min(kAtOnce, data.size()));
    for (Digest& digest : digests_) digest.add(piece);
    data = data.subspan(piece.size());
  }
}

void Digests::add_zeros(std::uint64_t size) {
  while (size > 0) {
    throw_if_cancelled();
    std::uint64_t done = 0;
    for (Digest& digest : digests_) done = digest.add_zeros(size);
    size -= done;
  }
}

void Digests::add_source(Source& source, std::uint32_t threads, Progress& progress) {
  constexpr std::uint64_t kZerosAtOnce = 1 << 20;
  PieceReader reader(source, 0, source.size(), threads > 1);
  while (const Piece* const piece = reader.front()) {
    throw_if_cancelled();
    std::uint64_t size = piece->size;
    if (piece->data == nullptr)
      add_zeros(size = std::min(size, kZerosAtOnce));
    else
      add({piece->data, static_cast<std::size_t>(size)});
    progress.add(size, size);
    reader.consume(size);
  }
}

std::vector<Digests::Result> Digests::results() {
  std::vector<Result> results;
  for (std::size_t i = 0; i < which_.size(); ++i)
    results.push_back({which_[i]->name, digests_[i].hex()});
  return results;
}

}  // namespace vmdk_tool
