// SPDX-License-Identifier: MIT
// From an extent line and its file to the extent: headers and footers are read, and held against
// each other and against the line.
#ifndef VMDK_DISK_EXTENT_OPENER_H
#define VMDK_DISK_EXTENT_OPENER_H

#include <memory>

#include "extent/extent.h"
#include "extent/stream_extent.h"
#include "format/descriptor.h"

namespace vmdk {

struct ExtentParts {
  Shared shared;
  InflateShared inflating;
  bool thick;  // a flat extent keeps its space
};

// Opens the extent of `line` in `file`, which outlives it. Throws VMDK_ERR_CORRUPT if the file is
// too short, damaged, or contradicts the line; VMDK_ERR_UNSUPPORTED for what is not known.
std::unique_ptr<Extent> open_extent(File& file, const ExtentLine& line, const ExtentParts& parts);

}  // namespace vmdk

#endif
