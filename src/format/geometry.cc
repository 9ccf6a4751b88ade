// SPDX-License-Identifier: MIT
#include "format/geometry.h"

#include <algorithm>
#include <array>
#include <utility>

#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::array<std::pair<std::string_view, vmdk_adapter>, 8> kNames{
    {{"ide", VMDK_ADAPTER_IDE},
     {"buslogic", VMDK_ADAPTER_BUSLOGIC},
     {"lsilogic", VMDK_ADAPTER_LSILOGIC},
     {"legacyESX", VMDK_ADAPTER_LEGACY_ESX},
     {"pvscsi", VMDK_ADAPTER_PVSCSI},
     {"lsisas1068", VMDK_ADAPTER_LSISAS},
     {"sata", VMDK_ADAPTER_SATA},
     {"nvme", VMDK_ADAPTER_NVME}}};

constexpr std::uint64_t kGiB = std::uint64_t{1} << 21;  // in sectors

}  // namespace

Geometry geometry_for(vmdk_adapter adapter, std::uint64_t capacity_sectors) noexcept {
  Geometry geometry{0, 255, 63};
  if (adapter == VMDK_ADAPTER_IDE) {
    geometry.heads = 16;
  } else if (capacity_sectors < 2 * kGiB) {
    geometry.heads = capacity_sectors < kGiB ? 64 : 128;
    geometry.sectors = 32;
  }
  // A disk without cylinders is none to some guests.
  geometry.cylinders = std::max<std::uint64_t>(
      capacity_sectors / (std::uint64_t{geometry.heads} * geometry.sectors), 1);
  return geometry;
}

std::string_view adapter_name(vmdk_adapter adapter) noexcept {
  for (const auto& [name, known] : kNames)
    if (known == adapter) return name;
  return {};
}

vmdk_adapter adapter_of(std::string_view name) noexcept {
  for (const auto& [known, adapter] : kNames)
    if (equals_nocase(name, known)) return adapter;
  return VMDK_ADAPTER_UNKNOWN;
}

}  // namespace vmdk
