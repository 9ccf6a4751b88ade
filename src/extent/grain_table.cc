// SPDX-License-Identifier: MIT
#include "extent/grain_table.h"

#include <algorithm>
#include <array>

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kTablesPerRun = 65536;  // bounds the work of one run()
constexpr std::uint64_t kGrainsPerRun = 1 << 20;
constexpr std::size_t kMaxReported = 65536;
constexpr std::uint64_t kMaxLearned =
    1 << 18;  // directory entries looked through for tables among the grains
constexpr std::uint64_t kTableKey = std::uint64_t{1}
                                    << 63;     // tells tables from grains in reported_
constexpr std::uint64_t kSmallestRecord = 13;  // of a compressed grain: marker and a byte

RunKind kind_of_entry(std::uint64_t entry) noexcept {
  return entry == GrainTable::kAbsent ? RunKind::absent
         : entry == GrainTable::kZero ? RunKind::zero
                                      : RunKind::data;
}

bool overlap(const SectorRange& range, std::uint64_t sector, std::uint64_t sectors) noexcept {
  return sector < range.begin + range.size && range.begin < sector + sectors;
}

const char* const kRecoverHint =
    "there is a second copy of the tables: open with --recover (VMDK_OPEN_RECOVER) to read through "
    "it";

}  // namespace

GrainTable::GrainTable(File& file, const GrainLayout& layout, const Shared& shared)
    : file_(file),
      layout_(layout),
      shared_(shared),
      number_(shared.tables.add_file()),
      grains_(divide_up(layout_.capacity_sectors, layout_.grain_sectors)),
      changes_(file, shared.tables, number_),
      metadata_{layout_.header, layout_.descriptor} {
  const std::uint64_t gd_bytes = layout_.gd_entries * kEntrySize;
  const auto inside = [&](std::uint64_t sector) {
    return sector <= file_.size() / kSectorSize &&
           in_bounds(sector * kSectorSize, gd_bytes, file_.size());
  };
  if (layout_.rgd_sector && !inside(*layout_.rgd_sector)) {
    shared_.reporter.warn(file_.name() + ": the redundant grain directory at sector " +
                          std::to_string(*layout_.rgd_sector) +
                          " lies beyond the end of the file; it is not used");
    layout_.rgd_sector.reset();
    rgd_lost_ = true;
  }
  gd_lost_ = layout_.gd_sector == 0 || !inside(layout_.gd_sector);
  if (gd_lost_) {
    const std::string what = "the grain directory at sector " + std::to_string(layout_.gd_sector) +
                             " (" + std::to_string(gd_bytes) +
                             " bytes) does not lie inside the file (" +
                             std::to_string(file_.size()) + " bytes)";
    if (!shared_.recover || !layout_.rgd_sector) throw_damaged(what);
    note_recovered(UINT64_MAX, what);
  } else {
    metadata_[2] = {layout_.gd_sector, divide_up(gd_bytes, kSectorSize)};
  }
  if (layout_.rgd_sector) metadata_[3] = {*layout_.rgd_sector, divide_up(gd_bytes, kSectorSize)};
}

GrainTable::~GrainTable() {
  const std::unique_ptr<Memo> owner(memo_.load(std::memory_order_relaxed));
}

// Made with the first table, so that extents nobody reads do without.
GrainTable::Memo& GrainTable::memo() const {
  if (Memo* made = memo_.load(std::memory_order_acquire)) return *made;
  auto fresh = std::make_unique<Memo>();
  Memo* made = nullptr;
  if (memo_.compare_exchange_strong(made, fresh.get(), std::memory_order_acq_rel))
    return *fresh.release();
  return *made;
}

void GrainTable::throw_damaged(const std::string& what) const {
  Error error(VMDK_ERR_CORRUPT, file_.name() + ": " + what);
  if (layout_.rgd_sector && !shared_.recover) throw std::move(error).with_hint(kRecoverHint);
  throw error;
}

void GrainTable::note_recovered(std::uint64_t key, const std::string& message) const {
  {
    const std::lock_guard lock(mutex_);
    if (reported_.size() == kMaxReported || !reported_.insert(key).second) return;
  }
  recovered_.fetch_add(1, std::memory_order_relaxed);
  shared_.reporter.warn(file_.name() + ": " + message + "; the redundant copy is read instead");
}

bool GrainTable::overlaps_metadata(std::uint64_t sector, std::uint64_t sectors) const noexcept {
  return std::any_of(metadata_.begin(), metadata_.end(),
                     [&](const SectorRange& range) { return overlap(range, sector, sectors); });
}

std::uint64_t GrainTable::table_sectors() const noexcept {
  return divide_up(layout_.gtes_per_gt * kEntrySize, kSectorSize);
}

bool GrainTable::overlaps_inner_table(std::uint64_t sector, std::uint64_t sectors) const noexcept {
  const std::uint64_t size = table_sectors();
  const auto next =
      std::upper_bound(inner_tables_.begin(), inner_tables_.end(), sector,
                       [&](std::uint64_t at, std::uint32_t table) { return at < table + size; });
  return next != inner_tables_.end() && *next < sector + sectors;
}

// Tables that stand in front of all grains need no remembering. Compressed grains say themselves
// what they are.
void GrainTable::learn_inner_tables() const {
  if (learned_.load(std::memory_order_acquire) || !layout_.grains_whole) return;
  const std::lock_guard lock(mutex_);
  if (learned_.load(std::memory_order_relaxed)) return;
  std::vector<std::uint32_t> tables;
  Buffer buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(layout_.gd_entries * kEntrySize, 64 << 10)));
  const std::uint64_t most = layout_.gd_entries <= kMaxLearned ? layout_.gd_entries : 0;
  const std::uint64_t directory = gd_lost_ ? *layout_.rgd_sector : layout_.gd_sector;
  std::uint64_t count = 0;
  for (std::uint64_t index = 0; index < most; index += count) {
    count = std::min<std::uint64_t>(most - index, buffer.size() / kEntrySize);
    const MutableBytes some = buffer.first(static_cast<std::size_t>(count * kEntrySize));
    try {
      changes_.read_at(directory * kSectorSize + index * kEntrySize, some);
    } catch (const Error& error) {
      if (error.status() != VMDK_ERR_IO) throw;
      return;  // which tables there are cannot be told now; it is tried again
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = load_le<std::uint32_t>(some, static_cast<std::size_t>(i * kEntrySize));
      if (entry > kZero && entry >= layout_.first_grain_sector && is_table(index + i, entry))
        tables.push_back(entry);
    }
  }
  std::sort(tables.begin(), tables.end());
  inner_tables_ = std::move(tables);
  learned_.store(true, std::memory_order_release);
}

std::uint64_t GrainTable::grains_in_table(std::uint64_t index) const noexcept {
  return std::min(layout_.gtes_per_gt, grains_ - index * layout_.gtes_per_gt);
}

bool GrainTable::is_table(std::uint64_t index, std::uint32_t sector) const noexcept {
  const std::uint64_t bytes = grains_in_table(index) * kEntrySize;
  return in_bounds(sector * kSectorSize, bytes, file_.size()) &&
         !overlaps_metadata(sector, divide_up(bytes, kSectorSize));
}

std::uint32_t GrainTable::directory_entry(std::uint64_t directory_sector,
                                          std::uint64_t index) const {
  std::array<std::byte, kEntrySize> entry;
  shared_.tables.read(changes_, number_, directory_sector * kSectorSize + index * kEntrySize,
                      entry);
  return load_le<std::uint32_t>(entry, 0);
}

// Nothing where the directory cannot be read.
std::optional<std::uint32_t> GrainTable::readable_entry(std::uint64_t directory_sector,
                                                        std::uint64_t index) const {
  try {
    return directory_entry(directory_sector, index);
  } catch (const Error& error) {
    if (error.status() != VMDK_ERR_IO) throw;
    return std::nullopt;
  }
}

GrainTable::Table GrainTable::find_table(std::uint64_t index) const {
  std::atomic<std::uint64_t>& place = memo()[index % kMemo];
  const std::uint64_t known = place.load(std::memory_order_relaxed);
  if (known >> 32 == index && known != 0) return {known & UINT32_MAX, false};
  const Table table = look_up_table(index);
  if (table.sector > kZero && !table.redundant && index <= UINT32_MAX)
    place.store(index << 32 | table.sector, std::memory_order_relaxed);
  return table;
}

GrainTable::Table GrainTable::look_up_table(std::uint64_t index) const {
  const bool mendable = shared_.recover && layout_.rgd_sector;
  std::string problem;
  std::optional<std::uint32_t> found;
  if (!gd_lost_) {
    found = readable_entry(layout_.gd_sector, index);
    if (!found && !mendable) found = directory_entry(layout_.gd_sector, index);  // throws
  }
  if (!found)
    problem = gd_lost_ ? "the grain directory does not lie inside the file"
                       : "the grain directory cannot be read";
  if (found) {
    const std::uint32_t entry = *found;
    if (entry == kZero || (entry > kZero && is_table(index, entry))) return {entry, false};
    if (entry != kAbsent) {
      problem = "grain table " + std::to_string(index) + " at sector " + std::to_string(entry) +
                " lies beyond the end of the file (" + std::to_string(file_.size() / kSectorSize) +
                " sectors) or in other metadata";
    } else {
      if (!layout_.rgd_sector) return {kAbsent, false};
      const std::uint32_t copy = readable_entry(*layout_.rgd_sector, index).value_or(kAbsent);
      if (copy <= kZero || !is_table(index, copy)) return {kAbsent, false};
      problem = "grain table " + std::to_string(index) +
                " is missing in the grain directory, but its redundant copy is at sector " +
                std::to_string(copy);
    }
  }
  if (!mendable) throw_damaged(problem);
  const std::uint32_t copy = directory_entry(*layout_.rgd_sector, index);
  if (copy > kZero && !is_table(index, copy))
    throw_damaged(problem + ", and so does its redundant copy");
  note_recovered(kTableKey | index, problem);
  return {copy, true};
}

void GrainTable::read_entries(std::uint64_t grain, const Table& table,
                              std::span<std::uint32_t> out) const {
  const std::uint64_t at = table.sector * kSectorSize + grain % layout_.gtes_per_gt * kEntrySize;
  const MutableBytes bytes = std::as_writable_bytes(out);
  shared_.tables.read(changes_, number_, at, bytes);
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = load_le<std::uint32_t>(bytes, i * kEntrySize);
}

// Reads entries of one table; where its sectors cannot be read, those of its copy.
std::size_t GrainTable::entries(std::uint64_t grain, const Table& table,
                                std::span<std::uint32_t> out) const {
  try {
    read_entries(grain, table, out);
  } catch (const Error& error) {
    if (error.status() != VMDK_ERR_IO || table.redundant || !layout_.rgd_sector) throw;
    const std::uint64_t index = grain / layout_.gtes_per_gt;
    if (!shared_.recover)
      throw Error(VMDK_ERR_IO, error.what(), error.os_error()).with_hint(kRecoverHint);
    const std::uint32_t copy = directory_entry(*layout_.rgd_sector, index);
    if (copy <= kZero || !is_table(index, copy)) throw;
    note_recovered(kTableKey | index, "grain table " + std::to_string(index) + " cannot be read");
    read_entries(grain, {copy, true}, out);
  }
  return out.size();
}

// What a grain takes in the file at the least.
std::uint64_t GrainTable::bytes_needed(std::uint64_t grain) const noexcept {
  const std::uint64_t left =
      (layout_.capacity_sectors - grain * layout_.grain_sectors) * kSectorSize;
  return layout_.grains_whole ? std::min(layout_.grain_sectors * kSectorSize, left)
                              : kSmallestRecord;
}

bool GrainTable::is_grain(std::uint64_t grain, std::uint32_t sector,
                          const Table& table) const noexcept {
  const std::uint64_t bytes = bytes_needed(grain), sectors = divide_up(bytes, kSectorSize);
  const SectorRange own{
      table.sector,
      divide_up(grains_in_table(grain / layout_.gtes_per_gt) * kEntrySize, kSectorSize)};
  return sector >= layout_.first_grain_sector &&
         in_bounds(sector * kSectorSize, bytes, file_.size()) && !overlap(own, sector, sectors) &&
         !overlaps_metadata(sector, sectors) && !overlaps_inner_table(sector, sectors);
}

// The entry of a grain in the redundant copy of its table; nothing if there is none that is sane.
std::optional<std::uint32_t> GrainTable::sane_copy(std::uint64_t grain) const {
  if (!layout_.rgd_sector) return std::nullopt;
  const std::uint64_t index = grain / layout_.gtes_per_gt;
  const auto sector = readable_entry(*layout_.rgd_sector, index);
  if (!sector || *sector <= kZero || !is_table(index, *sector)) return std::nullopt;
  const Table copy{*sector, true};
  std::uint32_t entry = 0;
  try {
    read_entries(grain, copy, {&entry, 1});
  } catch (const Error& error) {
    if (error.status() != VMDK_ERR_IO) throw;
    return std::nullopt;
  }
  if (!is_sane(grain, entry, copy)) return std::nullopt;
  return entry;
}

// The entry that the copy of the table has in place of a damaged one. That there is a copy to read
// is said only if it helps.
std::uint32_t GrainTable::mend(std::uint64_t grain, std::uint32_t entry, const Table& table) const {
  const std::uint64_t begin = entry * kSectorSize;
  const bool inside = in_bounds(begin, bytes_needed(grain), file_.size());
  const std::string problem =
      "grain " + std::to_string(grain) + " of " +
      std::to_string(layout_.grain_sectors * kSectorSize) + " bytes is said to be at sector " +
      std::to_string(entry) + " (byte " + std::to_string(begin) + "), which " +
      (inside ? "holds metadata"
              : "does not lie inside the file of " + std::to_string(file_.size()) +
                    " bytes: it is truncated or damaged");
  const auto copy = table.redundant ? std::nullopt : sane_copy(grain);
  if (!copy)
    throw_corrupt(file_.name(), problem + (layout_.rgd_sector && !table.redundant
                                               ? ", and its redundant copy says the like"
                                               : ""));
  if (!shared_.recover) throw_damaged(problem);
  note_recovered(grain, problem);
  return *copy;
}

GrainRun GrainTable::run(std::uint64_t grain, std::uint64_t most) const {
  most = std::min(most, grains_ - grain);
  const std::uint64_t index = grain / layout_.gtes_per_gt;
  const Table table = find_table(index);
  const auto table_end = [&](std::uint64_t i) {
    return i * layout_.gtes_per_gt + grains_in_table(i);
  };
  if (table.sector > kZero) learn_inner_tables();
  if (table.sector > kZero)
    return join(grain, std::min({most, table_end(index) - grain, kGrainsPerRun}), table);
  std::uint64_t end = table_end(index);
  for (std::uint64_t next = index + 1; end < grain + most && next < index + kTablesPerRun; ++next) {
    if (gd_lost_ || readable_entry(layout_.gd_sector, next) != table.sector) break;
    if (table.sector == kAbsent && layout_.rgd_sector &&
        readable_entry(*layout_.rgd_sector, next).value_or(kAbsent) != kAbsent)
      break;
    end = table_end(next);
  }
  return {kind_of_entry(table.sector), std::min(most, end - grain), 0};
}

GrainRun GrainTable::join(std::uint64_t grain, std::uint64_t most, const Table& table) const {
  std::array<std::uint32_t, 256> buffer;
  GrainRun run{RunKind::absent, 0, 0};
  const std::uint64_t step = layout_.grains_whole ? layout_.grain_sectors : 0;
  while (run.grains < most) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), most - run.grains));
    const std::span<std::uint32_t> some = std::span(buffer).first(want);
    entries(grain + run.grains, table, some);
    for (std::uint32_t entry : some) {
      const bool sane = is_sane(grain + run.grains, entry, table);
      if (run.grains == 0) {
        if (!sane) entry = mend(grain, entry, table);
        run.kind = kind_of_entry(entry);
        run.sector = entry;
      } else if (!sane || kind_of_entry(entry) != run.kind ||
                 (run.kind == RunKind::data && step != 0 &&
                  entry != run.sector + run.grains * step)) {
        return run;
      }
      ++run.grains;
    }
  }
  return run;
}

void GrainTable::sectors(std::uint64_t grain, std::span<std::uint32_t> out) const {
  while (!out.empty()) {
    const std::uint64_t index = grain / layout_.gtes_per_gt;
    const Table table = find_table(index);
    const std::uint64_t left = index * layout_.gtes_per_gt + grains_in_table(index) - grain;
    const auto some =
        out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left)));
    entries(grain, table, some);
    for (std::size_t i = 0; i < some.size(); ++i)
      if (!is_sane(grain + i, some[i], table)) some[i] = mend(grain + i, some[i], table);
    grain += some.size();
    out = out.subspan(some.size());
  }
}

std::uint32_t GrainTable::peek_next(std::uint64_t grain) const {
  const std::uint64_t within = grain % layout_.gtes_per_gt * kEntrySize;
  const std::uint64_t known =
      memo()[grain / layout_.gtes_per_gt % kMemo].load(std::memory_order_relaxed);
  if (within == 0 || known >> 32 != grain / layout_.gtes_per_gt || known == 0) return 0;
  const std::uint64_t at = (known & UINT32_MAX) * kSectorSize + within;
  return at % TableCache::kBlockSize == 0 ? 0 : peek(grain);
}

std::uint32_t GrainTable::peek(std::uint64_t grain) const {
  const std::uint64_t index = grain / layout_.gtes_per_gt;
  if (grain >= grains_ || gd_lost_) return 0;
  const std::uint32_t sector = directory_entry(layout_.gd_sector, index);
  if (sector <= kZero || !is_table(index, sector)) return 0;
  const Table table{sector, false};
  std::uint32_t entry = 0;
  read_entries(grain, table, {&entry, 1});
  return entry > kZero && is_grain(grain, entry, table) ? entry : 0;
}

void GrainTable::add_table(std::uint64_t index, std::uint64_t sector,
                           std::uint64_t redundant_sector) {
  const std::uint64_t entry = layout_.gd_sector * kSectorSize + index * kEntrySize;
  changes_.touch(entry / kSectorSize, 0, false);
  inner_tables_.reserve(inner_tables_.size() + 2);
  if (layout_.rgd_sector) {
    // The copy is entered when the table is: a directory that has lost a table and a copy that has
    // it look alike.
    const std::uint64_t copy = *layout_.rgd_sector * kSectorSize + index * kEntrySize;
    changes_.touch(copy / kSectorSize, 0, true);
    changes_.set(copy, static_cast<std::uint32_t>(redundant_sector));
    inner_tables_.push_back(static_cast<std::uint32_t>(redundant_sector));
  }
  changes_.set(entry, static_cast<std::uint32_t>(sector));
  inner_tables_.push_back(static_cast<std::uint32_t>(sector));
  std::sort(inner_tables_.begin(), inner_tables_.end());
}

void GrainTable::copy_table(std::uint64_t index, std::uint64_t redundant_sector) {
  const std::uint64_t copy = *layout_.rgd_sector * kSectorSize + index * kEntrySize;
  const std::uint64_t sector = find_table(index).sector;
  changes_.touch(copy / kSectorSize, 0, true);
  for (std::uint64_t i = 0; i < table_sectors(); ++i)
    changes_.touch(sector + i, redundant_sector + i, false);
  inner_tables_.push_back(static_cast<std::uint32_t>(redundant_sector));
  std::sort(inner_tables_.begin(), inner_tables_.end());
  changes_.set(copy, static_cast<std::uint32_t>(redundant_sector));
}

void GrainTable::touch(std::uint64_t grain, std::uint64_t count) {
  const std::uint64_t index = grain / layout_.gtes_per_gt, first = grain % layout_.gtes_per_gt;
  const std::uint64_t sector = find_table(index).sector;
  const std::uint64_t from = first * kEntrySize / kSectorSize;
  const std::uint64_t to = (first + count - 1) * kEntrySize / kSectorSize;
  const std::uint32_t copy =
      layout_.rgd_sector ? directory_entry(*layout_.rgd_sector, index) : kAbsent;
  for (std::uint64_t i = from; i <= to; ++i)
    changes_.touch(sector + i, copy > kZero && copy != sector ? copy + i : 0, false);
}

void GrainTable::set(std::uint64_t grain, std::uint64_t count, std::uint32_t entry) noexcept {
  const std::uint64_t first = find_table(grain / layout_.gtes_per_gt).sector * kSectorSize +
                              grain % layout_.gtes_per_gt * kEntrySize;
  for (std::uint64_t i = 0; i < count; ++i) {
    changes_.set(first + i * kEntrySize, entry);
    if (entry > kZero) entry += static_cast<std::uint32_t>(layout_.grain_sectors);
  }
}

}  // namespace vmdk
