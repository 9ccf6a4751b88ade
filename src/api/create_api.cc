// SPDX-License-Identifier: MIT
// Functions that make new disks.
#include <vmdk/vmdk.h>

#include "api/boundary.h"
#include "api/open_request.h"
#include "format/descriptor_edit.h"
#include "io/callback_file.h"
#include "io/posix_file_system.h"
#include "ops/create.h"
#include "ops/snapshot.h"
#include "util/checked.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kUsualHardware = 4;  // Workstation 4, which every product takes

using Keys = std::vector<std::pair<std::string, std::string>>;

Keys read_keys(const char* const* keys) {
  Keys out;
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
  require(type <= VMDK_TYPE_CUSTOM, "type is no VMDK_TYPE value");
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

void create(const char* path, const vmdk_create_options* in) {
  require(path != nullptr, "path is NULL");
  require(in != nullptr, "options is NULL");
  const vmdk_create_options options = copy_options(in);
  require(options.capacity != 0, "vmdk_create_options::capacity is 0");
  require(options.adapter <= VMDK_ADAPTER_NVME,
          "vmdk_create_options::adapter is no VMDK_ADAPTER value");
  require(options.preallocate <= VMDK_PREALLOCATE_ZEROS,
          "vmdk_create_options::preallocate is no VMDK_PREALLOCATE value");
  if (options.reserved != 0)
    throw Error(VMDK_ERR_UNSUPPORTED,
                "vmdk_create_options::reserved is used by a newer version than this library");
  check_content_id(options.cid);
  NewDisk disk;
  if (options.type != VMDK_TYPE_UNKNOWN) disk.type = read_type(options.type);
  disk.sectors = divide_up(options.capacity, kSectorSize);
  disk.grain_bytes = options.grain_bytes;
  disk.split_bytes = options.split_bytes;
  disk.preallocate = static_cast<vmdk_preallocate>(options.preallocate);
  disk.zero_grains = read_zero_grains(options.flags);
  disk.cid = options.cid != 0 ? options.cid : new_content_id();
  disk.database = new_database(
      disk.type,
      options.adapter != 0 ? static_cast<vmdk_adapter>(options.adapter) : VMDK_ADAPTER_LSILOGIC,
      options.hardware_version != 0 ? options.hardware_version : kUsualHardware, disk.sectors,
      disk.cid);
  for (const auto& [key, value] : read_keys(options.keys)) disk.database.set(key, value);
  disk.on_progress = options.on_progress;
  disk.user = options.user;
  create_disk(*files_for(options.io, disk.type), path, disk);
}

void snapshot(const char* parent_path, const char* path, const vmdk_snapshot_options* in) {
  require(parent_path != nullptr, "parent_path is NULL");
  require(path != nullptr, "path is NULL");
  const vmdk_snapshot_options options = copy_options(in);
  const vmdk_open_options open = copy_options(options.open);
  require((open.flags & ~VMDK_OPEN_NO_LOCK) == 0,
          "vmdk_snapshot_options::open has flags other than VMDK_OPEN_NO_LOCK");
  check_content_id(options.cid);
  NewChild child;
  child.type = read_type(options.type);
  child.grain_bytes = options.grain_bytes;
  child.zero_grains = read_zero_grains(options.flags);
  child.cid = options.cid;
  if (options.parent_hint != nullptr) child.hint = options.parent_hint;
  child.keys = read_keys(options.keys);
  Request request = read_options(options.open);
  const auto parent = open_disk(std::move(request.files), std::move(request.reporter), parent_path,
                                request.options);
  if (child.type == VMDK_TYPE_UNKNOWN) child.type = child_type_for(*parent);
  create_snapshot(*files_for(open.io, child.type), *parent, path, child);
}

}  // namespace

}  // namespace vmdk

extern "C" {

vmdk_status vmdk_create(const char* path, const vmdk_create_options* options) {
  return vmdk::guard([&] { vmdk::create(path, options); });
}

vmdk_status vmdk_snapshot(const char* parent_path, const char* path,
                          const vmdk_snapshot_options* options) {
  return vmdk::guard([&] { vmdk::snapshot(parent_path, path, options); });
}

}  // extern "C"
