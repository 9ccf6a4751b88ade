// SPDX-License-Identifier: MIT
// Adapters of a disk and the geometry that goes with them (VDF, "The Disk Database"). Readers take
// the capacity from the extents; a guest that boots by CHS sees the geometry.
#ifndef VMDK_FORMAT_GEOMETRY_H
#define VMDK_FORMAT_GEOMETRY_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <string_view>

namespace vmdk {

struct Geometry {
  std::uint64_t cylinders;
  std::uint32_t heads, sectors;
};

// As VMware gives it to a new disk.
Geometry geometry_for(vmdk_adapter adapter, std::uint64_t capacity_sectors) noexcept;

// Its ddb.adapterType; "" for VMDK_ADAPTER_UNKNOWN and what is no adapter.
std::string_view adapter_name(vmdk_adapter adapter) noexcept;

// The adapter a ddb.adapterType names, in any case.
vmdk_adapter adapter_of(std::string_view name) noexcept;

}  // namespace vmdk

#endif
