// SPDX-License-Identifier: MIT
#include "extent/grain_writer.h"

#include <algorithm>
#include <array>

#include "util/checked.h"
#include "util/error.h"
#include "util/mutant.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kMostSectors = std::uint64_t{1} << 32;  // entries have 32 bits
constexpr std::size_t kMostFree = 1 << 18;  // grains remembered to be used again
// Places in the headers (VDF, "Hosted Sparse Extent Header", "ESX Server Sparse Extents").
constexpr std::uint64_t kHostedUnclean = 72, kCowdFreeSector = 28, kCowdUnclean = 1648;

}  // namespace

std::uint64_t GrainWriter::end_of(std::uint64_t grain) const noexcept {
  return std::min(size(), (grain + 1) * grain_bytes());
}

// Space is taken behind all that is in the file now, whatever the tables say is used: what a crash
// has left there is never overwritten.
void GrainWriter::prepare() {
  if (prepared_) return;
  table_.check_all(facts_.unclean);
  end_ =
      round_up(std::max(divide_up(file_.size(), kSectorSize), table_.layout().first_grain_sector),
               table_.layout().grain_sectors);
  prepared_ = true;
}

void GrainWriter::set_unclean(bool unclean) {
  std::array<std::byte, 4> bytes{};
  bytes[0] = std::byte{unclean};
  file_.write_at(facts_.cowd ? kCowdUnclean : kHostedUnclean,
                 Bytes(bytes).first(facts_.cowd ? bytes.size() : 1));
  unclean_ = unclean;
}

void GrainWriter::mark() {
  if (marked_) return;
  unclean_ = true;  // perhaps also if writing it fails
  if (!is_mutant(Mutant::flag_never_set)) set_unclean(true);
  marked_ = true;
  for (const std::uint64_t index : table_.uncopied()) {
    const std::uint64_t sector =
        take(round_up(table_.table_sectors(), table_.layout().grain_sectors));
    grow_to(sector + table_.table_sectors());
    table_.copy_table(index, sector);
    end_ = sector + round_up(table_.table_sectors(), table_.layout().grain_sectors);
  }
}

// Where so many sectors can be had at the end; they are the caller's when it moves end_.
std::uint64_t GrainWriter::take(std::uint64_t sectors) {
  if (end_ + sectors > kMostSectors - (facts_.cowd ? 1 : 0))
    throw Error(VMDK_ERR_LIMIT, file_.name() + ": is full: its tables reach no further than 2 TiB");
  if (tail_dirty_) {
    file_.resize(end_ * kSectorSize);
    tail_dirty_ = false;
  }
  taken_ = true;
  return end_;
}

// The file is made longer in steps, not for each grain; finish() cuts off what is too much.
void GrainWriter::grow_to(std::uint64_t sector) {
  constexpr std::uint64_t kSmallStep = 1 << 20, kLargeStep = 16 << 20;
  const std::uint64_t needed = sector * kSectorSize, now = file_.size();
  if (now >= needed) return;
  file_.extend(needed, needed + std::clamp(now / 8, kSmallStep, kLargeStep));
}

void GrainWriter::need_table(std::uint64_t grain) {
  const std::uint64_t index = grain / table_.layout().gtes_per_gt;
  if (table_.has_table(index)) return;
  const std::uint64_t one = table_.table_sectors();
  const std::uint64_t both =
      round_up(table_.has_redundant() ? 2 * one : one, table_.layout().grain_sectors);
  const std::uint64_t sector = take(both);
  grow_to(sector + both);
  table_.add_table(index, sector, sector + one);
  end_ = sector + both;
  if (is_mutant(Mutant::directory_before_table)) table_.changes().write();
}

// -- Writing

void GrainWriter::write(std::uint64_t offset, Bytes in, const Below& below) {
  mark();
  while (!in.empty()) {
    const std::uint64_t grain = offset / grain_bytes();
    const std::uint64_t per_table = table_.layout().gtes_per_gt;
    const std::uint64_t last =
        std::min((offset + in.size() - 1) / grain_bytes(), (grain / per_table + 1) * per_table - 1);
    const GrainRun run = table_.run(grain, last - grain + 1);
    const Bytes piece = in.first(static_cast<std::size_t>(
        std::min<std::uint64_t>(in.size(), (grain + run.grains) * grain_bytes() - offset)));
    if (run.kind == RunKind::data)
      file_.write_at(run.sector * kSectorSize + offset % grain_bytes(), piece);
    else if (run.kind == RunKind::zero)
      write_new(offset, piece, NothingBelow());
    else
      write_new(offset, piece, below);
    offset += piece.size();
    in = in.subspan(piece.size());
  }
}

// Stores grains of one table that are not stored. The first and the last one may be written in
// part; then the rest comes from below.
void GrainWriter::write_new(std::uint64_t offset, Bytes in, const Below& below) {
  need_table(offset / grain_bytes());
  const auto first_of = [&](std::uint64_t bytes) {
    return in.first(static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), bytes)));
  };
  while (!in.empty()) {
    const std::uint64_t grain = offset / grain_bytes(), begin = grain * grain_bytes();
    const Bytes one = first_of(begin + grain_bytes() - offset);
    const bool fill = below.has_data(begin, offset - begin) ||
                      below.has_data(offset + one.size(), end_of(grain) - offset - one.size());
    if (fill && !is_mutant(Mutant::grain_not_filled)) {
      write_filled(grain, offset, one, below);
      offset += one.size();
      in = in.subspan(one.size());
      continue;
    }
    // As many as need no filling: all but perhaps the last.
    Bytes some = in;
    const std::uint64_t end = offset + in.size(), last = (end - 1) / grain_bytes();
    if (last > grain && below.has_data(end, end_of(last) - end))
      some = first_of(last * grain_bytes() - offset);
    if (!free_.empty()) {
      const std::uint64_t again = free_neighbours(some.size() / grain_bytes());
      some = offset == begin && again > 1 ? first_of(again * grain_bytes()) : one;
    }
    store(grain, (offset + some.size() - 1) / grain_bytes() - grain + 1, offset - begin, some);
    offset += some.size();
    in = in.subspan(some.size());
  }
}

void GrainWriter::write_filled(std::uint64_t grain, std::uint64_t offset, Bytes in,
                               const Below& below) {
  buffer_.reserve(static_cast<std::size_t>(grain_bytes()));
  const std::uint64_t begin = grain * grain_bytes();
  const auto size = static_cast<std::size_t>(end_of(grain) - begin);
  const auto head = static_cast<std::size_t>(offset - begin);
  const MutableBytes whole = buffer_.first(size);
  below.read(begin, whole.first(head));
  std::memcpy(whole.data() + head, in.data(), in.size());
  below.read(offset + in.size(), whole.subspan(head + in.size()));
  store(grain, 1, 0, whole);
}

// Puts bytes into new adjacent grains, `within` bytes from the beginning of the first; the rest of
// them is zeros.
void GrainWriter::store(std::uint64_t grain, std::uint64_t count, std::uint64_t within, Bytes in) {
  table_.touch(grain, count);
  if (!free_.empty()) return store_again(grain, count, within, in);
  const std::uint64_t sectors = count * table_.layout().grain_sectors;
  const std::uint64_t sector = take(sectors);
  if (is_mutant(Mutant::tables_before_grains)) {
    grow_to(sector + sectors);
    table_.set(grain, count, static_cast<std::uint32_t>(sector));
    table_.changes().write();
  }
  tail_dirty_ = true;
  file_.write_at(sector * kSectorSize + within, in);
  grow_to(sector + sectors);
  tail_dirty_ = false;
  table_.set(grain, count, static_cast<std::uint32_t>(sector));
  end_ = sector + sectors;
}

// How many freed grains, at most so many, lie side by side at the end of the list.
std::uint64_t GrainWriter::free_neighbours(std::uint64_t most) const noexcept {
  std::uint64_t count = 1;
  for (auto at = free_.rbegin(); count < most && at + 1 != free_.rend(); ++at, ++count)
    if (at[1] + table_.layout().grain_sectors != at[0]) break;
  return count;
}

// In the place of freed grains, where anything may stand: several are written whole, and one that
// is not is filled with zeros.
void GrainWriter::store_again(std::uint64_t grain, std::uint64_t count, std::uint64_t within,
                              Bytes in) {
  const std::uint32_t sector = free_[free_.size() - static_cast<std::size_t>(count)];
  Buffer whole;
  Bytes bytes = in;
  if (in.size() != count * grain_bytes()) {
    whole = Buffer(static_cast<std::size_t>(grain_bytes()));
    const MutableBytes filled = whole.first(whole.size());
    std::memset(filled.data(), 0, filled.size());
    if (!in.empty()) std::memcpy(filled.data() + within, in.data(), in.size());
    bytes = filled;
  }
  file_.write_at(sector * kSectorSize, bytes);
  table_.set(grain, count, sector);
  free_.resize(free_.size() - static_cast<std::size_t>(count));
}

// -- Zeros

void GrainWriter::zero(std::uint64_t offset, std::uint64_t size, const Below& below,
                       bool give_back) {
  mark();
  while (size > 0) {
    const std::uint64_t grain = offset / grain_bytes();
    const std::uint64_t per_table = table_.layout().gtes_per_gt;
    const std::uint64_t last =
        std::min((offset + size - 1) / grain_bytes(), (grain / per_table + 1) * per_table - 1);
    // Grains are freed one by one.
    const GrainRun run = table_.run(grain, give_back ? 1 : last - grain + 1);
    const std::uint64_t piece = std::min(size, (grain + run.grains) * grain_bytes() - offset);
    if (run.kind == RunKind::data) zero_stored(run, grain, offset, piece, below, give_back);
    if (run.kind == RunKind::absent && below.has_data(offset, piece))
      zero_absent(offset, piece, below);
    offset += piece;
    size -= piece;
  }
}

void GrainWriter::zero_stored(const GrainRun& run, std::uint64_t grain, std::uint64_t offset,
                              std::uint64_t size, const Below& below, bool give_back) {
  const bool whole = offset == grain * grain_bytes() && offset + size >= end_of(grain);
  if (give_back && whole && free(grain, static_cast<std::uint32_t>(run.sector), below)) return;
  zero_file(file_, run.sector * kSectorSize + (offset - grain * grain_bytes()), size, true);
}

// Returns false if the grain has to stay stored: it hides what lies below.
bool GrainWriter::free(std::uint64_t grain, std::uint32_t sector, const Below& below) {
  const std::uint64_t begin = grain * grain_bytes();
  const bool hides = below.has_data(begin, end_of(grain) - begin);
  if (hides && !facts_.zero_entries) return false;
  table_.touch(grain, 1);
  auto& list = is_mutant(Mutant::freed_reused_at_once) ? free_ : freed_;
  // The last grain may have less than its room before what came behind it.
  if (begin + grain_bytes() <= size() || sector % table_.layout().grain_sectors == 0)
    list.push_back(sector);
  table_.set(grain, 1, hides ? 1 : 0);
  return true;
}

// Of grains of one table that only parents hold.
void GrainWriter::zero_absent(std::uint64_t offset, std::uint64_t size, const Below& below) {
  need_table(offset / grain_bytes());
  while (size > 0) {
    const std::uint64_t grain = offset / grain_bytes();
    const std::uint64_t piece = std::min(size, (grain + 1) * grain_bytes() - offset);
    if (below.has_data(offset, piece)) zero_in_grain(grain, offset, piece, below);
    offset += piece;
    size -= piece;
  }
}

void GrainWriter::zero_in_grain(std::uint64_t grain, std::uint64_t offset, std::uint64_t size,
                                const Below& below) {
  const bool whole = offset == grain * grain_bytes() && offset + size >= end_of(grain);
  if (whole && facts_.zero_entries) {
    table_.touch(grain, 1);
    table_.set(grain, 1, 1);
    return;
  }
  // A whole grain of zeros is a hole that is never written to.
  if (whole) return store(grain, 1, 0, {});
  const std::vector<std::byte> zeros(static_cast<std::size_t>(size));
  write_new(offset, zeros, below);
}

// -- Saving

void GrainWriter::before_sync() {
  if (!facts_.cowd || !taken_ || free_sector_ == end_ || is_mutant(Mutant::free_sector_late))
    return;
  std::array<std::byte, 4> bytes;
  store_le(MutableBytes(bytes), 0, static_cast<std::uint32_t>(end_));
  file_.write_at(kCowdFreeSector, bytes);
  free_sector_ = end_;
}

void GrainWriter::saved() {
  table_.changes().forget();
  std::sort(freed_.begin(), freed_.end());
  const std::uint64_t step = table_.layout().grain_sectors;
  while (!freed_.empty()) {
    // The neighbours at the end of the list together.
    std::size_t first = freed_.size() - 1;
    while (first > 0 && freed_[first - 1] + step == freed_[first]) --first;
    const std::size_t count = freed_.size() - first;
    const std::size_t kept = std::min(count, kMostFree - std::min(kMostFree, free_.size()));
    free_.insert(free_.end(), freed_.end() - static_cast<std::ptrdiff_t>(kept), freed_.end());
    const std::uint64_t begin = freed_[first] * kSectorSize;
    freed_.resize(first);
    file_.punch(begin, std::min(count * grain_bytes(), file_.size() - begin));
  }
}

void GrainWriter::finish() {
  if (!marked_ && unclean_ == facts_.unclean) return;
  if (taken_ && file_.size() > end_ * kSectorSize) file_.resize(end_ * kSectorSize);
  if (unclean_) set_unclean(false);
  marked_ = false;
}

}  // namespace vmdk
