// SPDX-License-Identifier: MIT
#include "extent/table_changes.h"

#include <algorithm>

#include "util/mutant.h"

namespace vmdk {

namespace {

constexpr std::size_t kSectorsAtOnce = 256;

}  // namespace

TableChanges::Sector& TableChanges::touch(std::uint64_t sector, std::uint64_t twin, bool last) {
  if (const auto known = sectors_.find(sector); known != sectors_.end()) return known->second;
  Sector fresh{{}, twin, last};
  const std::uint64_t offset = sector * kSectorSize;
  const std::uint64_t size = std::min(kSectorSize, file_.size() - offset) / 4 * 4;
  cache_.read(*this, number_, offset, MutableBytes(fresh.bytes).first(size));
  Sector& made = sectors_.emplace(sector, fresh).first->second;
  cache_.note_changes(1);
  return made;
}

void TableChanges::set(std::uint64_t offset, std::uint32_t entry) noexcept {
  const auto at = sectors_.find(offset / kSectorSize);
  assert(at != sectors_.end());
  store_le(MutableBytes(at->second.bytes), offset % kSectorSize, entry);
  cache_.patch(number_, offset, Bytes(at->second.bytes).subspan(offset % kSectorSize, 4));
}

bool TableChanges::has_last() const noexcept {
  return std::any_of(sectors_.begin(), sectors_.end(),
                     [](const auto& entry) { return entry.second.last; });
}

// In order, neighbours in one piece.
void TableChanges::write_places(std::vector<Place>& places) {
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.sector < b.sector; });
  std::vector<std::byte> piece;
  piece.reserve(std::min(places.size(), kSectorsAtOnce) * kSectorSize);
  for (std::size_t i = 0; i < places.size();) {
    const std::uint64_t first = places[i].sector;
    piece.clear();
    for (; i < places.size() && places[i].sector == first + piece.size() / kSectorSize &&
           piece.size() < kSectorsAtOnce * kSectorSize;
         ++i)
      piece.insert(piece.end(), places[i].content->bytes.begin(), places[i].content->bytes.end());
    // A table at the very end of a file may end before its sector does.
    const std::uint64_t size =
        std::min<std::uint64_t>(piece.size(), file_.size() - first * kSectorSize);
    file_.write_at(first * kSectorSize, Bytes(piece).first(static_cast<std::size_t>(size)));
  }
}

void TableChanges::write() {
  std::vector<Place> twins, own;
  for (const auto& [sector, content] : sectors_) {
    if (content.last) continue;
    own.push_back({sector, &content});
    if (content.twin != 0 && !is_mutant(Mutant::redundant_not_written))
      twins.push_back({content.twin, &content});
  }
  write_places(twins);
  write_places(own);
}

void TableChanges::write_last() {
  std::vector<Place> places;
  for (const auto& [sector, content] : sectors_)
    if (content.last) places.push_back({sector, &content});
  write_places(places);
}

void TableChanges::forget() noexcept {
  cache_.note_changes(-static_cast<std::ptrdiff_t>(sectors_.size()));
  sectors_.clear();
}

void TableChanges::read_at(std::uint64_t offset, MutableBytes out) const {
  file_.read_at(offset, out);
  if (sectors_.empty() || out.empty()) return;
  for (std::uint64_t sector = offset / kSectorSize;
       sector <= (offset + out.size() - 1) / kSectorSize; ++sector) {
    const auto changed = sectors_.find(sector);
    if (changed == sectors_.end()) continue;
    const std::uint64_t begin = std::max(offset, sector * kSectorSize);
    const std::uint64_t end = std::min(offset + out.size(), (sector + 1) * kSectorSize);
    std::memcpy(out.data() + (begin - offset), changed->second.bytes.data() + begin % kSectorSize,
                static_cast<std::size_t>(end - begin));
  }
}

}  // namespace vmdk
