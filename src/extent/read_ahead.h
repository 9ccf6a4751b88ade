// SPDX-License-Identifier: MIT
// Inflates grains on several threads for a reader: those it asked for, and while it reads in order
// those that will come next.
#ifndef VMDK_EXTENT_READ_AHEAD_H
#define VMDK_EXTENT_READ_AHEAD_H

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "extent/grain_cache.h"
#include "util/bytes.h"
#include "util/worker_pool.h"

namespace vmdk {

// Where the grains come from. Any number of threads.
class GrainSource {
 public:
  // Is there something to inflate? May say no where it is not sure.
  virtual bool is_stored(std::uint64_t grain) const = 0;
  // Fills `out` with a whole grain (the last one of an extent: as far as the extent goes).
  virtual void inflate(std::uint64_t grain, MutableBytes out) const = 0;

 protected:
  ~GrainSource() = default;
};

// Any number of readers; the order that is followed is that of the last one.
class ReadAhead final : private Workload {
 public:
  static constexpr std::uint64_t kMaxGrainBytes = 1 << 20;

  // What it refers to outlives it. Grains are at most kMaxGrainBytes.
  ReadAhead(const GrainSource& source, WorkerPool& pool, GrainBuffers& buffers, unsigned threads,
            std::uint64_t grain_bytes, std::uint64_t extent_bytes);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Reads whole grains, all of them stored, from `first` on.
  void read(std::uint64_t first, MutableBytes out);

 private:
  enum class State { empty, running, ready, failed };
  struct Slot {
    std::uint64_t grain = 0;
    State state = State::empty;
    unsigned readers = 0;  // copying from it
    Buffer data;
  };

  bool work() noexcept override;
  void plan(std::uint64_t first, std::uint64_t count);
  Slot* claim();
  Slot* find(std::uint64_t grain) noexcept;
  Slot* free_slot() noexcept;
  void clear(Slot& slot) noexcept;
  bool take(std::unique_lock<std::mutex>& lock, std::uint64_t grain, MutableBytes out);
  void wait_for(std::unique_lock<std::mutex>& lock, std::uint64_t grain);
  std::size_t size_of(std::uint64_t grain) const noexcept;

  const GrainSource& source_;
  WorkerPool& pool_;
  GrainBuffers& buffers_;
  std::uint64_t grain_bytes_, extent_bytes_, grains_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::uint64_t next_ = 0, limit_ = 0;  // grains that may be claimed
  std::uint64_t begin_ = 0;             // of the read that is going on
  std::uint64_t position_ = 0;          // where a reader in order goes on
  unsigned streak_ = 0;                 // reads in order so far
  bool stop_ = false;
};

}  // namespace vmdk

#endif
