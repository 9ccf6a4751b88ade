// SPDX-License-Identifier: MIT
// What a conversion will need, told beforehand.
#ifndef VMDK_OPS_MEASURE_H
#define VMDK_OPS_MEASURE_H

#include <cstdint>

#include "disk/disk.h"
#include "ops/convert.h"

namespace vmdk {

struct Measure {
  std::uint64_t needed = 0, most = 0;  // bytes
  bool exact = false;                  // needed is neither more nor less
};

// Throws what vmdk_measure() documents. With `read_all` the data is read, and compressed where it
// will be.
Measure measure(const Disk& source, const Conversion& how, bool read_all);

}  // namespace vmdk

#endif
