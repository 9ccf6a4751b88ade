// SPDX-License-Identifier: MIT
#include "extent/flat_extent.h"

#include "util/checked.h"
#include "util/error.h"
#include "util/zeros.h"

namespace vmdk {

FlatExtent::FlatExtent(File& file, std::uint64_t file_offset, std::uint64_t size, bool thick)
    : file_(file), file_offset_(file_offset), size_(size), thick_(thick) {
  if (in_bounds(file_offset, size, file.size())) return;
  throw_corrupt(file.name(), "is shorter than its extent: " + std::to_string(file.size()) +
                                 " bytes, where the descriptor says " + std::to_string(size) +
                                 " bytes from offset " + std::to_string(file_offset) + " on");
}

void ZeroExtent::prepare(Bytes in) {
  if (is_zero(in)) return;
  throw Error(VMDK_ERR_READ_ONLY,
              "the extent is a ZERO extent: it has no file, and only zeros can be written to it")
      .with_hint("take a snapshot (vmdk snapshot) and write to that");
}

}  // namespace vmdk
