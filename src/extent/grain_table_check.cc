// SPDX-License-Identifier: MIT
// Looking through all of an extent's tables before it is changed for the first time.
#include <algorithm>
#include <limits>

#include "extent/grain_table.h"
#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::size_t kBytesAtOnce = 1 << 20;
constexpr std::uint64_t kMostUncopied = 1024;
constexpr std::uint64_t kMostTorn = 1 << 20;
constexpr std::uint64_t kWindowBytes = 32 << 20;

// Finds grains that share sectors, in a window of the file at a time. A cell is as large as a
// grain; in it stands where in it a grain begins, plus one.
template <class T>
class Places final {
 public:
  Places(std::uint64_t grain_sectors, std::uint64_t first_cell, std::uint64_t cells)
      : grain_(grain_sectors), first_(first_cell), cells_(static_cast<std::size_t>(cells)) {}

  // False if the grain shares a sector with one that is there.
  bool add(std::uint64_t sector) {
    const std::uint64_t cell = sector / grain_, within = sector % grain_;
    if (cell < first_ || cell - first_ >= cells_.size()) return true;
    const auto at = static_cast<std::size_t>(cell - first_);
    if (cells_[at] != 0) return false;
    if (at > 0 && cells_[at - 1] > within + 1) return false;
    if (at + 1 < cells_.size() && cells_[at + 1] != 0 && cells_[at + 1] - 1u < within) return false;
    cells_[at] = static_cast<T>(within + 1);
    return true;
  }

 private:
  std::uint64_t grain_, first_;
  std::vector<T> cells_;
};

std::uint32_t entry_at(Bytes table, std::uint64_t i) noexcept {
  return load_le<std::uint32_t>(table, static_cast<std::size_t>(i * GrainTable::kEntrySize));
}

}  // namespace

void GrainTable::refuse(const std::string& what) const {
  throw Error(VMDK_ERR_CORRUPT, file_.name() + ": " + what + "; nothing is written to it")
      .with_hint("the disk can still be read: copy it with vmdk convert");
}

std::vector<std::uint32_t> GrainTable::read_directory(std::uint64_t sector) const {
  const std::uint64_t bytes = layout_.gd_entries * kEntrySize;
  if (bytes > shared_.max_table_bytes)
    throw Error(VMDK_ERR_LIMIT, file_.name() + ": its grain directory takes " +
                                    std::to_string(bytes) + " bytes, more than " +
                                    std::to_string(shared_.max_table_bytes) + " are allowed")
        .with_hint("raise vmdk_limits::max_table_bytes");
  std::vector<std::uint32_t> entries(static_cast<std::size_t>(layout_.gd_entries));
  const MutableBytes raw = std::as_writable_bytes(std::span(entries));
  changes_.read_at(sector * kSectorSize, raw);
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i] = entry_at(raw, i);
  return entries;
}

void GrainTable::check_all(bool unclean) {
  if (gd_lost_ || rgd_lost_) refuse("a grain directory does not lie inside the file");
  const std::vector<std::uint32_t> primary = read_directory(layout_.gd_sector);
  std::vector<std::uint32_t> redundant;
  if (layout_.rgd_sector) redundant = read_directory(*layout_.rgd_sector);
  check_tables(primary, redundant);
  check_grains(primary);
  if (unclean && layout_.rgd_sector) compare_copies(primary, redundant);
}

void GrainTable::check_tables(const std::vector<std::uint32_t>& primary,
                              const std::vector<std::uint32_t>& redundant) {
  std::vector<std::uint32_t> places;
  places.reserve(primary.size() + redundant.size());
  uncopied_.clear();
  for (std::uint64_t i = 0; i < primary.size(); ++i) {
    const std::uint32_t own = primary[i], copy = redundant.empty() ? own : redundant[i];
    const auto check = [&](std::uint32_t sector, const char* which) {
      if (sector <= kZero || is_table(i, sector)) return;
      refuse(std::string(which) + "grain table " + std::to_string(i) + " at sector " +
             std::to_string(sector) + " lies beyond the end of the file (" +
             std::to_string(file_.size() / kSectorSize) + " sectors) or in other metadata");
    };
    check(own, "");
    check(copy, "the redundant copy of ");
    if (own == kZero || copy == kZero)
      throw Error(VMDK_ERR_READ_ONLY,
                  file_.name() + ": cannot be written: its directory says that grain table " +
                      std::to_string(i) + " is of zeros as a whole, which only few programs know")
          .with_hint(kSnapshotHint);
    if (own == kAbsent && copy != kAbsent)
      refuse("grain table " + std::to_string(i) +
             " is missing in the grain directory, but its redundant copy is at sector " +
             std::to_string(copy));
    if (copy != own && copy != kAbsent) places.push_back(copy);
    if (own != kAbsent && copy == kAbsent) uncopied_.push_back(i);
  }
  // Mostly the copies stand in front of the others, and all are in order.
  std::copy_if(primary.begin(), primary.end(), std::back_inserter(places),
               [](std::uint32_t own) { return own != kAbsent; });
  if (uncopied_.size() > kMostUncopied)
    refuse(std::to_string(uncopied_.size()) + " grain tables have no redundant copy");
  if (!std::is_sorted(places.begin(), places.end())) std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i] - places[i - 1] < table_sectors())
      refuse("the grain tables at sectors " + std::to_string(places[i - 1]) + " and " +
             std::to_string(places[i]) + " overlap");
  std::erase_if(places, [&](std::uint32_t sector) {
    return sector + table_sectors() <= layout_.first_grain_sector;
  });
  inner_tables_ = std::move(places);
  learned_.store(true, std::memory_order_release);
}

// Calls visit(index, entries) for every table that has ever been written to; holes of the file are
// passed over. Neighbouring tables are read together.
template <class Visit>
void GrainTable::visit_tables(const std::vector<std::uint32_t>& primary, Visit visit) const {
  const std::uint64_t step = table_sectors();
  const std::uint64_t most = std::max<std::uint64_t>(kBytesAtOnce / (step * kSectorSize), 1);
  Buffer buffer(static_cast<std::size_t>(most * step * kSectorSize));
  std::uint64_t hole_end = 0, hole_begin = 0;
  for (std::uint64_t i = 0; i < primary.size();) {
    if (primary[i] <= kZero) {
      ++i;
      continue;
    }
    std::uint64_t count = 1;
    while (count < most && i + count < primary.size() &&
           primary[i + count] == primary[i] + count * step)
      ++count;
    const std::uint64_t begin = primary[i] * kSectorSize;
    const std::uint64_t size =
        (count - 1) * step * kSectorSize + grains_in_table(i + count - 1) * kEntrySize;
    if (begin < hole_begin || begin >= hole_end) {
      hole_begin = begin;
      hole_end = file_.next_data(begin);
    }
    if (begin + size > hole_end) {
      const MutableBytes bytes = buffer.first(static_cast<std::size_t>(size));
      changes_.read_at(begin, bytes);
      for (std::uint64_t k = 0; k < count; ++k)
        visit(i + k,
              Bytes(bytes).subspan(static_cast<std::size_t>(k * step * kSectorSize),
                                   static_cast<std::size_t>(grains_in_table(i + k) * kEntrySize)));
    }
    i += count;
  }
}

void GrainTable::check_grains(const std::vector<std::uint32_t>& primary) const {
  std::uint64_t highest = 0;
  visit_tables(primary, [&](std::uint64_t index, Bytes entries) {
    const Table table{primary[static_cast<std::size_t>(index)], false};
    for (std::uint64_t i = 0; i * kEntrySize < entries.size(); ++i) {
      const std::uint32_t entry = entry_at(entries, i);
      if (entry <= kZero) continue;
      const std::uint64_t grain = index * layout_.gtes_per_gt + i;
      if (!is_grain(grain, entry, table))
        refuse("grain " + std::to_string(grain) + " is said to be at sector " +
               std::to_string(entry) + ", which does not lie inside the file of " +
               std::to_string(file_.size()) + " bytes or holds metadata");
      highest = std::max<std::uint64_t>(highest, entry);
    }
  });
  if (highest == 0) return;

  const auto find_shared = [&]<class T>(T) {
    const std::uint64_t cells = highest / layout_.grain_sectors + 1;
    const std::uint64_t window =
        std::max<std::uint64_t>(std::min(kWindowBytes, shared_.max_table_bytes) / sizeof(T), 2);
    // Windows share a cell, so that neighbours are always together in one.
    for (std::uint64_t first = 0; first < cells; first += window - 1) {
      Places<T> places(layout_.grain_sectors, first, std::min(window, cells - first));
      visit_tables(primary, [&](std::uint64_t index, Bytes entries) {
        for (std::uint64_t i = 0; i * kEntrySize < entries.size(); ++i) {
          const std::uint32_t entry = entry_at(entries, i);
          if (entry > kZero && !places.add(entry))
            refuse("grain " + std::to_string(index * layout_.gtes_per_gt + i) + " at sector " +
                   std::to_string(entry) + " shares space with another grain");
        }
      });
    }
  };
  if (layout_.grain_sectors < std::numeric_limits<std::uint8_t>::max())
    find_shared(std::uint8_t{});
  else
    find_shared(std::uint32_t{});
}

void GrainTable::compare_copies(const std::vector<std::uint32_t>& primary,
                                const std::vector<std::uint32_t>& redundant) {
  Buffer buffer(static_cast<std::size_t>(table_sectors() * kSectorSize));
  std::uint64_t torn = 0;
  const auto compare = [&](std::uint64_t index) {
    const std::uint64_t own = primary[static_cast<std::size_t>(index)];
    const std::uint64_t copy = redundant[static_cast<std::size_t>(index)];
    if (copy <= kZero || copy == own) return;
    const auto size = static_cast<std::size_t>(grains_in_table(index) * kEntrySize);
    const MutableBytes bytes = buffer.first(size);
    std::vector<std::byte> other(size);
    changes_.read_at(own * kSectorSize, bytes);
    changes_.read_at(copy * kSectorSize, other);
    for (std::size_t at = 0; at < size; at += kSectorSize) {
      const std::size_t some = std::min<std::size_t>(kSectorSize, size - at);
      if (std::memcmp(bytes.data() + at, other.data() + at, some) == 0) continue;
      if (++torn > kMostTorn) refuse("its redundant tables differ from the primary ones");
      changes_.touch(own + at / kSectorSize, copy + at / kSectorSize, false);
    }
  };
  // A table that was never written to can have a copy that was.
  for (std::uint64_t index = 0; index < primary.size(); ++index) {
    const std::uint64_t own = primary[static_cast<std::size_t>(index)] * kSectorSize;
    const std::uint64_t copy = redundant[static_cast<std::size_t>(index)] * kSectorSize;
    const std::uint64_t size = table_sectors() * kSectorSize;
    if (own != 0 && (file_.next_data(own) < own + size || file_.next_data(copy) < copy + size))
      compare(index);
  }
  if (torn != 0)
    shared_.reporter.warn(file_.name() +
                          ": was not closed cleanly; its redundant tables differ in " +
                          std::to_string(torn) + " sectors and are made as the primary ones");
}

}  // namespace vmdk
