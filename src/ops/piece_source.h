// SPDX-License-Identifier: MIT
// Where the pieces of a conversion come from: an open disk, a stream, raw bytes out of a pipe.
#ifndef VMDK_OPS_PIECE_SOURCE_H
#define VMDK_OPS_PIECE_SOURCE_H

#include <cstdint>
#include <optional>

#include "disk/disk.h"
#include "io/byte_stream.h"
#include "ops/pipeline.h"
#include "ops/stream_reader.h"
#include "util/lender.h"

namespace vmdk {

// How the other end wants its pieces.
struct PieceShape {
  std::uint64_t unit = 4096;  // parts begin and end at multiples of it, or where the disk ends
  bool files = false;         // pieces may be those of files
  bool salvage = false;       // what cannot be read is lost, and no error
};

class PieceSource {
 public:
  virtual ~PieceSource() = default;

  // The next piece; false if there is none. Its data is not there yet.
  virtual bool fill(Piece& piece) = 0;
  // Reads or inflates the data. Any thread, also beside fill().
  virtual void load(Piece& piece) = 0;
  // From here on pieces have parts only.
  virtual void stop_files() noexcept {}
  // Memory that a piece takes at the most.
  virtual std::size_t piece_bytes() const noexcept { return kPieceBytes; }

 protected:
  static constexpr std::size_t kPieceBytes = 512 << 10;
  static constexpr std::size_t kMostParts = 512;
};

// `disk` outlives it.
class DiskPieces final : public PieceSource {
 public:
  DiskPieces(const Disk& disk, const PieceShape& shape);
  bool fill(Piece& piece) override;
  void load(Piece& piece) override;
  void stop_files() noexcept override { shape_.files = false; }
  std::size_t piece_bytes() const noexcept override { return piece_bytes_; }

 private:
  DiskRun map(Piece& piece, std::uint64_t size);
  DiskRun lose(Piece& piece, const Error& why, std::uint64_t most);
  bool can_be_mapped(std::uint64_t offset) const;
  void fill_with_file(Piece& piece, const DiskRun& found);
  void add_part(Piece& piece, std::size_t used, std::uint64_t run_size);
  void read_what_can_be(Piece& piece, const Piece::Part& part) const;
  std::size_t block_at(std::uint64_t offset, std::size_t most) const;

  const Disk& disk_;
  PieceShape shape_;
  std::size_t piece_bytes_;
  std::uint64_t position_ = 0;
  DiskRun known_;  // the last run that was looked up; it ends at known_end_
  std::uint64_t known_end_ = 0;
};

// `reader` outlives it.
class StreamPieces final : public PieceSource {
 public:
  StreamPieces(StreamReader& reader, const PieceShape& shape);
  bool fill(Piece& piece) override;
  void load(Piece& piece) override;
  std::size_t piece_bytes() const noexcept override;

 private:
  StreamReader& reader_;
  bool salvage_;
  std::uint64_t capacity_;
  std::uint64_t furthest_ = 0;
  Lender<Inflater> inflaters_;
};

// Raw bytes. `source` outlives it.
class RawPieces final : public PieceSource {
 public:
  // Without a capacity: as much as comes.
  RawPieces(ByteSource& source, std::optional<std::uint64_t> capacity, const PieceShape& shape);
  bool fill(Piece& piece) override;
  void load(Piece&) override {}
  std::size_t piece_bytes() const noexcept override { return piece_bytes_; }
  std::uint64_t bytes_read() const noexcept { return position_; }

 private:
  ByteSource& source_;
  std::optional<std::uint64_t> capacity_;
  std::size_t piece_bytes_;
  std::uint64_t position_ = 0;
};

}  // namespace vmdk

#endif
