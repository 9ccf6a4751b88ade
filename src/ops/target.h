// SPDX-License-Identifier: MIT
// What the products that take disks want of them (docs/targets.md).
#ifndef VMDK_OPS_TARGET_H
#define VMDK_OPS_TARGET_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <string>
#include <vector>

#include "disk/disk.h"

namespace vmdk {

// What a product looks at. 0 stands for what is not said.
struct TargetDisk {
  vmdk_type type = VMDK_TYPE_UNKNOWN;
  std::uint64_t capacity = 0;
  vmdk_adapter adapter = VMDK_ADAPTER_UNKNOWN;
  std::uint32_t hardware_version = 0;
  std::uint64_t grain_bytes = 0;
  bool zero_grains = false;
  bool has_parent = false;
};

struct Refusal {
  const char* rule;  // its number in docs/targets.md
  std::string reason, hint;
};

// Chooses type, adapter and hardware version where they are not said.
void choose_for(vmdk_target target, TargetDisk& disk);

// The adapter that the copy of a disk with this one gets: the same, or what the product has in its
// place.
vmdk_adapter adapter_for(vmdk_target target, vmdk_adapter original) noexcept;

// Why the product would not take the disk; empty if it would.
std::vector<Refusal> refusals_of(vmdk_target target, const TargetDisk& disk);

// A disk that is there, and what is to be seen of it beyond TargetDisk. Throws VMDK_ERR_IO if the
// end of a stream cannot be read.
std::vector<Refusal> refusals_of(vmdk_target target, const Disk& disk);

}  // namespace vmdk

#endif
