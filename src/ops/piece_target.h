// SPDX-License-Identifier: MIT
// Where the pieces of a conversion go: the files of a new disk, or a stream.
#ifndef VMDK_OPS_PIECE_TARGET_H
#define VMDK_OPS_PIECE_TARGET_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "disk/extent_opener.h"
#include "io/byte_stream.h"
#include "ops/create.h"
#include "ops/pipeline.h"
#include "ops/stream_writer.h"
#include "util/lender.h"
#include "util/reporter.h"

namespace vmdk {

class PieceTarget {
 public:
  virtual ~PieceTarget() = default;

  virtual std::uint64_t unit() const noexcept = 0;             // see PieceShape
  virtual bool takes_files() const noexcept { return false; }  // see PieceShape; may end
  virtual bool needs_order() const noexcept { return false; }
  // Any thread.
  virtual void prepare(Piece& piece) = 0;
  // In the order of the source, on one thread.
  virtual void take(Piece& piece) = 0;
  virtual void finish() = 0;

  // Told of the place on the disk now and then, where a long gap between pieces is filled.
  void watch(std::function<void(std::uint64_t)> watcher) { watcher_ = std::move(watcher); }

 protected:
  std::function<void(std::uint64_t)> watcher_;
};

// Files that are written at any place: sparse, COWD, flat, raw. `maker`, which has made them,
// outlives it.
class FilesTarget final : public PieceTarget {
 public:
  FilesTarget(DiskMaker& maker, const NewDisk& disk);
  ~FilesTarget() override;

  std::uint64_t unit() const noexcept override { return unit_; }
  bool takes_files() const noexcept override { return flat_ && host_copies_; }
  void prepare(Piece& piece) override;
  void take(Piece& piece) override;
  void finish() override;

 private:
  struct Slot {
    std::uint64_t begin;
    std::unique_ptr<Extent> extent;
    File* file;
  };

  Slot& slot_at(std::uint64_t offset) noexcept;
  void write(std::uint64_t offset, Bytes in);
  void copy_file(const Piece& piece);
  std::uint64_t copy_bytes(const File& from, std::uint64_t from_offset, std::uint64_t offset,
                           std::uint64_t size);
  void save();

  // What extents share, as those of an open disk do.
  TableCache tables_;
  GrainCache cache_;
  InflateStates states_;
  GrainBuffers buffers_;
  Reporter reporter_;
  std::vector<Slot> slots_;
  bool flat_ = true, host_copies_ = true;
  std::uint64_t unit_;
  std::size_t block_;  // of zeros that is not written
};

// A stream-optimized disk. `sink` outlives it.
class StreamTarget final : public PieceTarget {
 public:
  // `name` is for messages.
  StreamTarget(ByteSink& sink, const std::string& name, const NewDisk& disk,
               const std::string& descriptor, int level);

  std::uint64_t unit() const noexcept override { return grain_; }
  bool needs_order() const noexcept override { return true; }
  void prepare(Piece& piece) override;
  void take(Piece& piece) override;
  void finish() override { writer_.finish(); }

 private:
  std::uint64_t grain_;
  Lender<Deflater> deflaters_;
  StreamWriter writer_;
};

// All the bytes of the disk, in order. `sink` outlives it.
class RawTarget final : public PieceTarget {
 public:
  RawTarget(ByteSink& sink, std::uint64_t capacity) : sink_(sink), capacity_(capacity) {}

  std::uint64_t unit() const noexcept override { return 4096; }
  bool needs_order() const noexcept override { return true; }
  void prepare(Piece&) override {}
  void take(Piece& piece) override;
  void finish() override { put_zeros(capacity_); }

 private:
  void put_zeros(std::uint64_t until);

  ByteSink& sink_;
  std::uint64_t capacity_, position_ = 0;
};

// Fills the `data` of a piece with what of its parts is not zero, by blocks.
void find_data(Piece& piece, std::size_t block = 4096);

}  // namespace vmdk

#endif
