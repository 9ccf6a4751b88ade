// SPDX-License-Identifier: MIT
#include "extent/stream_extent.h"

#include <algorithm>
#include <array>

#include "extent/grain_record.h"
#include "format/marker.h"
#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

// Records are padded to sectors; what lies between two that are farther apart is not worth reading.
constexpr std::uint64_t kMaxGap = 64 << 10;
constexpr std::uint64_t kMaxBatchBytes = 1 << 20;

}  // namespace

StreamExtent::StreamExtent(File& file, const GrainLayout& layout, const SparseFacts& facts,
                           bool markers, const Shared& shared, const InflateShared& inflating)
    : file_(file),
      facts_(facts),
      table_(file, layout, shared),
      grain_bytes_(table_.layout().grain_sectors * kSectorSize),
      header_bytes_(markers ? kGrainMarkerSize : sizeof(std::uint32_t)),
      max_record_(header_bytes_ + max_packed_bytes(grain_bytes_)),
      markers_(markers),
      inflating_(inflating),
      first_key_(inflating.cache.add_extent(divide_up(size(), grain_bytes_))) {
  check_packed_grain_size(file_.name(), grain_bytes_);
  if (inflating_.pool != nullptr && grain_bytes_ <= ReadAhead::kMaxGrainBytes)
    ahead_ = std::make_unique<ReadAhead>(*this, *inflating_.pool, inflating_.buffers,
                                         inflating_.threads, grain_bytes_, size());
}

StreamExtent::~StreamExtent() = default;

Run StreamExtent::map(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t grain = offset / grain_bytes_;
  const std::uint64_t last = (offset + size - 1) / grain_bytes_;
  const GrainRun grains = table_.run(grain, last - grain + 1);
  Run run = bytes_of(grains, grain_bytes_, offset, size);
  if (run.kind != RunKind::data) return run;
  run.compressed = true;
  run.file_offset = grains.sector * kSectorSize;
  return run;
}

std::size_t StreamExtent::bytes_of_grain(std::uint64_t grain) const noexcept {
  return static_cast<std::size_t>(std::min(grain_bytes_, size() - grain * grain_bytes_));
}

void StreamExtent::read(const Run&, std::uint64_t offset, MutableBytes out) const {
  if (const std::uint64_t at = offset % grain_bytes_;
      at != 0 || out.size() < bytes_of_grain(offset / grain_bytes_)) {
    const std::uint64_t grain = offset / grain_bytes_;
    const std::size_t size = std::min<std::size_t>(out.size(), bytes_of_grain(grain) - at);
    read_part(grain, static_cast<std::size_t>(at), out.first(size));
    offset += size;
    out = out.subspan(size);
  }
  const std::uint64_t first = offset / grain_bytes_;
  const std::uint64_t whole = offset + out.size() == size() ? divide_up(out.size(), grain_bytes_)
                                                            : out.size() / grain_bytes_;
  const std::size_t body = std::min<std::size_t>(out.size(), whole * grain_bytes_);
  if (ahead_ && body > 0)
    ahead_->read(first, out.first(body));
  else
    read_whole(first, out.first(body));
  if (body < out.size()) read_part(first + whole, 0, out.subspan(body));
}

void StreamExtent::read_part(std::uint64_t grain, std::size_t at, MutableBytes out) const {
  const std::uint64_t key = first_key_ + grain;
  if (inflating_.cache.read(key, at, out)) return;
  const std::size_t size = bytes_of_grain(grain);
  const InflateStates::Loan state(inflating_.states);
  state->grain.reserve(size);
  const MutableBytes whole = state->grain.first(size);
  if (ahead_)
    ahead_->read(grain, whole);
  else
    inflate(grain, whole);
  std::memcpy(out.data(), whole.data() + at, out.size());
  state->grain = inflating_.cache.put(key, std::move(state->grain), size);
}

bool StreamExtent::is_stored(std::uint64_t grain) const { return table_.peek(grain) != 0; }

void StreamExtent::inflate(std::uint64_t grain, MutableBytes out) const { read_whole(grain, out); }

void StreamExtent::read_whole(std::uint64_t grain, MutableBytes out) const {
  if (out.empty()) return;
  const InflateStates::Loan state(inflating_.states);
  std::array<std::uint32_t, kBatch> buffer;
  while (!out.empty()) {
    const std::uint64_t left = divide_up(out.size(), grain_bytes_);
    const auto sectors =
        std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, kBatch)));
    table_.sectors(grain, sectors);
    const std::size_t count = adjacent(sectors);
    const std::uint32_t next =
        count < sectors.size() ? sectors[count] : table_.peek_next(grain + count);
    const std::uint64_t begin = sectors[0] * kSectorSize;
    const std::uint64_t end = end_of_record(sectors[count - 1], next);
    state->packed.reserve(static_cast<std::size_t>(end - begin));
    const MutableBytes records = state->packed.first(static_cast<std::size_t>(end - begin));
    file_.read_at(begin, records);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = bytes_of_grain(grain + i);
      const std::uint64_t at = sectors[i] * kSectorSize;
      inflate_record(grain + i, at, records.subspan(static_cast<std::size_t>(at - begin)), *state,
                     out.first(size));
      out = out.subspan(size);
    }
    grain += count;
  }
}

// How many of the first records lie one after the other in the file, near enough to be read at
// once.
std::size_t StreamExtent::adjacent(std::span<const std::uint32_t> sectors) const noexcept {
  std::size_t count = 1;
  while (count < sectors.size() && sectors[count] > sectors[count - 1] &&
         (sectors[count] - sectors[count - 1]) * kSectorSize <= max_record_ + kMaxGap &&
         (sectors[count] - sectors[0]) * kSectorSize <=
             std::max<std::uint64_t>(kMaxBatchBytes, max_record_))
    ++count;
  return count;
}

// Where reading a record should end: at the next one, or else where most records end. It says
// itself how long it is; should that be more, the rest is read then.
std::uint64_t StreamExtent::end_of_record(std::uint32_t sector, std::uint32_t next) const noexcept {
  const std::uint64_t usual = grain_bytes_ + 1024;
  const std::uint64_t size =
      next > sector ? std::min((next - sector) * kSectorSize, max_record_) : usual;
  return std::min(sector * kSectorSize + size, file_.size());
}

void StreamExtent::inflate_record(std::uint64_t grain, std::uint64_t at, Bytes record,
                                  InflateState& state, MutableBytes out) const {
  const GrainPlace place{grain, at};
  const std::uint64_t sector = grain * table_.layout().grain_sectors;
  if (markers_ && load_le<std::uint64_t>(record, 0) != sector)
    throw_damaged_grain(file_.name(), place,
                        "says that it belongs to sector " +
                            std::to_string(load_le<std::uint64_t>(record, 0)) +
                            " of the disk, its table to sector " + std::to_string(sector));
  const auto size = load_le<std::uint32_t>(record, static_cast<std::size_t>(header_bytes_) - 4);
  check_packed_size(file_.name(), place, size, grain_bytes_);
  if (!in_bounds(at + header_bytes_, size, file_.size()))
    throw_damaged_grain(file_.name(), place,
                        "needs " + std::to_string(size) +
                            " bytes more, beyond the end of the file (" +
                            std::to_string(file_.size()) + " bytes): it is truncated or damaged");
  Bytes data;
  if (record.size() >= header_bytes_ + size) {
    data = record.subspan(static_cast<std::size_t>(header_bytes_), size);
  } else {
    state.rest.reserve(size);
    file_.read_at(at + header_bytes_, state.rest.first(size));
    data = state.rest.first(size);
  }
  inflate_grain(file_.name(), place, data, grain_bytes_, state.inflater, state.grain, out);
}

}  // namespace vmdk
