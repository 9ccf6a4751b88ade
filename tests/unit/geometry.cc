// SPDX-License-Identifier: MIT
// format/geometry: adapters, and cylinders, heads and sectors of new disks.
#include "format/geometry.h"

#include "../support/unit_check.h"

namespace {

constexpr std::uint64_t kMiB = 2048, kGiB = 1024 * kMiB, kTiB = 1024 * kGiB;  // in sectors

constexpr vmdk_adapter kScsi[] = {
    VMDK_ADAPTER_UNKNOWN, VMDK_ADAPTER_BUSLOGIC, VMDK_ADAPTER_LSILOGIC, VMDK_ADAPTER_LEGACY_ESX,
    VMDK_ADAPTER_PVSCSI,  VMDK_ADAPTER_LSISAS,   VMDK_ADAPTER_SATA,     VMDK_ADAPTER_NVME};

// Sizes with the geometry that disks of VMware's have.
void test_table() {
  const struct {
    bool ide;
    std::uint64_t capacity, cylinders;
    std::uint32_t heads, sectors;
  } cases[] = {
      {true, 1, 1, 16, 63},
      {true, 1007, 1, 16, 63},
      {true, 1008, 1, 16, 63},
      {true, 2015, 1, 16, 63},
      {true, 2016, 2, 16, 63},
      {true, 5 * kGiB, 10402, 16, 63},
      {true, 14336000, 14222, 16, 63},
      {true, 16383 * 1008 + 1008, 16384, 16, 63},
      {true, 20 * kGiB, 41610, 16, 63},
      {true, 30 * kGiB, 62415, 16, 63},
      {true, 40 * kGiB, 83220, 16, 63},
      {false, 1, 1, 64, 32},
      {false, 2047, 1, 64, 32},
      {false, 4096, 2, 64, 32},
      {false, kGiB - 1, 1023, 64, 32},
      {false, kGiB, 512, 128, 32},
      {false, 2 * kGiB - 1, 1023, 128, 32},
      {false, 2 * kGiB, 261, 255, 63},
      {false, 5 * kGiB, 652, 255, 63},
      {false, 128 * kGiB, 16709, 255, 63},
      {false, 62 * kTiB, 8287829, 255, 63},
      {false, std::uint64_t{1} << 54, 1121344445034, 255, 63},
  };
  for (const auto& c : cases) {
    const auto check = [&](vmdk_adapter adapter) {
      const unit::Row row(unit::show(c.capacity) + " sectors, adapter " + unit::show(adapter));
      const vmdk::Geometry geometry = vmdk::geometry_for(adapter, c.capacity);
      CHECK_EQ(geometry.cylinders, c.cylinders);
      CHECK_EQ(geometry.heads, c.heads);
      CHECK_EQ(geometry.sectors, c.sectors);
    };
    if (c.ide) {
      check(VMDK_ADAPTER_IDE);
    } else {
      for (const vmdk_adapter adapter : kScsi) check(adapter);
    }
  }
}

void test_names() {
  const std::pair<vmdk_adapter, const char*> names[] = {
      {VMDK_ADAPTER_IDE, "ide"},           {VMDK_ADAPTER_BUSLOGIC, "buslogic"},
      {VMDK_ADAPTER_LSILOGIC, "lsilogic"}, {VMDK_ADAPTER_LEGACY_ESX, "legacyESX"},
      {VMDK_ADAPTER_PVSCSI, "pvscsi"},     {VMDK_ADAPTER_LSISAS, "lsisas1068"},
      {VMDK_ADAPTER_SATA, "sata"},         {VMDK_ADAPTER_NVME, "nvme"}};
  for (const auto& [adapter, name] : names) {
    CHECK_EQ(vmdk::adapter_name(adapter), std::string_view(name));
    CHECK_EQ(vmdk::adapter_of(name), adapter);
  }
  CHECK_EQ(vmdk::adapter_name(VMDK_ADAPTER_UNKNOWN), std::string_view());
  CHECK_EQ(vmdk::adapter_of("LSILogic"), VMDK_ADAPTER_LSILOGIC);
  for (const char* name : {"", "scsi", "id", "ide ", "lsilogi"})
    CHECK_EQ(vmdk::adapter_of(name), VMDK_ADAPTER_UNKNOWN);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {UNIT_TEST(test_table), UNIT_TEST(test_names)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
