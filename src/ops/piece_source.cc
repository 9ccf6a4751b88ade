// SPDX-License-Identifier: MIT
#include "ops/piece_source.h"

#include <algorithm>

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

// A piece goes no further, so that progress is seen.
constexpr std::uint64_t kSpan = std::uint64_t{1} << 30;
constexpr std::uint64_t kFileBytes = 64 << 20;  // copied by the host at once
constexpr std::size_t kBlock = 4096;            // what is read at once where not all can be
constexpr std::size_t kMostPiece = 16 << 20;

// Failures that are those of a place in the image.
bool is_loss(const Error& error) noexcept {
  return error.status() == VMDK_ERR_CORRUPT || error.status() == VMDK_ERR_IO;
}

void add_lost(Piece& piece, std::uint64_t offset, std::uint64_t size, const Error& why) {
  if (!piece.lost.empty() && piece.lost.back().offset + piece.lost.back().size == offset)
    piece.lost.back().size += size;
  else
    piece.lost.push_back({offset, size, why});
}

std::size_t size_of(const Piece& piece) noexcept {
  return piece.parts.empty() ? 0 : piece.parts.back().at + piece.parts.back().size;
}

}  // namespace

// -- Of a disk

DiskPieces::DiskPieces(const Disk& disk, const PieceShape& shape)
    : disk_(disk), shape_(shape), piece_bytes_(kPieceBytes) {
  // Compressed grains are inflated whole.
  for (const Link& link : disk.links())
    for (const Link::Slot& slot : link.slots)
      if (slot.extent->kind() == VMDK_EXTENT_STREAM)
        piece_bytes_ = std::max<std::size_t>(
            piece_bytes_, std::min<std::uint64_t>(slot.extent->grain_bytes(), kMostPiece));
  piece_bytes_ = static_cast<std::size_t>(round_up(piece_bytes_, shape_.unit));
}

// How the disk is stored at position_. A run is looked up once: finding the end of a long one can
// be dear.
DiskRun DiskPieces::map(Piece& piece, std::uint64_t size) {
  if (position_ >= known_end_) {
    try {
      known_ = disk_.map(position_, disk_.capacity() - position_);
    } catch (const Error& error) {
      if (!is_loss(error)) throw;
      return lose(piece, error, size);
    }
    known_end_ = position_ + known_.run.size;
  }
  DiskRun found = known_;
  const std::uint64_t passed = position_ - (known_end_ - known_.run.size);
  found.run.offset += passed;
  if (found.run.file_offset != UINT64_MAX) found.run.file_offset += passed;
  found.run.size = std::min(size, known_.run.size - passed);
  return found;
}

bool DiskPieces::can_be_mapped(std::uint64_t offset) const {
  try {
    disk_.map(offset, 1);
    return true;
  } catch (const Error& error) {
    if (!is_loss(error)) throw;
    return false;
  }
}

// What cannot be told from position_ on, to 64 KiB: a single entry of a table, or many tables. The
// steps are less than what a table stands for, so that none that is whole is passed over.
DiskRun DiskPieces::lose(Piece& piece, const Error& why, std::uint64_t most) {
  constexpr std::uint64_t kSmall = 64 << 10, kLarge = 16 << 20, kSmallSteps = 16;
  if (why.link() < disk_.links().size() && why.extent() < disk_.links()[why.link()].slots.size()) {
    const Link::Slot& slot = disk_.links()[why.link()].slots[why.extent()];
    most = std::min(most, slot.begin + slot.extent->size() - position_);
  }
  std::uint64_t size = std::min(most, kSmall - position_ % kSmall), step = kSmall;
  if (shape_.salvage)
    for (std::uint64_t steps = 1; size < most && !can_be_mapped(position_ + size); ++steps) {
      step = steps < kSmallSteps ? kSmall : kLarge;
      size = std::min(most, size + step);
    }
  // Where in the last step it ends.
  for (std::uint64_t good = size; step > kSmall && good < most;) {
    const std::uint64_t half = step / 2;
    if (can_be_mapped(position_ + good - half)) good -= half;
    step = half;
    size = good;
  }
  if (!shape_.salvage) throw_lost({position_, size, why});
  DiskRun lost;
  lost.run.size = size;
  // The rest of a unit that goes on behind what is lost is read block by block.
  if (const std::uint64_t over = (position_ + size) % shape_.unit;
      over != 0 && position_ + size < disk_.capacity()) {
    lost.run.size = size > over ? size - over : size;
    if (size <= over) lost.run.kind = RunKind::data;
  }
  if (lost.run.kind != RunKind::data) add_lost(piece, position_, lost.run.size, why);
  return lost;
}

bool DiskPieces::fill(Piece& piece) {
  const std::uint64_t capacity = disk_.capacity();
  const std::uint64_t end = std::min(capacity, position_ + kSpan);
  if (position_ == capacity) return false;
  for (std::size_t used = 0;
       position_ < end && used < piece_bytes_ && piece.parts.size() < kMostParts;
       used = size_of(piece)) {
    const DiskRun found = map(piece, end - position_);
    const bool data = found.run.kind == RunKind::data;
    if (data && shape_.files && found.link != UINT32_MAX &&
        disk_.links()[found.link].slots[found.extent].extent->kind() == VMDK_EXTENT_FLAT) {
      if (piece.parts.empty()) fill_with_file(piece, found);
      break;
    }
    if (data)
      add_part(piece, used, found.run.size);
    else
      position_ += found.run.size;
  }
  piece.done = position_;
  return true;
}

void DiskPieces::fill_with_file(Piece& piece, const DiskRun& found) {
  piece.file = disk_.links()[found.link].slots[found.extent].extent->file();
  piece.file_offset = found.run.file_offset;
  piece.offset = position_;
  piece.size = std::min(found.run.size, kFileBytes);
  position_ += piece.size;
}

// The data that begins at position_, and what else lies in its units.
void DiskPieces::add_part(Piece& piece, std::size_t used, std::uint64_t run_size) {
  const std::uint64_t begin = position_ - position_ % shape_.unit;
  const std::uint64_t end = std::min({round_up(position_ + run_size, shape_.unit),
                                      begin + (piece_bytes_ - used), disk_.capacity()});
  if (!piece.parts.empty() && piece.parts.back().offset + piece.parts.back().size == begin)
    piece.parts.back().size += static_cast<std::size_t>(end - begin);
  else
    piece.parts.push_back({begin, static_cast<std::size_t>(end - begin), used});
  position_ = end;
}

void DiskPieces::load(Piece& piece) {
  piece.plain.reserve(size_of(piece));
  for (const Piece::Part& part : piece.parts) {
    const MutableBytes out = piece.plain.first(piece.plain.size()).subspan(part.at, part.size);
    try {
      disk_.read(part.offset, out);
    } catch (const Error& error) {
      if (!is_loss(error)) throw;
      const std::size_t before = piece.lost.size();
      read_what_can_be(piece, part);
      if (shape_.salvage) continue;
      // It may have been read now: then there is nothing to tell but the failure itself.
      if (piece.lost.size() == before) throw;
      throw_lost(piece.lost[before]);
    }
  }
}

// Block by block; where it will not go on, only to the end of the first loss.
void DiskPieces::read_what_can_be(Piece& piece, const Piece::Part& part) const {
  const MutableBytes out = piece.plain.first(piece.plain.size()).subspan(part.at, part.size);
  for (std::size_t at = 0; at < part.size;) {
    const MutableBytes block = out.subspan(at, block_at(part.offset + at, part.size - at));
    try {
      disk_.read(part.offset + at, block);
    } catch (const Error& error) {
      if (!is_loss(error)) throw;
      std::memset(block.data(), 0, block.size());
      add_lost(piece, part.offset + at, block.size(), error);
      if (!shape_.salvage) return;
    }
    at += block.size();
  }
}

// What is lost together: the rest of a compressed grain, else a block.
std::size_t DiskPieces::block_at(std::uint64_t offset, std::size_t most) const {
  std::uint64_t size = kBlock - offset % kBlock;
  try {
    const DiskRun found = disk_.map(offset, most);
    if (found.run.compressed) {
      const std::uint64_t grain = std::max<std::uint64_t>(
          disk_.links()[found.link].slots[found.extent].extent->grain_bytes(), 1);
      size = std::min(found.run.size, grain - found.run.offset % grain);
    }
  } catch (const Error& error) {
    if (!is_loss(error)) throw;
  }
  return static_cast<std::size_t>(std::min<std::uint64_t>(size, most));
}

// -- Of a stream

StreamPieces::StreamPieces(StreamReader& reader, const PieceShape& shape)
    : reader_(reader),
      salvage_(shape.salvage),
      capacity_(reader.capacity_sectors() * kSectorSize) {}

std::size_t StreamPieces::piece_bytes() const noexcept {
  const auto grain = static_cast<std::size_t>(reader_.grain_bytes());
  return 2 * std::max(kPieceBytes, grain) + reader_.max_packed();
}

bool StreamPieces::fill(Piece& piece) {
  const std::size_t grain = static_cast<std::size_t>(reader_.grain_bytes());
  const std::size_t most = reader_.max_packed();
  piece.packed.reserve(std::max(kPieceBytes, grain) + most);
  std::size_t used = 0;
  while (size_of(piece) < kPieceBytes && used + most <= piece.packed.size()) {
    const auto record = reader_.next(piece.packed.first(piece.packed.size()).subspan(used));
    if (!record) break;
    const std::uint64_t offset = record->grain * grain;
    piece.records.push_back(*record);
    piece.records_at.push_back(used);
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(grain, capacity_ - offset));
    piece.parts.push_back({offset, size, size_of(piece)});
    used += record->size;
    furthest_ = std::max(furthest_, offset + size);
  }
  piece.done = furthest_;
  return !piece.parts.empty();
}

void StreamPieces::load(Piece& piece) {
  piece.plain.reserve(size_of(piece));
  const Lender<Inflater>::Loan inflater(inflaters_);
  for (std::size_t i = 0; i < piece.parts.size(); ++i) {
    const Piece::Part& part = piece.parts[i];
    const MutableBytes out = piece.plain.first(piece.plain.size()).subspan(part.at, part.size);
    const Bytes packed = Bytes(piece.packed.first(piece.packed.size()))
                             .subspan(piece.records_at[i], piece.records[i].size);
    try {
      reader_.inflate(piece.records[i], packed, *inflater, out);
    } catch (const Error& error) {
      if (!is_loss(error)) throw;
      if (!salvage_) throw_lost({part.offset, part.size, error});
      std::memset(out.data(), 0, out.size());
      add_lost(piece, part.offset, part.size, error);
    }
  }
}

// -- Of raw bytes

RawPieces::RawPieces(ByteSource& source, std::optional<std::uint64_t> capacity,
                     const PieceShape& shape)
    : source_(source),
      capacity_(capacity),
      piece_bytes_(static_cast<std::size_t>(round_up(kPieceBytes, shape.unit))) {}

bool RawPieces::fill(Piece& piece) {
  std::size_t wanted = piece_bytes_;
  if (capacity_)
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, *capacity_ - position_));
  piece.plain.reserve(piece_bytes_);
  const std::size_t got = wanted == 0 ? 0 : source_.read(piece.plain.first(wanted));
  if (capacity_ && got < wanted)
    throw_corrupt(source_.name(), "ends after " + std::to_string(position_ + got) +
                                      " bytes, where the disk has " + std::to_string(*capacity_));
  if (capacity_ && wanted == 0) {
    std::byte more;
    if (source_.read({&more, 1}) != 0)
      throw_corrupt(source_.name(),
                    "has more than the " + std::to_string(*capacity_) + " bytes of the disk");
  }
  if (got == 0) return false;
  // A disk has whole sectors.
  const auto size = static_cast<std::size_t>(round_up(got, kSectorSize));
  std::memset(piece.plain.first(size).data() + got, 0, size - got);
  piece.parts.push_back({position_, size, 0});
  position_ += got;
  piece.done = position_;
  return true;
}

}  // namespace vmdk
