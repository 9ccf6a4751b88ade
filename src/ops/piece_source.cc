// SPDX-License-Identifier: MIT
#include "ops/piece_source.h"

#include <algorithm>

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kSpan = std::uint64_t{1}
                                << 30;          // a piece goes no further, so that progress is seen
constexpr std::uint64_t kFileBytes = 64 << 20;  // copied by the host at once
constexpr std::size_t kBlock = 4096;            // what is read at once where not all can be
constexpr std::uint64_t kLostMap = 64 << 10;    // lost where a table cannot be read
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

DiskRun DiskPieces::map(Piece& piece, std::uint64_t size) {
  try {
    return disk_.map(position_, size);
  } catch (const Error& error) {
    if (!is_loss(error)) throw;
    DiskRun lost;
    lost.run.size = std::min(size, kLostMap - position_ % kLostMap);
    if (!shape_.salvage) throw_lost({position_, lost.run.size, error});
    add_lost(piece, position_, lost.run.size, error);
    return lost;
  }
}

bool DiskPieces::fill(Piece& piece) {
  const std::uint64_t capacity = disk_.capacity();
  const std::uint64_t end = std::min(capacity, position_ + kSpan);
  if (position_ == capacity) return false;
  for (std::size_t used = 0;
       position_ < end && used < piece_bytes_ && piece.parts.size() < kMostParts;
       used = size_of(piece)) {
    const DiskRun found = map(piece, end - position_);
    if (found.run.kind != RunKind::data)
      position_ += found.run.size;
    else if (!shape_.files ||
             disk_.links()[found.link].slots[found.extent].extent->kind() != VMDK_EXTENT_FLAT)
      add_part(piece, used, found.run.size);
    else if (piece.parts.empty())
      return fill_with_file(piece, found);
    else
      break;
  }
  piece.done = position_;
  return true;
}

bool DiskPieces::fill_with_file(Piece& piece, const DiskRun& found) {
  piece.file = disk_.links()[found.link].slots[found.extent].extent->file();
  piece.file_offset = found.run.file_offset;
  piece.offset = position_;
  piece.size = std::min(found.run.size, kFileBytes);
  position_ += piece.size;
  piece.done = position_;
  return true;
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

void DiskPieces::read_what_can_be(Piece& piece, const Piece::Part& part) const {
  const MutableBytes out = piece.plain.first(piece.plain.size()).subspan(part.at, part.size);
  for (std::size_t at = 0; at < part.size; at += kBlock) {
    const MutableBytes block = out.subspan(at, std::min(kBlock, part.size - at));
    try {
      disk_.read(part.offset + at, block);
    } catch (const Error& error) {
      if (!is_loss(error)) throw;
      std::memset(block.data(), 0, block.size());
      add_lost(piece, part.offset + at, block.size(), error);
    }
  }
}

// -- Of a stream

StreamPieces::StreamPieces(StreamReader& reader, const PieceShape& shape)
    : reader_(reader),
      salvage_(shape.salvage),
      capacity_(reader.capacity_sectors() * kSectorSize) {}

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
