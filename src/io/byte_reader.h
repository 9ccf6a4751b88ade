// SPDX-License-Identifier: MIT
// A ByteSource through a buffer, with the place.
#ifndef VMDK_IO_BYTE_READER_H
#define VMDK_IO_BYTE_READER_H

#include <cstdint>
#include <string>

#include "io/byte_stream.h"
#include "util/bytes.h"

namespace vmdk {

// One thread.
class ByteReader final {
 public:
  static constexpr std::size_t kMaxPeek = 64 << 10;

  // `source` outlives the reader.
  explicit ByteReader(ByteSource& source) : source_(source), buffer_(kBuffer) {}

  const std::string& name() const { return source_.name(); }
  // Byte of the source that comes next.
  std::uint64_t at() const noexcept { return at_; }

  // The next `size` bytes, at most kMaxPeek, fewer at the end; they stay valid until the next call.
  Bytes peek(std::size_t size);
  // Both return how many bytes there were, fewer at the end.
  std::size_t read(MutableBytes out);
  std::uint64_t skip(std::uint64_t size);

 private:
  static constexpr std::size_t kBuffer = 256 << 10;

  void fill(std::size_t size);
  void take(std::size_t size) noexcept {
    begin_ += size;
    at_ += size;
  }

  ByteSource& source_;
  Buffer buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what of the buffer is still to come
  std::uint64_t at_ = 0;
  bool ended_ = false;
};

}  // namespace vmdk

#endif
