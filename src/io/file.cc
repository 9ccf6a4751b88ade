// SPDX-License-Identifier: MIT
#include "io/file.h"

#include "util/checked.h"

namespace vmdk {

void check_inside(const File& file, std::uint64_t offset, std::uint64_t size) {
  if (in_bounds(offset, size, file.size())) return;
  throw_corrupt(file.name(), std::to_string(size) + " bytes at offset " + std::to_string(offset) +
                                 " lie beyond the end of the file (" + std::to_string(file.size()) +
                                 " bytes): it is truncated or damaged");
}

}  // namespace vmdk
