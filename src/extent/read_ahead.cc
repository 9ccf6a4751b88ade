// SPDX-License-Identifier: MIT
#include "extent/read_ahead.h"

#include <algorithm>
#include <exception>

#include "util/checked.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kMaxBytesAhead = 8 << 20;
constexpr std::uint64_t kMaxGrainsAhead = 1024;  // how far to look over grains that are not stored
constexpr unsigned kInOrder = 2;  // so many reads in order, and the next is expected to be

}  // namespace

ReadAhead::ReadAhead(const GrainSource& source, WorkerPool& pool, GrainBuffers& buffers,
                     unsigned threads, std::uint64_t grain_bytes, std::uint64_t extent_bytes)
    : source_(source),
      pool_(pool),
      buffers_(buffers),
      grain_bytes_(grain_bytes),
      extent_bytes_(extent_bytes),
      grains_(divide_up(extent_bytes, grain_bytes)) {
  const std::uint64_t fit = kMaxBytesAhead / grain_bytes;
  slots_.resize(
      static_cast<std::size_t>(std::min<std::uint64_t>(fit, std::uint64_t{threads} * 16)));
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  pool_.forget(*this);
  for (Slot& slot : slots_) clear(slot);
}

void ReadAhead::clear(Slot& slot) noexcept {
  slot.state = State::empty;
  buffers_.give_back(std::move(slot.data));
  slot.data = Buffer();
}

std::size_t ReadAhead::size_of(std::uint64_t grain) const noexcept {
  return static_cast<std::size_t>(std::min(grain_bytes_, extent_bytes_ - grain * grain_bytes_));
}

ReadAhead::Slot* ReadAhead::find(std::uint64_t grain) noexcept {
  for (Slot& slot : slots_)
    if (slot.state != State::empty && slot.grain == grain) return &slot;
  return nullptr;
}

// One that holds nothing, or what the reader has passed or will not reach soon.
ReadAhead::Slot* ReadAhead::free_slot() noexcept {
  for (Slot& slot : slots_) {
    const bool wanted = slot.grain >= begin_ && slot.grain < limit_;
    if (slot.state == State::empty ||
        (slot.state != State::running && slot.readers == 0 && !wanted))
      return &slot;
  }
  return nullptr;
}

// The mutex is held. A request of one grain out of order brings nothing to do.
void ReadAhead::plan(std::uint64_t first, std::uint64_t count) {
  const bool in_order = first >= position_ && first - position_ < kMaxGrainsAhead;
  streak_ = in_order ? std::min(streak_ + 1, kInOrder) : 0;
  const std::uint64_t end = first + count;
  const bool ahead = streak_ == kInOrder;
  limit_ = ahead ? std::min(end + kMaxGrainsAhead, grains_) : count > 1 ? end : 0;
  // Grains from next_ on are not begun yet, if next_ is where this reader is going.
  if (!ahead || next_ < first || next_ > limit_) next_ = first;
  begin_ = first;
  position_ = end;
}

// The mutex is held. The next grain to inflate ahead, marked as running; null if there is none.
ReadAhead::Slot* ReadAhead::claim() {
  while (!stop_ && next_ < limit_) {
    if (find(next_) != nullptr || !source_.is_stored(next_)) {
      ++next_;
      continue;
    }
    Slot* const slot = free_slot();
    if (slot == nullptr) return nullptr;
    if (slot->data.size() == 0) slot->data = buffers_.take(static_cast<std::size_t>(grain_bytes_));
    if (slot->data.size() == 0) return nullptr;
    slot->grain = next_++;
    slot->state = State::running;
    return slot;
  }
  return nullptr;
}

// What fails here is not yet wanted: whoever wants it does it again, and gets the error.
bool ReadAhead::work() noexcept {
  Slot* slot = nullptr;
  State result = State::ready;
  try {
    std::unique_lock lock(mutex_);
    slot = claim();
    if (slot == nullptr) return false;
    lock.unlock();
    source_.inflate(slot->grain, slot->data.first(size_of(slot->grain)));
  } catch (const std::exception&) {
    if (slot == nullptr) return false;
    result = State::failed;
  }
  const std::lock_guard lock(mutex_);
  slot->state = result;
  changed_.notify_all();
  return true;
}

// The mutex is held. Copies a grain that is ready, or inflates one that nobody has begun; returns
// false if another thread is at it.
bool ReadAhead::take(std::unique_lock<std::mutex>& lock, std::uint64_t grain, MutableBytes out) {
  Slot* const slot = find(grain);
  if (slot != nullptr && slot->state == State::running) return false;
  if (slot != nullptr && slot->state == State::ready) {
    ++slot->readers;
    lock.unlock();
    std::memcpy(out.data(), slot->data.first(out.size()).data(), out.size());
    lock.lock();
    if (--slot->readers == 0) clear(*slot);
    return true;
  }
  if (slot != nullptr && slot->readers == 0) clear(*slot);
  if (next_ <= grain && grain < limit_) next_ = grain + 1;
  lock.unlock();
  source_.inflate(grain, out);
  lock.lock();
  return true;
}

// The mutex is held. Rather than wait for another thread, does something that comes later.
void ReadAhead::wait_for(std::unique_lock<std::mutex>& lock, std::uint64_t grain) {
  while (true) {
    const Slot* const slot = find(grain);
    if (slot == nullptr || slot->state != State::running) return;
    lock.unlock();
    const bool helped = work();
    lock.lock();
    if (helped) continue;
    const Slot* const again = find(grain);
    if (again != nullptr && again->state == State::running) changed_.wait(lock);
  }
}

void ReadAhead::read(std::uint64_t first, MutableBytes out) {
  const std::uint64_t count = divide_up(out.size(), grain_bytes_);
  const auto piece = [&](std::uint64_t i) {
    return out.subspan(i * grain_bytes_, size_of(first + i));
  };
  std::vector<std::uint64_t> pending;
  std::unique_lock lock(mutex_);
  plan(first, count);
  if (next_ < limit_) {
    lock.unlock();
    pool_.call(*this);
    lock.lock();
  }
  for (std::uint64_t i = 0; i < count; ++i)
    if (!take(lock, first + i, piece(i))) pending.push_back(i);
  for (const std::uint64_t i : pending) {
    do {
      wait_for(lock, first + i);
    } while (!take(lock, first + i, piece(i)));
  }
}

}  // namespace vmdk
