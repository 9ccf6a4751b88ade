// SPDX-License-Identifier: MIT
#include "ops/snapshot.h"

#include "io/path_policy.h"
#include "ops/create.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kCowdGrain = 512;  // what ESX gives to a snapshot

// ESX keeps its disks and their snapshots in its own formats. It does not mix COWD with seSparse.
bool is_vmfs(vmdk_type type) noexcept {
  switch (type) {
    case VMDK_TYPE_VMFS:
    case VMDK_TYPE_VMFS_SPARSE:
    case VMDK_TYPE_VMFS_THIN:
    case VMDK_TYPE_VMFS_PREALLOCATED:
    case VMDK_TYPE_VMFS_EAGER_ZEROED:
    case VMDK_TYPE_VMFS_RAW:
    case VMDK_TYPE_VMFS_RDM:
    case VMDK_TYPE_VMFS_RDMP:
      return true;
    default:
      return false;
  }
}

bool stores_everything(vmdk_type type) noexcept {
  return type == VMDK_TYPE_MONOLITHIC_FLAT || type == VMDK_TYPE_SPLIT_FLAT ||
         (is_vmfs(type) && type != VMDK_TYPE_VMFS_SPARSE);
}

std::uint64_t grain_for(vmdk_type type, const Link& parent) {
  for (const Link::Slot& slot : parent.slots)
    if (const std::uint64_t grain = slot.extent->grain_bytes(); grain != 0)
      if (is_grain_size(type, grain)) return grain;
  return type == VMDK_TYPE_VMFS_SPARSE ? kCowdGrain : 0;
}

bool is_long_content_id(std::string_view text) noexcept {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

// What others look for in the child alone. Texts of the parent that no sane disk has stay there.
Database database_of(const Disk& parent, std::uint32_t cid) {
  constexpr std::size_t kMostText = 64;
  Database database;
  std::string text;
  if (parent.find_text(0, "ddb.adapterType", text) && text.size() <= kMostText && is_quotable(text))
    database.set("ddb.adapterType", text);
  for (const std::string_view key : {"ddb.geometry.cylinders", "ddb.geometry.heads",
                                     "ddb.geometry.sectors", "ddb.virtualHWVersion"})
    if (parent.find_text(0, key, text) && parse_decimal(text)) database.set(key, text);
  if (parent.find_text(0, "ddb.longContentID", text) && is_long_content_id(text)) {
    // Its end is the content ID; VMware's own disks say so in the same case.
    if (cid != parent.links().front().descriptor.cid) text.replace(24, 8, hex8(cid));
    database.set("ddb.longContentID", text);
  }
  return database;
}

std::string hint_for(FileSystem& files, const std::string& path, const std::string& parent) {
  std::string hint = files.path_between(path, parent);
  if (is_absolute(hint) || climbs(hint))
    throw Error(VMDK_ERR_PATH_DENIED,
                path + ": its parent " + parent +
                    " does not lie at or below its directory, so that it could not be opened")
        .with_hint(
            "put the child beside its parent, or name the parent with "
            "vmdk_snapshot_options::parent_hint and open the child with --allow-path");
  return hint;
}

}  // namespace

vmdk_type child_type_for(const Disk& parent) noexcept {
  const vmdk_type type = parent.links().front().descriptor.type;
  if (type == VMDK_TYPE_SPLIT_SPARSE || type == VMDK_TYPE_SPLIT_FLAT) return VMDK_TYPE_SPLIT_SPARSE;
  if (is_vmfs(type) && parent.capacity() / kSectorSize <= UINT32_MAX) return VMDK_TYPE_VMFS_SPARSE;
  return VMDK_TYPE_MONOLITHIC_SPARSE;
}

void create_snapshot(FileSystem& files, const Disk& parent, const std::string& path,
                     const NewChild& child) {
  const Link& link = parent.links().front();
  const std::string& parent_name = link.files.front()->name();
  if (link.member)
    throw Error(VMDK_ERR_UNSUPPORTED,
                parent_name + ": is a member of an archive, which no child can name")
        .with_hint("unpack the archive first");
  if (link.descriptor.cid == kNoParent)
    throw Error(VMDK_ERR_UNSUPPORTED,
                parent_name +
                    ": its content ID is ffffffff, by which a child says that it has "
                    "no parent");
  NewDisk disk;
  disk.type = child.type;
  if (stores_everything(disk.type))
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                path + ": a flat disk stores everything, so it cannot be a child");
  disk.sectors = link.capacity / kSectorSize;
  disk.grain_bytes = child.grain_bytes != 0 ? child.grain_bytes : grain_for(disk.type, link);
  disk.zero_grains = child.zero_grains;
  disk.cid = child.cid != 0 ? child.cid : link.descriptor.cid;
  disk.parent_cid = link.descriptor.cid;
  disk.parent_hint = child.hint ? *child.hint : hint_for(files, path, parent_name);
  disk.database = database_of(parent, disk.cid);
  for (const auto& [key, value] : child.keys) disk.database.set(key, value);
  create_disk(files, path, disk);
}

}  // namespace vmdk
