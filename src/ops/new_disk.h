// SPDX-License-Identifier: MIT
// From what the caller says of a new disk to all that is to be known of it.
#ifndef VMDK_OPS_NEW_DISK_H
#define VMDK_OPS_NEW_DISK_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ops/create.h"

namespace vmdk {

// What the caller says; 0 = nothing.
struct DiskWish {
  vmdk_type type = VMDK_TYPE_UNKNOWN;
  std::uint64_t capacity = 0;  // bytes
  std::uint64_t grain_bytes = 0;
  std::uint64_t split_bytes = 0;
  vmdk_adapter adapter = VMDK_ADAPTER_UNKNOWN;
  std::uint32_t hardware_version = 0;
  vmdk_preallocate preallocate = VMDK_PREALLOCATE_DEFAULT;
  bool zero_grains = false;
  std::uint32_t cid = 0;
  vmdk_target target = VMDK_TARGET_NONE;
  std::vector<std::pair<std::string, std::string>> keys;  // of the disk database
};

// A disk that the new one is a copy of.
struct Original {
  std::uint64_t capacity = 0;  // bytes
  // The value of a key of its descriptor; false if there is none.
  std::function<bool(std::string_view key, std::string& out)> find_text;
};

// `original` may be null, `name` is for messages. Throws VMDK_ERR_INVALID_ARGUMENT if the copy
// would be smaller than the original, VMDK_ERR_UNSUPPORTED with the reason if the target would
// refuse it.
NewDisk settle(const DiskWish& wish, const Original* original, const std::string& name);

}  // namespace vmdk

#endif
