// SPDX-License-Identifier: MIT
#include "ops/stream_tables.h"

#include <algorithm>

#include "extent/grain_record.h"
#include "util/error.h"
#include "util/random.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kZero = 1;  // entries up to this one name no grain
constexpr std::size_t kEntrySize = sizeof(std::uint32_t);

std::string text(std::uint64_t number) { return std::to_string(number); }

// The finisher of MurmurHash3 with the constants of splitmix64.
std::uint64_t scramble(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

TableMixer::TableMixer() : key_(std::uint64_t{random_number()} << 32 | random_number()) {}

std::uint64_t TableMixer::mix(std::uint64_t entry, std::uint64_t sector) const noexcept {
  return scramble(scramble((entry << 32 | sector) + key_) ^ key_);
}

void TableMixer::add(TableSum& sum, std::uint64_t entry, std::uint64_t sector) const noexcept {
  ++sum.grains;
  sum.mixed += mix(entry, sector);
}

void TableMixer::remove(TableSum& sum, std::uint64_t entry, std::uint64_t sector) const noexcept {
  --sum.grains;
  sum.mixed -= mix(entry, sector);
}

bool GrainsSeen::insert(std::uint64_t grain) {
  auto bit = blocks_[grain / kBlock][grain % kBlock];
  if (bit) return false;
  bit = true;
  return true;
}

void GrainsSeen::forget(std::uint64_t table, std::uint64_t gtes_per_gt) {
  if (gtes_per_gt % kBlock != 0) return;  // shares a block with its neighbours
  const std::uint64_t blocks = gtes_per_gt / kBlock;
  blocks_.erase(blocks_.lower_bound(table * blocks), blocks_.lower_bound((table + 1) * blocks));
}

// -- In front

void TablesInFront::begin_table(std::uint64_t table) noexcept {
  reading_ = {table, {}};
  entry_ = 0;
}

void TablesInFront::add_entries(Bytes entries) noexcept {
  const std::uint64_t most = shape_.grains_in(reading_.index);
  for (std::size_t i = 0; i < entries.size() && entry_ < most; i += kEntrySize, ++entry_)
    if (const auto sector = load_le<std::uint32_t>(entries, i); sector > kZero)
      mixer_.add(reading_.missing, entry_, sector);
}

void TablesInFront::end_table() {
  if (reading_.missing.grains != 0) tables_.push_back(reading_);
}

void TablesInFront::ready() {
  std::sort(tables_.begin(), tables_.end(),
            [](const Table& a, const Table& b) { return a.index < b.index; });
}

void TablesInFront::add_grain(std::uint64_t grain, std::uint64_t at) {
  const std::uint64_t index = grain / shape_.gtes_per_gt;
  const auto table =
      std::lower_bound(tables_.begin(), tables_.end(), index,
                       [](const Table& each, std::uint64_t wanted) { return each.index < wanted; });
  if (table == tables_.end() || table->index != index || table->missing.grains == 0)
    throw_damaged_grain(name_, {grain, at},
                        table == tables_.end() || table->index != index
                            ? "is not named by any grain table"
                            : "is there twice, or not named by grain table " + text(index) +
                                  ": all grains that the table names were there before");
  if (!seen_.insert(grain)) throw_damaged_grain(name_, {grain, at}, "is there twice");
  mixer_.remove(table->missing, grain % shape_.gtes_per_gt, at / kSectorSize);
  if (table->missing.grains != 0) return;
  if (table->missing != TableSum{})
    throw_corrupt(name_, "grain table " + text(index) +
                             " is not that of its grains, the last of which is grain " +
                             text(grain) + " at sector " + text(at / kSectorSize) + " (byte " +
                             text(at) + "): it names others, or in other places");
  seen_.forget(index, shape_.gtes_per_gt);
}

void TablesInFront::finish(std::uint64_t at) const {
  for (const Table& table : tables_)
    if (table.missing.grains != 0)
      throw_corrupt(name_, "the stream ends at byte " + text(at) + ", but " +
                               text(table.missing.grains) + " of the grains that grain table " +
                               text(table.index) +
                               " names were not there: it is truncated or damaged");
}

// -- Behind

void TablesBehind::add_grain(std::uint64_t grain, std::uint64_t at) {
  const std::uint64_t table = grain / shape_.gtes_per_gt, sector = at / kSectorSize;
  if (table != run_table_) {
    if (const auto closed = closed_.find(table); closed != closed_.end())
      throw_damaged_grain(name_, {grain, at},
                          "comes behind its grain table " + text(table) + " at sector " +
                              text(closed->second) + ", which does not name it");
    run_table_ = table;
    run_.clear();
    run_whole_ = !open_.contains(table);
  }
  if (!seen_.insert(grain)) throw_damaged_grain(name_, {grain, at}, "is there twice");
  const std::uint64_t entry = grain % shape_.gtes_per_gt;
  mixer_.add(open_[table], entry, sector);
  run_whole_ = run_whole_ && entry < kMaxRun;
  if (run_whole_)
    run_.push_back({static_cast<std::uint32_t>(entry), static_cast<std::uint32_t>(sector)});
}

void TablesBehind::begin_table(std::uint64_t at) {
  table_at_ = at;
  entry_ = matches_ = 0;
  reading_ = {};
  wanted_.clear();
  if (run_table_ == UINT64_MAX || !run_whole_ || shape_.gtes_per_gt > kMaxRun) return;
  wanted_.resize(static_cast<std::size_t>(shape_.grains_in(run_table_)));
  for (const Stored& grain : run_) wanted_[grain.entry] = grain.sector;
}

void TablesBehind::add_entries(Bytes entries) {
  const std::uint64_t in_last = shape_.grains_in(shape_.tables() - 1);
  for (std::size_t i = 0; i < entries.size() && entry_ < shape_.gtes_per_gt;
       i += kEntrySize, ++entry_) {
    auto sector = load_le<std::uint32_t>(entries, i);
    const std::uint32_t found = sector;
    if (sector <= kZero) sector = 0;
    if (sector != 0) {
      mixer_.add(reading_.all, entry_, sector);
      if (entry_ < in_last) mixer_.add(reading_.in_last, entry_, sector);
    }
    if (entry_ >= wanted_.size()) continue;
    const std::uint32_t wanted = wanted_[static_cast<std::size_t>(entry_)];
    if (sector == wanted)
      matches_ += sector != 0 ? 1 : 0;
    else if (!reading_.difference)
      reading_.difference = {run_table_, entry_, found, wanted};
  }
}

void TablesBehind::throw_difference(const Difference& difference, std::uint64_t at) const {
  const std::uint64_t grain = difference.table * shape_.gtes_per_gt + difference.entry;
  throw_corrupt(name_, "grain table " + text(difference.table) + " at byte " + text(at) +
                           " contradicts the grains before it: its entry " +
                           text(difference.entry) + ", at byte " +
                           text(at + difference.entry * kEntrySize) + ", is " +
                           text(difference.found) + ", but grain " + text(grain) +
                           (difference.wanted != 0 ? " is at sector " + text(difference.wanted)
                                                   : std::string(" was not there")));
}

void TablesBehind::end_table() {
  const std::uint64_t sector = table_at_ / kSectorSize;
  if (!wanted_.empty() && !reading_.difference) {
    closed_.emplace(run_table_, sector);
    open_.erase(run_table_);
    seen_.forget(run_table_, shape_.gtes_per_gt);
    run_table_ = UINT64_MAX;
    run_.clear();
    return;
  }
  // With one entry right it is the table of these grains; else perhaps another one's.
  if (matches_ != 0 && reading_.difference) throw_difference(*reading_.difference, table_at_);
  came_.emplace(sector, reading_);
}

void TablesBehind::check_directory(std::uint64_t table, std::uint32_t entry,
                                   std::uint64_t at) const {
  const auto directory_says = [&](const std::string& what) {
    return "the grain directory says at byte " + text(at) + " that grain table " + text(table) +
           what;
  };
  const std::string place = " is at sector " + text(entry);
  const auto closed = closed_.find(table);
  if (closed != closed_.end()) {
    if (closed->second == entry) return;
    throw_corrupt(name_, directory_says((entry <= kZero ? " is not there" : place) +
                                        ", but it was at sector " + text(closed->second)));
  }
  const auto open = open_.find(table);
  const TableSum grains = open == open_.end() ? TableSum{} : open->second;
  if (entry <= kZero) {
    if (grains.grains == 0) return;
    throw_corrupt(
        name_, directory_says(" is not there, but " + text(grains.grains) + " of its grains were"));
  }
  const auto came = came_.find(entry);
  if (came == came_.end()) throw_corrupt(name_, directory_says(place + ", where it was not"));
  const bool last = table + 1 == shape_.tables();
  const TableSum& named = last ? came->second.in_last : came->second.all;
  if (named == grains) return;
  if (const auto& difference = came->second.difference; difference && difference->table == table)
    throw_difference(*difference, came->first * kSectorSize);
  throw_corrupt(
      name_,
      directory_says(place + ", but that table is not that of its grains: it names " +
                     text(named.grains) + " grains, and " + text(grains.grains) + " were there"));
}

}  // namespace vmdk
