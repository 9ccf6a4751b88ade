// SPDX-License-Identifier: MIT
// Pieces of a conversion, worked on by several threads and taken in the order they were given.
#ifndef VMDK_OPS_PIPELINE_H
#define VMDK_OPS_PIPELINE_H

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

#include "io/file.h"
#include "ops/stream_reader.h"
#include "ops/stream_writer.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/worker_pool.h"

namespace vmdk {

// A piece of a disk on its way. What lies between its parts reads as zero.
struct Piece {
  struct Part {
    std::uint64_t offset;  // on the disk
    std::size_t size;
    std::size_t at;  // in `plain`
  };
  // A part of the source that cannot be read.
  struct Lost {
    std::uint64_t offset, size;
    Error why;
  };

  std::vector<Part> parts;  // ascending, unless a stream has them in another order
  std::uint64_t done = 0;   // bytes of the disk that are dealt with once this piece is
  Buffer plain;

  // Out of a stream: a record for each part, and where its data is.
  std::vector<StreamReader::Record> records;
  std::vector<std::size_t> records_at;
  Buffer packed;

  // In place of parts: bytes that stand in a file as they are, for the host to copy.
  const File* file = nullptr;
  std::uint64_t file_offset = 0, offset = 0, size = 0;

  // What work makes of it.
  std::vector<Lost> lost;
  std::vector<Part> data;  // what of the parts is not zero
  std::vector<StreamWriter::Record> encoded;
  Buffer encoded_bytes;

  void clear() noexcept;
};

// Throws the failure that a part was lost to, with its place on the disk.
[[noreturn]] void throw_lost(const Piece::Lost& lost);

// What is done with a piece, on any thread.
class PieceWork {
 public:
  virtual void work(Piece& piece) = 0;

 protected:
  ~PieceWork() = default;
};

// Used from one thread, which works too while it has to wait.
class Pipeline final : private Workload {
 public:
  // `work` outlives it. `threads` counts the calling one; a piece takes up to `piece_bytes`.
  Pipeline(PieceWork& work, unsigned threads, std::size_t piece_bytes);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // A piece to fill, empty; null if so many are under way that one has to be taken first.
  Piece* vacant() noexcept;
  // The piece that vacant() gave is filled.
  void add();

  // The oldest piece, worked on; null if there is none. Throws what the work threw.
  Piece* take();
  // The piece that take() gave is done with.
  void release() noexcept;

 private:
  enum class State { vacant, waiting, running, done };
  struct Slot {
    Piece piece;
    State state = State::vacant;
    std::exception_ptr failure;
  };

  bool work() noexcept override;
  Slot* claim() noexcept;
  void run(Slot& slot) noexcept;

  PieceWork& work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::size_t first_ = 0, count_ = 0;  // slots under way
  WorkerPool pool_;                    // goes first
};

}  // namespace vmdk

#endif
