// SPDX-License-Identifier: MIT
// vmdk_create_options as the library takes them.
#ifndef VMDK_API_CREATE_REQUEST_H
#define VMDK_API_CREATE_REQUEST_H

#include <vmdk/vmdk.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/file.h"
#include "ops/new_disk.h"

namespace vmdk {

// These throw VMDK_ERR_INVALID_ARGUMENT or VMDK_ERR_UNSUPPORTED for what means nothing here.

// Of a copy of the options.
DiskWish read_wish(const vmdk_create_options& options);

// Parts that vmdk_snapshot_options has, too.
std::vector<std::pair<std::string, std::string>> read_keys(const char* const* keys);
bool read_zero_grains(std::uint32_t flags);
vmdk_type read_type(std::uint32_t type);
void check_content_id(std::uint32_t cid);

// Where the files of a new disk go; null is the local file system.
std::unique_ptr<FileSystem> files_for(const vmdk_io* io, vmdk_type type);

}  // namespace vmdk

#endif
