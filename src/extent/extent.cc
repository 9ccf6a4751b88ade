// SPDX-License-Identifier: MIT
#include "extent/extent.h"

#include <algorithm>
#include <vector>

#include "util/error.h"

namespace vmdk {

void Extent::prepare() {
  const char* why = why_read_only();
  if (why == nullptr) return;
  const std::string name = file() != nullptr ? file()->name() : "the extent";
  throw Error(VMDK_ERR_READ_ONLY, name + ": cannot be written: " + why).with_hint(kSnapshotHint);
}

void Extent::write(std::uint64_t, Bytes, const Below&) { prepare(); }

void Extent::zero(std::uint64_t, std::uint64_t, const Below&, bool) { prepare(); }

void zero_file(File& file, std::uint64_t offset, std::uint64_t size, bool give_back) {
  constexpr std::uint64_t kAtOnce = 256 << 10, kSmallestHole = 4096;
  if (size >= kSmallestHole) {
    if (give_back && file.punch(offset, size)) return;
    if (file.clear(offset, size)) return;
  }
  const std::vector<std::byte> zeros(static_cast<std::size_t>(std::min(size, kAtOnce)));
  while (size > 0) {
    const Bytes piece = Bytes(zeros).first(static_cast<std::size_t>(std::min(size, kAtOnce)));
    file.write_at(offset, piece);
    offset += piece.size();
    size -= piece.size();
  }
}

}  // namespace vmdk
