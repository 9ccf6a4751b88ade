// SPDX-License-Identifier: MIT
#include "io/byte_reader.h"

#include <algorithm>

namespace vmdk {

// At least `size` bytes, unless there are no more.
void ByteReader::fill(std::size_t size) {
  if (end_ - begin_ >= size || ended_) return;
  const MutableBytes all = buffer_.first(buffer_.size());
  std::memmove(all.data(), all.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < size && !ended_) {
    const std::size_t got = source_.read(all.subspan(end_));
    ended_ = got == 0;
    end_ += got;
  }
}

Bytes ByteReader::peek(std::size_t size) {
  assert(size <= kMaxPeek);
  fill(size);
  return Bytes(buffer_.first(end_)).subspan(begin_, std::min(size, end_ - begin_));
}

std::size_t ByteReader::read(MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    fill(1);
    const std::size_t size = std::min(out.size() - done, end_ - begin_);
    if (size == 0) break;
    std::memcpy(out.data() + done, buffer_.first(end_).data() + begin_, size);
    take(size);
    done += size;
  }
  return done;
}

std::uint64_t ByteReader::skip(std::uint64_t size) {
  std::uint64_t done = 0;
  while (done < size) {
    fill(1);
    const std::size_t some =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - done, end_ - begin_));
    if (some == 0) break;
    take(some);
    done += some;
  }
  return done;
}

}  // namespace vmdk
