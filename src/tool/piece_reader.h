// SPDX-License-Identifier: MIT
// Reads a part of a source from beginning to end in pieces of up to 1 MiB,
// ahead of the caller on a thread of its own where that is wanted. Parts that
// are known to be zero are told, not read.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "source.h"

namespace vmdk_tool {

struct Piece {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  const std::byte* data = nullptr;  // nullptr: zeros, of any size
};

// Used from one thread. The source belongs to it, from the constructor to
// the destructor.
class PieceReader {
 public:
  PieceReader(Source& source, std::uint64_t offset, std::uint64_t size, bool threaded);
  ~PieceReader();
  PieceReader(const PieceReader&) = delete;
  PieceReader& operator=(const PieceReader&) = delete;

  // The next piece; nullptr at the end. Valid until consume(). Throws what
  // reading threw, in its place.
  const Piece* front();
  // Drops the first `size` bytes, 0 < size <= front()->size.
  void consume(std::uint64_t size);

 private:
  struct FreeBytes {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  // Pieces that share one buffer: one hand-over between the threads, however
  // small the pieces of a scattered disk are.
  struct Batch {
    std::unique_ptr<std::byte[], FreeBytes> buffer;
    std::vector<Piece> pieces;
    std::exception_ptr failure;  // comes after the pieces
    bool last = false;
  };

  Source::Range next_range();
  void fill(Batch& batch);
  void fill_or_fail(Batch& batch);
  void run_thread();
  bool next_batch();

  Source& source_;
  std::uint64_t position_;  // of the thread that fills
  std::uint64_t end_;
  Source::Range range_;  // what is left of the range at position_

  Batch current_;
  std::size_t index_ = 0;
  Piece front_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Neither ever grows beyond what the constructor reserved.
  std::vector<Batch> filled_;
  std::vector<Batch> empty_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace vmdk_tool
