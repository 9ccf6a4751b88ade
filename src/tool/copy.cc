// SPDX-License-Identifier: MIT
#include "copy.h"

#include <algorithm>
#include <cstring>

#include "piece_reader.h"

namespace vmdk_tool {
namespace {

// What file systems can leave out.
constexpr std::size_t kBlock = 4096;

// Writes the blocks of `data` that are not zero, neighbours in one write.
// `offset` is where data goes in the sink.
void write_sparsely(Sink& sink, std::uint64_t offset, std::span<const std::byte> data) {
  std::size_t begin = 0;  // of what is to be written
  std::size_t at = 0;
  while (at < data.size()) {
    const auto to_boundary = static_cast<std::size_t>(kBlock - (offset + at) % kBlock);
    const std::size_t size = std::min(to_boundary, data.size() - at);
    if (is_zero(data.subspan(at, size))) {
      if (at > begin) sink.write(offset + begin, data.subspan(begin, at - begin));
      sink.zeros(offset + at, size);
      begin = at + size;
    }
    at += size;
  }
  if (at > begin) sink.write(offset + begin, data.subspan(begin));
}

}  // namespace

bool is_zero(std::span<const std::byte> data) {
  // The first bytes by hand, then the rest against what was found zero: memcmp
  // is the fastest loop there is.
  constexpr std::size_t kHead = 16;
  const std::size_t head = std::min(kHead, data.size());
  for (std::size_t i = 0; i < head; ++i)
    if (data[i] != std::byte{0}) return false;
  return data.size() <= kHead ||
         std::memcmp(data.data(), data.data() + kHead, data.size() - kHead) == 0;
}

void copy_guest(Source& source, std::uint64_t offset, std::uint64_t size, Sink& sink,
                std::uint32_t threads, Progress& progress) {
  PieceReader reader(source, offset, size, threads > 1);
  while (const Piece* const piece = reader.front()) {
    const std::uint64_t to = piece->offset - offset;
    const std::uint64_t piece_size = piece->size;
    if (piece->data == nullptr) {
      sink.zeros(to, piece_size);
      progress.add(piece_size, 0);
    } else {
      const std::span data(piece->data, static_cast<std::size_t>(piece_size));
      if (sink.keeps_holes())
        write_sparsely(sink, to, data);
      else
        sink.write(to, data);
      progress.add(piece_size, piece_size);
    }
    reader.consume(piece_size);
  }
}

}  // namespace vmdk_tool
