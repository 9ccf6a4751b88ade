// SPDX-License-Identifier: MIT
#include "piece_reader.h"

#include <algorithm>
#include <new>

#include "signals.h"

namespace vmdk_tool {
namespace {

constexpr std::size_t kBufferSize = 1024 * 1024;
constexpr std::size_t kPageSize = 4096;
constexpr int kBatches = 3;
constexpr std::size_t kMostPieces = 1024;
// A batch ends here even if all of it is zero, so that progress is seen.
constexpr std::uint64_t kMostZeros = std::uint64_t{64} << 30;

std::byte* new_buffer() {
  void* const bytes = std::aligned_alloc(kPageSize, kBufferSize);
  if (bytes == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(bytes);
}

}  // namespace

PieceReader::PieceReader(Source& source, std::uint64_t offset, std::uint64_t size, bool threaded)
    : source_(source), position_(offset), end_(offset + size) {
  current_.buffer.reset(new_buffer());
  if (!threaded || size <= kBufferSize) return;
  filled_.reserve(kBatches);
  empty_.reserve(kBatches);
  for (int i = 1; i < kBatches; ++i) {
    empty_.emplace_back();
    empty_.back().buffer.reset(new_buffer());
  }
  thread_ = std::thread([this] { run_thread(); });
}

PieceReader::~PieceReader() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Source::Range PieceReader::next_range() {
  throw_if_cancelled();
  if (range_.size == 0) range_ = source_.range_at(position_, end_ - position_);
  return range_;
}

// Neighbouring ranges become one piece: data is read in as few calls as the
// buffer allows, wherever it is stored.
void PieceReader::fill(Batch& batch) {
  std::size_t used = 0;
  std::uint64_t zeros = 0;
  while (position_ < end_ && used < kBufferSize && zeros < kMostZeros &&
         batch.pieces.size() < kMostPieces) {
    Piece piece = {position_, 0, nullptr};
    const bool zero = next_range().zero;
    const std::uint64_t room = zero ? kMostZeros - zeros : kBufferSize - used;
    while (position_ < end_ && piece.size < room && next_range().zero == zero) {
      const std::uint64_t n = std::min(range_.size, room - piece.size);
      piece.size += n;
      position_ += n;
      range_.size -= n;
    }
    if (zero) {
      zeros += piece.size;
    } else {
      const auto size = static_cast<std::size_t>(piece.size);
      const std::span<std::byte> out(batch.buffer.get() + used, size);
      source_.read(piece.offset, out);
      piece.data = out.data();
      used += size;
    }
    batch.pieces.push_back(piece);
  }
  batch.last = position_ >= end_;
}

void PieceReader::fill_or_fail(Batch& batch) {
  batch.pieces.clear();
  try {
    fill(batch);
  } catch (...) {
    batch.failure = std::current_exception();
    batch.last = true;
  }
}

void PieceReader::run_thread() {
  block_signals();
  for (bool last = false; !last;) {
    Batch batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !empty_.empty(); });
      if (stop_) return;
      batch = std::move(empty_.back());
      empty_.pop_back();
    }
    fill_or_fail(batch);
    last = batch.last;
    {
      const std::lock_guard lock(mutex_);
      filled_.push_back(std::move(batch));
    }
    changed_.notify_all();
  }
}

// Whether there are more pieces; current_ holds the first of them then.
bool PieceReader::next_batch() {
  if (current_.failure) std::rethrow_exception(current_.failure);
  if (current_.last) return false;
  if (!thread_.joinable()) {
    fill_or_fail(current_);
  } else {
    std::unique_lock lock(mutex_);
    if (current_.buffer) empty_.push_back(std::move(current_));
    changed_.notify_all();
    changed_.wait(lock, [this] { return !filled_.empty(); });
    current_ = std::move(filled_.front());
    filled_.erase(filled_.begin());
  }
  index_ = 0;
  return true;
}

const Piece* PieceReader::front() {
  while (front_.size == 0) {
    if (index_ < current_.pieces.size())
      front_ = current_.pieces[index_++];
    else if (!next_batch())
      return nullptr;
  }
  return &front_;
}

void PieceReader::consume(std::uint64_t size) {
  front_.offset += size;
  front_.size -= size;
  if (front_.data != nullptr) front_.data += size;
}

}  // namespace vmdk_tool
