// SPDX-License-Identifier: MIT
#include "ops/piece_target.h"

#include <algorithm>

#include "util/checked.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::uint64_t kWatched = 64 << 20;  // bytes of a gap between two looks
constexpr std::size_t kMostChanges = 4096;    // sectors of tables kept in memory
constexpr std::uint64_t kTableBytes = 8 << 20;
constexpr std::uint64_t kDirectoryBytes = 1 << 30;  // more than any new disk has

std::uint64_t grain_of(const NewDisk& disk) noexcept {
  return disk.grain_bytes != 0 ? disk.grain_bytes : kUsualGrain;
}

}  // namespace

void find_data(Piece& piece, std::size_t block) {
  const Bytes plain = piece.plain.first(piece.plain.size());
  for (const Piece::Part& part : piece.parts)
    for (std::size_t at = 0; at < part.size; at += block) {
      const std::size_t size = std::min(block, part.size - at);
      if (is_zero(plain.subspan(part.at + at, size))) continue;
      const std::uint64_t offset = part.offset + at;
      if (!piece.data.empty() && piece.data.back().offset + piece.data.back().size == offset &&
          piece.data.back().at + piece.data.back().size == part.at + at)
        piece.data.back().size += size;
      else
        piece.data.push_back({offset, size, part.at + at});
    }
}

// -- Files

FilesTarget::FilesTarget(DiskMaker& maker, const NewDisk& disk)
    : tables_(kTableBytes),
      cache_(0),
      buffers_(0),
      reporter_(nullptr, nullptr),
      unit_(kBlock),
      block_(kBlock) {
  const ExtentParts parts{
      {tables_, reporter_, false, kDirectoryBytes},
      {cache_, states_, buffers_, nullptr, 1},
      disk.type == VMDK_TYPE_VMFS_PREALLOCATED || disk.type == VMDK_TYPE_VMFS_EAGER_ZEROED};
  std::uint64_t begin = 0;
  for (const DiskMaker::Part& part : maker.parts()) {
    slots_.push_back({begin, open_extent(part.file, part.line, parts), &part.file});
    Extent& extent = *slots_.back().extent;
    extent.prepare();
    begin += part.line.sectors * kSectorSize;
    if (extent.kind() == VMDK_EXTENT_FLAT) continue;
    flat_ = false;
    unit_ = std::max(unit_, extent.grain_bytes());
    block_ = std::min<std::size_t>(block_, extent.grain_bytes());
  }
}

FilesTarget::~FilesTarget() = default;

void FilesTarget::prepare(Piece& piece) { find_data(piece, block_); }

FilesTarget::Slot& FilesTarget::slot_at(std::uint64_t offset) noexcept {
  const auto behind =
      std::upper_bound(slots_.begin(), slots_.end(), offset,
                       [](std::uint64_t o, const Slot& slot) { return o < slot.begin; });
  return *std::prev(behind);
}

void FilesTarget::write(std::uint64_t offset, Bytes in) {
  while (!in.empty()) {
    Slot& slot = slot_at(offset);
    const std::uint64_t within = offset - slot.begin;
    const Bytes piece = in.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), slot.extent->size() - within)));
    slot.extent->write(within, piece, NothingBelow());
    offset += piece.size();
    in = in.subspan(piece.size());
  }
  if (tables_.changes() > kMostChanges) save();
}

void FilesTarget::take(Piece& piece) {
  if (piece.file != nullptr) return copy_file(piece);
  const Bytes plain = piece.plain.first(piece.plain.size());
  for (const Piece::Part& part : piece.data) write(part.offset, plain.subspan(part.at, part.size));
}

// Where the host does not copy, as any other data from here on.
void FilesTarget::copy_file(const Piece& piece) {
  for (std::uint64_t done = 0; done < piece.size;) {
    const std::uint64_t offset = piece.offset + done;
    Slot& slot = slot_at(offset);
    std::uint64_t size = std::min(piece.size - done, slot.begin + slot.extent->size() - offset);
    if (!slot.file->copy_from(*piece.file, piece.file_offset + done,
                              slot.extent->file_offset() + (offset - slot.begin), size)) {
      host_copies_ = false;
      size = copy_bytes(*piece.file, piece.file_offset + done, offset, size);
    }
    done += size;
  }
}

// Some of the bytes; returns how many.
std::uint64_t FilesTarget::copy_bytes(const File& from, std::uint64_t from_offset,
                                      std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kAtOnce = 1 << 20;
  Piece bytes;
  for (std::uint64_t most = kAtOnce;; most = kBlock) {
    const auto some = static_cast<std::size_t>(std::min(size, most));
    bytes.plain.reserve(some);
    try {
      from.read_at(from_offset, bytes.plain.first(some));
    } catch (const Error& error) {
      if (some > kBlock) continue;  // a part of it can perhaps be read
      throw_lost({offset, some, error});
    }
    bytes.parts.push_back({offset, some, 0});
    find_data(bytes);
    take(bytes);
    return some;
  }
}

// The order does not matter: nobody sees the files before all of them are complete.
void FilesTarget::save() {
  for (const Slot& slot : slots_) {
    slot.extent->before_sync();
    slot.extent->write_tables();
    if (slot.extent->has_last_tables()) slot.extent->write_last_tables();
    slot.extent->saved();
  }
}

void FilesTarget::finish() {
  save();
  for (const Slot& slot : slots_) slot.extent->finish();
}

// -- Streams

StreamTarget::StreamTarget(ByteSink& sink, const std::string& name, const NewDisk& disk,
                           const std::string& descriptor, int level)
    : grain_(grain_of(disk)),
      deflaters_([level] { return std::make_unique<Deflater>(level); }),
      writer_(sink, name, disk.sectors, grain_ / kSectorSize, descriptor) {}

void StreamTarget::prepare(Piece& piece) {
  const auto grain = static_cast<std::size_t>(grain_);
  std::size_t grains = 0;
  for (const Piece::Part& part : piece.parts) grains += divide_up(part.size, grain);
  piece.encoded_bytes.reserve(grains * record_bound(grain));
  const MutableBytes out = piece.encoded_bytes.first(piece.encoded_bytes.size());
  const Lender<Deflater>::Loan deflater(deflaters_);
  Buffer padded;
  std::size_t used = 0;
  for (const Piece::Part& part : piece.parts)
    for (std::size_t at = 0; at < part.size; at += grain) {
      Bytes plain = Bytes(piece.plain.first(piece.plain.size()))
                        .subspan(part.at + at, std::min(grain, part.size - at));
      if (is_zero(plain)) continue;
      if (plain.size() < grain) {  // the last one of the disk
        padded.reserve(grain);
        const MutableBytes whole = padded.first(grain);
        std::memcpy(whole.data(), plain.data(), plain.size());
        std::memset(whole.data() + plain.size(), 0, grain - plain.size());
        plain = whole;
      }
      const std::uint64_t offset = part.offset + at;
      const std::size_t size =
          encode_record(offset / kSectorSize, plain, *deflater, out.subspan(used));
      piece.encoded.push_back({offset / grain_, size});
      used += size;
    }
}

void StreamTarget::take(Piece& piece) {
  std::size_t size = 0;
  for (const StreamWriter::Record& record : piece.encoded) size += record.size;
  if (size != 0) writer_.write(piece.encoded, Bytes(piece.encoded_bytes.first(size)));
}

// -- Raw bytes in order

void RawTarget::put_zeros(std::uint64_t until) {
  while (position_ < until) {
    const Bytes zeros = kZeros.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(until - position_, kZeros.size())));
    sink_.write(zeros);
    position_ += zeros.size();
    if (position_ % kWatched == 0 && watcher_) watcher_(position_);
  }
}

void RawTarget::take(Piece& piece) {
  for (const Piece::Part& part : piece.parts) {
    put_zeros(part.offset);
    sink_.write(Bytes(piece.plain.first(piece.plain.size())).subspan(part.at, part.size));
    position_ += part.size;
  }
  put_zeros(std::max(position_, piece.done));
}

}  // namespace vmdk
