// SPDX-License-Identifier: MIT
// Functions that make new disks.
#include <vmdk/vmdk.h>

#include "api/boundary.h"
#include "api/create_request.h"
#include "api/open_request.h"
#include "ops/snapshot.h"

namespace vmdk {

namespace {

void create(const char* path, const vmdk_create_options* in) {
  require(path != nullptr, "path is NULL");
  require(in != nullptr, "options is NULL");
  const vmdk_create_options options = copy_options(in);
  require(options.capacity != 0, "vmdk_create_options::capacity is 0");
  NewDisk disk = settle(read_wish(options), nullptr, path);
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
