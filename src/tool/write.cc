// SPDX-License-Identifier: MIT
// `vmdk write`: bytes of a file or a pipe as the guest is to see them, or a
// range that is to read as zeros.
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "errors.h"
#include "input.h"
#include "messages.h"
#include "options.h"
#include "piece_reader.h"
#include "progress.h"
#include "signals.h"
#include "sizes.h"
#include "source.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
// What is cleared at a time; a cancelled job has to wait for it.
constexpr std::uint64_t kClearedAtOnce = std::uint64_t{64} << 20;

// The part of a disk that is written to.
struct Part {
  std::uint64_t offset = 0;
  std::uint64_t room = 0;  // from there to the end of the disk
};

Part part_of(const DiskHandle& disk, std::uint64_t offset) {
  const std::uint64_t capacity = disk.info().capacity;
  if (offset > capacity)
    throw Failure(printable(disk.path()) + ": offset " + std::to_string(offset) +
                      " lies beyond the disk, which has " + std::to_string(capacity) + " bytes",
                  "", VMDK_ERR_OUT_OF_RANGE);
  return {offset, capacity - offset};
}

// `demand` says who wants that much: "--zero asks for".
void check_room(const DiskHandle& disk, const Part& part, const std::string& demand,
                std::uint64_t size) {
  if (size > part.room)
    throw Failure(printable(disk.path()) + ": " + demand + " " + std::to_string(size) +
                      " bytes, but from offset " + std::to_string(part.offset) +
                      " on the disk has " + std::to_string(part.room) + "; nothing was written",
                  "", VMDK_ERR_OUT_OF_RANGE);
}

// A file is read ahead, and its holes need not be read.
void write_file(DiskHandle& disk, const Part& part, Source& source, const CommonOptions& common) {
  Progress progress(common.progress(), "write", source.size());
  PieceReader reader(source, 0, source.size(), common.threads() > 1);
  while (const Piece* const piece = reader.front()) {
    throw_if_cancelled();
    const std::uint64_t to = part.offset + piece->offset;
    std::uint64_t size = piece->size;
    if (piece->data == nullptr) {
      size = std::min(size, kClearedAtOnce);
      disk.zero(to, size);
    } else {
      disk.write(to, {piece->data, static_cast<std::size_t>(size)});
    }
    progress.add(size, piece->data == nullptr ? 0 : size);
    reader.consume(size);
  }
}

// How long it is may show only at its end: what fits is written then.
void write_stream(DiskHandle& disk, const Part& part, Input& stream, const CommonOptions& common) {
  const std::optional<std::uint64_t> known = stream.size();
  if (known) check_room(disk, part, stream.name() + " has", *known);
  Progress progress(common.progress(), "write", known);
  const std::unique_ptr<std::byte[]> buffer(new std::byte[kPiece]);
  std::uint64_t done = 0;
  for (;;) {
    // The first piece is shorter where that lets the others begin with a grain.
    const auto wanted = static_cast<std::size_t>(kPiece - (part.offset + done) % kPiece);
    const std::size_t size = stream.read({buffer.get(), wanted});
    const auto fitting = static_cast<std::size_t>(std::min<std::uint64_t>(size, part.room - done));
    disk.write(part.offset + done, {buffer.get(), fitting});
    done += fitting;
    progress.add(fitting, fitting);
    if (fitting < size) {
      disk.close();
      throw Failure(stream.name() + ": it goes on after " + std::to_string(done) +
                        " bytes, which were written up to the end of " + printable(disk.path()),
                    "", VMDK_ERR_OUT_OF_RANGE);
    }
    if (size < wanted) return;
  }
}

void write_input(DiskHandle& disk, const Part& part, const std::string& input,
                 const CommonOptions& common) {
  refuse_own_file(disk, input);
  struct stat status = {};
  if (input != "-" && stat(input.c_str(), &status) == 0 &&
      (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))) {
    const auto source = open_raw_source(input);
    check_room(disk, part, printable(input) + " has", source->size());
    write_file(disk, part, *source, common);
  } else {
    Input stream(input);
    write_stream(disk, part, stream, common);
  }
}

// Clears a part in pieces that end where grains end, so that whole ones can be given back.
class Clearing {
 public:
  Clearing(DiskHandle& disk, bool discard) : disk_(disk), discard_(discard) {}

  void run(std::uint64_t offset, std::uint64_t size, ProgressMode mode) {
    Progress progress(mode, discard_ ? "discard" : "zero", size);
    while (size > 0) {
      throw_if_cancelled();
      const std::uint64_t piece = std::min(size, piece_at(offset));
      if (discard_)
        disk_.discard(offset, piece);
      else
        disk_.zero(offset, piece);
      progress.add(piece, piece);
      offset += piece;
      size -= piece;
    }
  }

 private:
  // Offsets only grow.
  std::uint64_t piece_at(std::uint64_t offset) {
    while (extent_.size == 0 || offset - extent_.offset >= extent_.size)
      extent_ = disk_.extent(0, next_extent_++);
    const std::uint64_t step = std::max(kClearedAtOnce, extent_.grain_bytes);
    const std::uint64_t at = offset - extent_.offset;
    return std::min(step - at % step, extent_.size - at);
  }

  DiskHandle& disk_;
  bool discard_;
  vmdk_extent_info extent_ = {};
  std::uint32_t next_extent_ = 0;
};

}  // namespace

int run_write(Arguments arguments) {
  std::string file;
  std::string offset_text;
  std::string input;
  std::string zero;
  std::string discard;
  CommonOptions common;
  CommandLine line("write", verb_summary("write"));
  line.argument("FILE", file, "The disk");
  line.argument("OFFSET", offset_text, "Where to begin: 512, 64k, 10M");
  line.option("-i,--input", input, "IN", "Read from IN, not from standard input");
  line.option("--zero", zero, "LENGTH", "Make LENGTH bytes read as zero");
  line.option("--discard", discard, "LENGTH", "The same, and give their space back");
  common.add_to(line, kTakesPaths | kTakesThreads | kTakesProgress);
  line.parse(arguments);
  common.check();
  if (!input.empty() + !zero.empty() + !discard.empty() > 1)
    throw UsageError("only one of --input, --zero and --discard can be done");
  const std::uint64_t offset = parse_size(offset_text, "OFFSET");
  std::uint64_t length = 0;
  if (!zero.empty()) length = parse_size(zero, "--zero");
  if (!discard.empty()) length = parse_size(discard, "--discard");

  DiskHandle disk(file, common, Work::changes);
  const Part part = part_of(disk, offset);
  if (zero.empty() && discard.empty()) {
    write_input(disk, part, input.empty() ? "-" : input, common);
  } else {
    check_room(disk, part, zero.empty() ? "--discard asks for" : "--zero asks for", length);
    Clearing(disk, zero.empty()).run(offset, length, common.progress());
  }
  disk.close();
  return kExitDone;
}

}  // namespace vmdk_tool
