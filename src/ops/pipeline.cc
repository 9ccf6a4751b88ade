// SPDX-License-Identifier: MIT
#include "ops/pipeline.h"

#include <algorithm>
#include <string>

namespace vmdk {

void Piece::clear() noexcept {
  parts.clear();
  done = 0;
  records.clear();
  records_at.clear();
  file = nullptr;
  lost.clear();
  data.clear();
  encoded.clear();
}

void throw_lost(const Piece::Lost& lost) {
  const Error& why = lost.why;
  Error out(why.status(),
            std::string(why.what()) + "; bytes " + std::to_string(lost.offset) + " to " +
                std::to_string(lost.offset + lost.size - 1) + " of the disk cannot be read",
            why.os_error());
  out.add_place(why.link(), why.extent(), lost.offset);
  throw std::move(out).with_hint(why.hint());
}

// Twice as many pieces as threads, so that no thread waits for the one that takes; fewer if they
// are large.
Pipeline::Pipeline(PieceWork& work, unsigned threads, std::size_t piece_bytes)
    : work_(work),
      slots_(threads == 1
                 ? 1
                 : std::clamp<std::size_t>(((32 << 20) + threads * (std::size_t{2} << 20)) /
                                               std::max<std::size_t>(piece_bytes, 1),
                                           2, 2 * std::size_t{threads} + 1)),
      pool_(threads - 1) {}

Pipeline::~Pipeline() {
  {
    // What was not begun never will be.
    const std::lock_guard lock(mutex_);
    for (Slot& slot : slots_)
      if (slot.state == State::waiting) slot.state = State::done;
  }
  pool_.forget(*this);
}

Piece* Pipeline::vacant() noexcept {
  if (count_ == slots_.size()) return nullptr;
  Piece& piece = slots_[(first_ + count_) % slots_.size()].piece;
  piece.clear();
  return &piece;
}

void Pipeline::add() {
  {
    const std::lock_guard lock(mutex_);
    slots_[(first_ + count_) % slots_.size()].state = State::waiting;
    ++count_;
  }
  if (slots_.size() > 1) pool_.call(*this);
}

// The oldest slot that waits; null if none does.
Pipeline::Slot* Pipeline::claim() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    Slot& slot = slots_[(first_ + i) % slots_.size()];
    if (slot.state != State::waiting) continue;
    slot.state = State::running;
    return &slot;
  }
  return nullptr;
}

void Pipeline::run(Slot& slot) noexcept {
  std::exception_ptr failure;
  try {
    work_.work(slot.piece);
  } catch (...) {
    failure = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    slot.failure = failure;
    slot.state = State::done;
  }
  changed_.notify_all();
}

bool Pipeline::work() noexcept {
  Slot* slot = nullptr;
  {
    const std::lock_guard lock(mutex_);
    slot = claim();
  }
  if (slot != nullptr) run(*slot);
  return slot != nullptr;
}

Piece* Pipeline::take() {
  if (count_ == 0) return nullptr;
  Slot& oldest = slots_[first_];
  for (;;) {
    Slot* mine = nullptr;
    {
      std::unique_lock lock(mutex_);
      if (oldest.state != State::done) {
        mine = claim();
        if (mine == nullptr) changed_.wait(lock, [&] { return oldest.state == State::done; });
      }
    }
    if (mine == nullptr) break;
    run(*mine);
  }
  if (oldest.failure) std::rethrow_exception(oldest.failure);
  return &oldest.piece;
}

void Pipeline::release() noexcept {
  const std::lock_guard lock(mutex_);
  slots_[first_].state = State::vacant;
  slots_[first_].failure = nullptr;
  first_ = (first_ + 1) % slots_.size();
  --count_;
}

}  // namespace vmdk
