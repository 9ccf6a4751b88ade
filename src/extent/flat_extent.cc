// SPDX-License-Identifier: MIT
#include "extent/flat_extent.h"

#include "util/checked.h"

namespace vmdk {

FlatExtent::FlatExtent(File& file, std::uint64_t file_offset, std::uint64_t size, bool thick)
    : file_(file), file_offset_(file_offset), size_(size), thick_(thick) {
  if (in_bounds(file_offset, size, file.size())) return;
  throw_corrupt(file.name(), "is shorter than its extent: " + std::to_string(file.size()) +
                                 " bytes, where the descriptor says " + std::to_string(size) +
                                 " bytes from offset " + std::to_string(file_offset) + " on");
}

}  // namespace vmdk
