// SPDX-License-Identifier: MIT
#include "ops/new_disk.h"

#include <algorithm>
#include <optional>

#include "format/geometry.h"
#include "ops/target.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/random.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kUsualHardware = 4;  // of no use since ESX 4: what everyone writes
// Of the tools in the guest: VMware's number for those that it does not look after itself.
constexpr const char* kForeignTools = "2147483647";

std::string random_hex(std::size_t numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers; ++i) text += hex8(random_number());
  return text;
}

// Of the kind that VMware makes up for a disk: "60 00 C2 9x", then random bytes.
std::string new_uuid() {
  const std::string digits = random_hex(4);
  std::string text = "60 00 C2 9" + digits.substr(0, 1);
  for (std::size_t byte = 4; byte < 16; ++byte)
    text.append(byte == 8 ? "-" : " ").append(digits, 2 * byte, 2);
  return text;
}

// Random, and none of those that mean something.
std::uint32_t new_content_id() {
  // 0 is the default of options.
  for (;;)
    if (const std::uint32_t cid = random_number(); cid != 0 && cid < kNeverWritten) return cid;
}

vmdk_adapter adapter_in(const Original* original) {
  std::string text;
  return original != nullptr && original->find_text("ddb.adapterType", text) ? adapter_of(text)
                                                                             : VMDK_ADAPTER_UNKNOWN;
}

// The value of a key of the original that is a number.
std::optional<std::uint64_t> number_of(const Original* original, std::string_view key) {
  std::string text;
  if (original == nullptr || !original->find_text(key, text)) return std::nullopt;
  return parse_decimal(text);
}

// That of the original as long as what it follows from is the same: a guest may rest on it.
Geometry geometry_of(const NewDisk& disk, vmdk_adapter adapter, const Original* original) {
  const auto cylinders = number_of(original, "ddb.geometry.cylinders"),
             heads = number_of(original, "ddb.geometry.heads"),
             sectors = number_of(original, "ddb.geometry.sectors");
  const bool same = original != nullptr && original->capacity == disk.sectors * kSectorSize &&
                    adapter_in(original) == adapter;
  if (!same || !cylinders || !heads || !sectors) return geometry_for(adapter, disk.sectors);
  const bool sane = *cylinders > 0 && *heads > 0 && *heads <= 255 && *sectors > 0 &&
                    *sectors <= 63 && *cylinders <= disk.sectors / (*heads * *sectors);
  if (!sane) return geometry_for(adapter, disk.sectors);
  return {*cylinders, static_cast<std::uint32_t>(*heads), static_cast<std::uint32_t>(*sectors)};
}

Database database_of(const NewDisk& disk, vmdk_adapter adapter, std::uint32_t hardware_version,
                     const Original* original) {
  const Geometry geometry = geometry_of(disk, adapter, original);
  Database database;
  database.set("ddb.adapterType", adapter_name(adapter));
  database.set("ddb.geometry.cylinders", std::to_string(geometry.cylinders));
  database.set("ddb.geometry.heads", std::to_string(geometry.heads));
  database.set("ddb.geometry.sectors", std::to_string(geometry.sectors));
  database.set("ddb.longContentID", random_hex(3) + hex8(disk.cid));
  if (disk.type == VMDK_TYPE_VMFS_THIN) database.set("ddb.thinProvisioned", "1");
  database.set("ddb.uuid", new_uuid());
  database.set("ddb.virtualHWVersion", std::to_string(hardware_version));
  if (disk.type == VMDK_TYPE_STREAM_OPTIMIZED) database.set("ddb.toolsVersion", kForeignTools);
  for (const char* key : {"ddb.toolsVersion", "ddb.toolsInstallType"})
    if (const auto number = number_of(original, key)) database.set(key, std::to_string(*number));
  return database;
}

TargetDisk choose(const DiskWish& wish, const Original* original, const std::string& name) {
  TargetDisk disk;
  disk.type = wish.type;
  disk.capacity = wish.capacity;
  disk.adapter = wish.adapter != VMDK_ADAPTER_UNKNOWN ? wish.adapter : adapter_in(original);
  if (wish.adapter == VMDK_ADAPTER_UNKNOWN && wish.target != VMDK_TARGET_NONE)
    disk.adapter = adapter_for(wish.target, disk.adapter);
  disk.hardware_version = wish.hardware_version;
  disk.grain_bytes = wish.grain_bytes;
  disk.zero_grains = wish.zero_grains;
  if (wish.target != VMDK_TARGET_NONE) {
    choose_for(wish.target, disk);
    const std::vector<Refusal> refusals = refusals_of(wish.target, disk);
    if (!refusals.empty())
      throw Error(VMDK_ERR_UNSUPPORTED, name + ": " + refusals.front().reason)
          .with_hint(refusals.front().hint);
  }
  if (disk.type == VMDK_TYPE_UNKNOWN) disk.type = VMDK_TYPE_MONOLITHIC_SPARSE;
  if (disk.adapter == VMDK_ADAPTER_UNKNOWN) disk.adapter = VMDK_ADAPTER_LSILOGIC;
  if (disk.hardware_version == 0)
    if (const auto number = number_of(original, "ddb.virtualHWVersion"))
      disk.hardware_version =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(*number, UINT32_MAX));
  if (disk.hardware_version == 0) disk.hardware_version = kUsualHardware;
  return disk;
}

}  // namespace

NewDisk settle(const DiskWish& wish, const Original* original, const std::string& name) {
  DiskWish sized = wish;
  if (original != nullptr && sized.capacity == 0) sized.capacity = original->capacity;
  if (original != nullptr && sized.capacity < original->capacity)
    throw Error(VMDK_ERR_INVALID_ARGUMENT, name + ": a capacity of " +
                                               std::to_string(sized.capacity) +
                                               " bytes is less than that of the source, " +
                                               std::to_string(original->capacity));
  const TargetDisk chosen = choose(sized, original, name);
  NewDisk disk;
  disk.type = chosen.type;
  disk.sectors = divide_up(sized.capacity, kSectorSize);
  disk.grain_bytes = wish.grain_bytes;
  disk.split_bytes = wish.split_bytes;
  disk.preallocate = wish.preallocate;
  disk.zero_grains = wish.zero_grains;
  disk.cid = wish.cid != 0 ? wish.cid : new_content_id();
  disk.database = database_of(disk, chosen.adapter, chosen.hardware_version, original);
  for (const auto& [key, value] : wish.keys) disk.database.set(key, value);
  return disk;
}

}  // namespace vmdk
