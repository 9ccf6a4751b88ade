// SPDX-License-Identifier: MIT
// Creating a disk: its files come to be all together or not at all.
#ifndef VMDK_OPS_CREATE_H
#define VMDK_OPS_CREATE_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <string>

#include "format/descriptor_writer.h"
#include "io/file.h"

namespace vmdk {

// What to create. 0 stands for the usual value of the type.
struct NewDisk {
  vmdk_type type = VMDK_TYPE_MONOLITHIC_SPARSE;
  std::uint64_t sectors = 0;  // at least 1
  std::uint64_t grain_bytes = 0;
  std::uint64_t split_bytes = 0;
  vmdk_preallocate preallocate = VMDK_PREALLOCATE_DEFAULT;
  bool zero_grains = false;  // allow table entries that say "zero"
  std::uint32_t cid = 0;
  std::uint32_t parent_cid = kNoParent;
  std::string parent_hint;
  Database database;
  vmdk_progress_fn on_progress = nullptr;
  void* user = nullptr;  // of on_progress
};

// Random, and none of those that mean something.
std::uint32_t new_content_id();

// What stands in the disk database of a new disk without parent. `cid` is that of the disk.
Database new_database(vmdk_type type, vmdk_adapter adapter, std::uint32_t hardware_version,
                      std::uint64_t sectors, std::uint32_t cid);

// May a child of this type have grains of this size?
bool is_grain_size(vmdk_type type, std::uint64_t grain_bytes) noexcept;

// Throws what vmdk_create() documents; then no file is left.
void create_disk(FileSystem& files, const std::string& path, const NewDisk& disk);

}  // namespace vmdk

#endif
