// SPDX-License-Identifier: MIT
#include "api/create_request.h"

#include "api/boundary.h"
#include "format/descriptor_edit.h"
#include "io/callback_file.h"
#include "io/posix_file_system.h"

namespace vmdk {

DiskWish read_wish(const vmdk_create_options& options) {
  require(options.adapter <= VMDK_ADAPTER_NVME,
          "vmdk_create_options::adapter is no VMDK_ADAPTER value");
  require(options.preallocate <= VMDK_PREALLOCATE_ZEROS,
          "vmdk_create_options::preallocate is no VMDK_PREALLOCATE value");
  require(options.target <= VMDK_TARGET_AWS, "vmdk_create_options::target is no VMDK_TARGET value");
  check_content_id(options.cid);
  DiskWish wish;
  wish.type = read_type(options.type);
  wish.capacity = options.capacity;
  wish.grain_bytes = options.grain_bytes;
  wish.split_bytes = options.split_bytes;
  wish.adapter = static_cast<vmdk_adapter>(options.adapter);
  wish.hardware_version = options.hardware_version;
  wish.preallocate = static_cast<vmdk_preallocate>(options.preallocate);
  wish.zero_grains = read_zero_grains(options.flags);
  wish.cid = options.cid;
  wish.target = static_cast<vmdk_target>(options.target);
  wish.keys = read_keys(options.keys);
  return wish;
}

std::vector<std::pair<std::string, std::string>> read_keys(const char* const* keys) {
  std::vector<std::pair<std::string, std::string>> out;
  for (; keys != nullptr && *keys != nullptr; keys += 2) {
    require(keys[1] != nullptr, "keys ends with a name that has no value");
    require(is_ddb_key(keys[0]),
            "keys has a name that is not \"ddb.\" and then letters, digits and . _ -");
    require(
        is_ddb_value(keys[1]),
        "keys has a value that is not UTF-8, has quotes or control characters, or more than 4096 "
        "bytes");
    out.emplace_back(keys[0], keys[1]);
  }
  return out;
}

bool read_zero_grains(std::uint32_t flags) {
  if ((flags & ~VMDK_CREATE_ZERO_GRAINS) != 0)
    throw Error(VMDK_ERR_UNSUPPORTED, "flags has VMDK_CREATE flags this version does not know");
  return (flags & VMDK_CREATE_ZERO_GRAINS) != 0;
}

vmdk_type read_type(std::uint32_t type) {
  require(type <= VMDK_TYPE_RAW, "type is no VMDK_TYPE value");
  return static_cast<vmdk_type>(type);
}

void check_content_id(std::uint32_t cid) {
  require(cid != kNoParent, "cid is ffffffff, which stands for no disk");
}

// Where the files of a new disk go.
std::unique_ptr<FileSystem> files_for(const vmdk_io* io, vmdk_type type) {
  if (io != nullptr)
    return std::make_unique<CallbackFileSystem>(copy_options(io), false, FileUse::write);
  PathPolicy policy;
  // A file without a name must stay open until it gets one, and split disks can have many.
  policy.unnamed_files = type != VMDK_TYPE_SPLIT_SPARSE && type != VMDK_TYPE_SPLIT_FLAT;
  return std::make_unique<PosixFileSystem>(std::move(policy));
}

}  // namespace vmdk
