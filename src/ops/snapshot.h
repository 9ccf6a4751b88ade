// SPDX-License-Identifier: MIT
// Creating a child of a disk.
#ifndef VMDK_OPS_SNAPSHOT_H
#define VMDK_OPS_SNAPSHOT_H

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "disk/disk.h"
#include "format/descriptor.h"
#include "io/file.h"

namespace vmdk {

struct NewChild {
  vmdk_type type = VMDK_TYPE_MONOLITHIC_SPARSE;
  std::uint64_t grain_bytes = 0;  // 0: as fits the parent
  bool zero_grains = false;
  std::uint32_t cid = 0;                                  // 0: the parent's
  std::optional<std::string> hint;                        // none: the parent relative to the child
  std::vector<std::pair<std::string, std::string>> keys;  // of the disk database
};

// The type of child that fits the parent.
vmdk_type child_type_for(const Disk& parent) noexcept;

// Creates the child at `path`. Throws what vmdk_snapshot() documents; then no file is left.
void create_snapshot(FileSystem& files, const Disk& parent, const std::string& path,
                     const NewChild& child);

}  // namespace vmdk

#endif
