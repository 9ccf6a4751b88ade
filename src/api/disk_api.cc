// SPDX-License-Identifier: MIT
// Functions of an open disk.
#include <vmdk/vmdk.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "api/boundary.h"
#include "api/handle.h"
#include "api/open_request.h"
#include "disk/open_raw.h"
#include "format/geometry.h"
#include "util/checked.h"
#include "util/text.h"

namespace vmdk {

namespace {

const Link& link_of(const Disk& disk, std::uint32_t number) {
  if (number < disk.links().size()) return disk.links()[number];
  throw Error(VMDK_ERR_OUT_OF_RANGE, disk.links()[0].files[0]->name() + ": the chain has no link " +
                                         std::to_string(number) + ", only " +
                                         std::to_string(disk.links().size()) + " of them");
}

const Link::Slot& slot_of(const Link& link, std::uint64_t index) {
  if (index < link.slots.size()) return link.slots[index];
  throw Error(VMDK_ERR_OUT_OF_RANGE, link.files[0]->name() + ": has no extent " +
                                         std::to_string(index) + ", only " +
                                         std::to_string(link.slots.size()) + " of them");
}

std::uint32_t number_of(const Disk& disk, std::size_t link, const char* key,
                        std::uint32_t otherwise) {
  std::string text;
  if (!disk.find_text(link, key, text)) return otherwise;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(parse_decimal(text).value_or(otherwise), UINT32_MAX));
}

std::uint32_t adapter_of(const Disk& disk, std::size_t link) {
  std::string text;
  return disk.find_text(link, "ddb.adapterType", text) ? vmdk::adapter_of(text)
                                                       : VMDK_ADAPTER_UNKNOWN;
}

// What the extents tell where the descriptor does not say.
vmdk_type type_of_extents(const Link& link) {
  if (link.descriptor.type != VMDK_TYPE_UNKNOWN) return link.descriptor.type;
  const auto& slots = link.slots;
  const auto all = [&](vmdk_extent_kind kind) {
    return std::all_of(slots.begin(), slots.end(),
                       [&](const Link::Slot& slot) { return slot.extent->kind() == kind; });
  };
  if (all(VMDK_EXTENT_STREAM)) return VMDK_TYPE_STREAM_OPTIMIZED;
  if (all(VMDK_EXTENT_SPARSE))
    return link.embedded ? VMDK_TYPE_MONOLITHIC_SPARSE : VMDK_TYPE_SPLIT_SPARSE;
  if (all(VMDK_EXTENT_COWD)) return VMDK_TYPE_VMFS_SPARSE;
  if (all(VMDK_EXTENT_SE_SPARSE)) return VMDK_TYPE_SE_SPARSE;
  if (!all(VMDK_EXTENT_FLAT)) return VMDK_TYPE_UNKNOWN;
  if (link.descriptor.extents[0].type == ExtentType::vmfs) return VMDK_TYPE_VMFS;
  return slots.size() == 1 ? VMDK_TYPE_MONOLITHIC_FLAT : VMDK_TYPE_SPLIT_FLAT;
}

std::uint32_t flags_of(const Extent& extent) {
  std::uint32_t flags = 0;
  if (extent.unclean()) flags |= VMDK_INFO_UNCLEAN;
  if (extent.kind() == VMDK_EXTENT_STREAM) flags |= VMDK_INFO_COMPRESSED;
  if (extent.recovered() != 0) flags |= VMDK_INFO_RECOVERED;
  return flags;
}

vmdk_info describe(const Disk& disk, std::uint32_t number) {
  const Link& link = link_of(disk, number);
  const Descriptor& descriptor = link.descriptor;
  vmdk_info info{};
  info.type = type_of_extents(link);
  info.capacity = link.capacity;
  for (const auto& file : link.files) {
    info.stored_bytes += file->stored_bytes();
    info.file_bytes += file->size();
  }
  for (const Link::Slot& slot : link.slots) {
    if (info.grain_bytes == 0) info.grain_bytes = slot.extent->grain_bytes();
    if (info.header_version == 0) info.header_version = slot.extent->header_version();
    info.flags |= flags_of(*slot.extent);
    info.recovered_tables += slot.extent->recovered();
  }
  if (disk.writable() && number == 0) info.flags |= VMDK_INFO_WRITABLE;
  if (link.embedded) info.flags |= VMDK_INFO_EMBEDDED;
  if (link.member) info.flags |= VMDK_INFO_MEMBER;
  if (descriptor.has_parent()) info.flags |= VMDK_INFO_HAS_PARENT;
  if (descriptor.find("changeTrackPath")) info.flags |= VMDK_INFO_TRACKED;
  info.cid = descriptor.cid;
  info.parent_cid = descriptor.parent_cid;
  info.extent_count = static_cast<std::uint32_t>(link.slots.size());
  info.chain_length = static_cast<std::uint32_t>(disk.links().size()) - number;
  info.key_count = static_cast<std::uint32_t>(descriptor.key_count());
  info.descriptor_version = descriptor.version;
  info.adapter = adapter_of(disk, number);
  info.hardware_version = number_of(disk, number, "ddb.virtualHWVersion", 0);
  info.cylinders = number_of(disk, number, "ddb.geometry.cylinders", 0);
  info.heads = number_of(disk, number, "ddb.geometry.heads", 0);
  info.sectors = number_of(disk, number, "ddb.geometry.sectors", 0);
  info.bios_cylinders = number_of(disk, number, "ddb.geometry.biosCylinders", 0);
  info.bios_heads = number_of(disk, number, "ddb.geometry.biosHeads", 0);
  info.bios_sectors = number_of(disk, number, "ddb.geometry.biosSectors", 0);
  info.logical_sector_bytes = number_of(disk, number, "ddb.logicalSectorSize", 512);
  info.physical_sector_bytes = number_of(disk, number, "ddb.physicalSectorSize", 512);
  return info;
}

vmdk_extent_info describe_extent(const Disk& disk, std::uint32_t number, std::uint32_t index) {
  const Link& link = link_of(disk, number);
  const Link::Slot& slot = slot_of(link, index);
  const Extent& extent = *slot.extent;
  vmdk_extent_info info{};
  info.kind = extent.kind();
  info.access = slot.access;
  info.flags = flags_of(extent);
  if (disk.writable() && number == 0 && slot.access == VMDK_ACCESS_READ_WRITE &&
      extent.why_read_only() == nullptr)
    info.flags |= VMDK_INFO_WRITABLE;
  info.offset = slot.begin;
  info.size = extent.size();
  info.file_offset = extent.file_offset();
  info.file_bytes = extent.file() != nullptr ? extent.file()->size() : 0;
  info.grain_bytes = extent.grain_bytes();
  return info;
}

std::string text_of(const Disk& disk, std::uint32_t number, std::string_view key) {
  constexpr std::string_view kExtent = "@extent.";
  const Link& link = link_of(disk, number);
  if (key == "@descriptor") return descriptor_utf8(link, link.descriptor.text);
  if (key == "@path") return link.files[0]->name();
  if (key.starts_with(kExtent)) {
    const auto index = parse_decimal(key.substr(kExtent.size()));
    require(index.has_value(), "the key \"@extent.\" needs a number behind it");
    const File* file = slot_of(link, *index).extent->file();
    return file != nullptr ? file->name() : std::string();
  }
  require(!key.starts_with('@'), "the key begins with @ but is none of those that do");
  std::string text;
  if (!disk.find_text(number, key, text))
    throw Error(VMDK_ERR_NOT_FOUND, link.files[0]->name() + ": its descriptor has no key \"" +
                                        printable(key.substr(0, 100)) + "\"");
  return text;
}

vmdk_run describe_run(const Disk& disk, std::uint64_t offset, std::uint64_t size) {
  const DiskRun found = disk.map(offset, size);
  vmdk_run run{};
  run.kind = found.run.kind == RunKind::data   ? VMDK_RUN_DATA
             : found.run.kind == RunKind::zero ? VMDK_RUN_ZERO
                                               : VMDK_RUN_ABSENT;
  run.offset = offset;
  run.size = found.run.size;
  run.link = found.link;
  run.extent = found.extent;
  run.flags = found.run.compressed ? VMDK_RUN_COMPRESSED : 0;
  run.file_offset = found.run.kind == RunKind::data ? found.run.file_offset : UINT64_MAX;
  return run;
}

}  // namespace

}  // namespace vmdk

extern "C" {

vmdk_status vmdk_open(const char* path, const vmdk_open_options* options, vmdk_disk** out_disk) {
  if (out_disk != nullptr) *out_disk = nullptr;
  return vmdk::guard([&] {
    vmdk::require(path != nullptr, "path is NULL");
    vmdk::require(out_disk != nullptr, "out_disk is NULL");
    vmdk::Request request = vmdk::read_options(options);
    auto handle = std::make_unique<vmdk_disk>();
    handle->disk =
        request.raw
            ? vmdk::open_raw_disk(std::move(request.files), std::move(request.reporter), path)
            : vmdk::open_disk(std::move(request.files), std::move(request.reporter), path,
                              request.options);
    *out_disk = handle.release();
  });
}

vmdk_status vmdk_close(vmdk_disk* disk) {
  const std::unique_ptr<vmdk_disk> owner(disk);
  if (!owner) return VMDK_OK;
  return vmdk::guard([&] { owner->disk->close(); });
}

vmdk_status vmdk_read_at(vmdk_disk* disk, void* buffer, size_t size, uint64_t offset) {
  return vmdk::guard([&] {
    vmdk::require(buffer != nullptr || size == 0, "buffer is NULL");
    vmdk::Reading(disk)->read(offset, {static_cast<std::byte*>(buffer), size});
  });
}

vmdk_status vmdk_write_at(vmdk_disk* disk, const void* buffer, size_t size, uint64_t offset) {
  return vmdk::guard([&] {
    vmdk::require(buffer != nullptr || size == 0, "buffer is NULL");
    vmdk::Writing(disk)->write(offset, {static_cast<const std::byte*>(buffer), size});
  });
}

vmdk_status vmdk_zero_at(vmdk_disk* disk, uint64_t size, uint64_t offset) {
  return vmdk::guard([&] { vmdk::Writing(disk)->zero(offset, size, vmdk::Disk::Zeroing::keep); });
}

vmdk_status vmdk_discard_at(vmdk_disk* disk, uint64_t size, uint64_t offset) {
  return vmdk::guard(
      [&] { vmdk::Writing(disk)->zero(offset, size, vmdk::Disk::Zeroing::give_back); });
}

vmdk_status vmdk_flush(vmdk_disk* disk) {
  return vmdk::guard([&] { vmdk::Writing(disk)->flush(); });
}

vmdk_status vmdk_map_at(vmdk_disk* disk, uint64_t offset, uint64_t size, vmdk_run* out_run) {
  return vmdk::guard([&] {
    vmdk::require_sized(out_run);
    vmdk::require(size != 0, "size is 0");
    vmdk::give(out_run, vmdk::describe_run(*vmdk::Reading(disk), offset, size));
  });
}

vmdk_status vmdk_get_link_info(vmdk_disk* disk, uint32_t link, vmdk_info* out_info) {
  return vmdk::guard([&] {
    vmdk::require_sized(out_info);
    vmdk::give(out_info, vmdk::describe(*vmdk::Reading(disk), link));
  });
}

vmdk_status vmdk_get_info(vmdk_disk* disk, vmdk_info* out_info) {
  return vmdk_get_link_info(disk, 0, out_info);
}

vmdk_status vmdk_get_extent(vmdk_disk* disk, uint32_t link, uint32_t index,
                            vmdk_extent_info* out_extent) {
  return vmdk::guard([&] {
    vmdk::require_sized(out_extent);
    vmdk::give(out_extent, vmdk::describe_extent(*vmdk::Reading(disk), link, index));
  });
}

vmdk_status vmdk_get_text(vmdk_disk* disk, uint32_t link, const char* key, char* buffer,
                          size_t size, size_t* out_size) {
  if (out_size != nullptr) *out_size = 0;
  return vmdk::guard([&] {
    vmdk::require(key != nullptr, "key is NULL");
    vmdk::require(out_size != nullptr, "out_size is NULL");
    vmdk::give_text(vmdk::text_of(*vmdk::Reading(disk), link, key), buffer, size, out_size);
  });
}

vmdk_status vmdk_get_key(vmdk_disk* disk, uint32_t link, uint32_t index, char* buffer, size_t size,
                         size_t* out_size) {
  if (out_size != nullptr) *out_size = 0;
  return vmdk::guard([&] {
    vmdk::require(out_size != nullptr, "out_size is NULL");
    const vmdk::Reading reading(disk);
    const vmdk::Link& of = vmdk::link_of(*reading, link);
    if (index >= of.descriptor.key_count())
      throw vmdk::Error(
          VMDK_ERR_OUT_OF_RANGE,
          of.files[0]->name() + ": its descriptor has no key " + std::to_string(index));
    vmdk::give_text(vmdk::descriptor_utf8(of, of.descriptor.key(index)), buffer, size, out_size);
  });
}

vmdk_status vmdk_set_text(vmdk_disk* disk, const char* key, const char* value) {
  return vmdk::guard([&] {
    vmdk::require(key != nullptr, "key is NULL");
    vmdk::Writing(disk)->set_text(
        key, value != nullptr ? std::optional<std::string_view>(value) : std::nullopt);
  });
}

}  // extern "C"
