// SPDX-License-Identifier: MIT
// format/se_header: both headers and the entries of seSparse.
#include "format/se_header.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::SeGrain;
using vmdk::SeHeader;

constexpr std::uint64_t kMax64 = UINT64_MAX;
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;

std::vector<std::byte> good() {
  std::vector<std::byte> data(vmdk::kSeHeaderSize);
  const std::pair<std::size_t, std::uint64_t> fields[] = {
      {0, 0xcafebabe}, {8, 0x0000000200000001},
      {16, 4194304},   {24, 8},
      {32, 64},        {80, 1},
      {88, 1},                       // volatile header
      {96, 2},         {104, 2048},  // journal header
      {112, 2050},     {120, 2048},  // journal
      {128, 4098},     {136, 16},    // directory
      {144, 4114},     {152, 8192},  // tables
      {160, 12306},    {168, 1},
      {176, 12307},    {184, 1},        // bitmaps
      {192, 12312},    {200, 4194304},  // grains
  };
  for (const auto& [at, value] : fields) unit::store_le<std::uint64_t>(data, at, value);
  return data;
}

void test_fields() {
  const SeHeader h = SeHeader::decode("a", good());
  CHECK_EQ(h.capacity, 4194304u);
  CHECK_EQ(h.volatile_header.sector, 1u);
  CHECK_EQ(h.volatile_header.sectors, 1u);
  CHECK_EQ(h.directory.sector, 4098u);
  CHECK_EQ(h.directory.sectors, 16u);
  CHECK_EQ(h.tables.sector, 4114u);
  CHECK_EQ(h.tables.sectors, 8192u);
  CHECK_EQ(h.grains.sector, 12312u);
  CHECK_EQ(h.grains.sectors, 4194304u);
}

void test_values() {
  constexpr auto kCorrupt = VMDK_ERR_CORRUPT;
  constexpr auto kUnsupported = VMDK_ERR_UNSUPPORTED;
  struct Change {
    std::string what;
    std::size_t at;
    std::uint64_t value;
    vmdk_status status;
    const char* message;
  };
  std::vector<Change> changes = {
      {"magic", 0, 0, kCorrupt, "magic"},
      {"magic", 0, 0xcafecafe, kCorrupt, "magic"},
      {"magic, upper half", 0, 0x1cafebabe, kCorrupt, "magic"},
      {"version", 8, 0, kUnsupported, "version"},
      {"version", 8, 1, kUnsupported, "version"},
      {"version 2.0", 8, 0x0000000200000000, kUnsupported, "version 8589934592"},
      {"version 2.2", 8, 0x0000000200000002, kUnsupported, "version"},
      {"version 3.1", 8, 0x0000000300000001, kUnsupported, "version"},
      {"capacity", 16, 0, VMDK_OK, ""},
      {"capacity", 16, kMaxSectors, VMDK_OK, ""},
      {"capacity", 16, kMaxSectors + 1, kCorrupt, "18014398509481985"},
      {"capacity", 16, kMax64, kCorrupt, "capacity"},
      {"grain", 24, 0, kUnsupported, "grain size 0"},
      {"grain", 24, 7, kUnsupported, "grain size 7"},
      {"grain", 24, 16, kUnsupported, "grain size 16"},
      {"grain", 24, kMax64, kUnsupported, "grain size"},
      {"table", 32, 0, kUnsupported, "table size 0"},
      {"table", 32, 63, kUnsupported, "table size"},
      {"table", 32, 128, kUnsupported, "table size"},
      {"flags", 40, 1, kUnsupported, "flags 1"},
      {"flags", 40, std::uint64_t{1} << 63, kUnsupported, "flags"},
      {"journal", 96, kMax64, VMDK_OK, ""},  // not used to read
      {"journal", 120, kMax64, VMDK_OK, ""},
      {"bitmap", 160, kMax64, VMDK_OK, ""},
      {"bitmap", 184, kMax64, VMDK_OK, ""},
      {"rest", 208, 1, kUnsupported, "not known"},
      {"rest", 360, std::uint64_t{1} << 40, kUnsupported, "not known"},
      {"rest", 504, std::uint64_t{1} << 63, kUnsupported, "not known"},
  };
  for (std::size_t at = 48; at < 80; at += 8)
    changes.push_back({"reserved", at, 1, kUnsupported, "reserved"});
  const std::pair<std::size_t, const char*> regions[] = {
      {80, "volatile header"},
      {128, "grain directory"},
      {144, "grain tables"},
      {192, "grain area"},
  };
  for (const auto& [at, name] : regions) {
    for (const std::size_t half : {0u, 8u}) {
      changes.push_back({name, at + half, 0, VMDK_OK, ""});
      changes.push_back({name, at + half, kMaxSectors, VMDK_OK, ""});
      changes.push_back({name, at + half, kMaxSectors + 1, kCorrupt, name});
      changes.push_back({name, at + half, kMax64, kCorrupt, name});
    }
  }
  for (const Change& c : changes) {
    const unit::Row row(c.what + " at " + unit::show(c.at) + " = " + unit::show(c.value));
    auto data = good();
    unit::store_le(data, c.at, c.value);
    const auto result = unit::outcome_of([&] { SeHeader::decode("a-sesparse.vmdk", data); });
    CHECK_EQ(result.status, c.status);
    CHECK_HAS(result.message, c.message);
    if (c.status != VMDK_OK) CHECK(result.message.starts_with("a-sesparse.vmdk: "));
  }
}

void test_volatile_header() {
  std::vector<std::byte> data(512);
  unit::store_le<std::uint64_t>(data, 0, 0xcafecafe);
  const auto check = [&] {
    return unit::outcome_of([&] { vmdk::check_se_volatile_header("a", data); });
  };
  CHECK_EQ(check().status, VMDK_OK);
  unit::store_le<std::uint64_t>(data, 8, 77);  // free grain
  unit::store_le<std::uint64_t>(data, 16, 78);
  CHECK_EQ(check().status, VMDK_OK);
  for (const std::uint64_t replay : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
    unit::store_le(data, 24, replay);
    CHECK_EQ(check().status, VMDK_ERR_UNSUPPORTED);
    CHECK_HAS(check().message, "journal");
    CHECK(!check().hint.empty());
  }
  unit::store_le<std::uint64_t>(data, 24, 0);
  for (const std::uint64_t magic :
       {std::uint64_t{0}, std::uint64_t{0xcafebabe}, std::uint64_t{0x1cafecafe}}) {
    unit::store_le(data, 0, magic);
    CHECK_EQ(check().status, VMDK_ERR_CORRUPT);
  }
}

void test_table_number() {
  const struct {
    std::uint64_t entry;
    std::optional<std::uint64_t> number;
  } entries[] = {
      {0x1000000000000000, 0},
      {0x1000000000000001, 1},
      {0x10000000ffffffff, 0xffffffff},
      {0x1000000100000000, std::nullopt},
      {0x1800000000000000, std::nullopt},
      {0x0000000000000001, std::nullopt},
      {0x2000000000000001, std::nullopt},
      {0xf000000000000001, std::nullopt},
      {kMax64, std::nullopt},
      {0, std::nullopt},
  };
  for (const auto& e : entries) {
    const unit::Row row(unit::show(e.entry));
    CHECK_EQ(vmdk::se_table_number(e.entry), e.number);
  }
}

void test_grain_kind() {
  const std::pair<std::uint64_t, SeGrain> entries[] = {
      {0, SeGrain::absent},
      {1, SeGrain::damaged},
      {0x0fffffffffffffff, SeGrain::damaged},
      {0x1000000000000000, SeGrain::zero},  // unmapped
      {0x1fffffffffffffff, SeGrain::zero},
      {0x2000000000000000, SeGrain::zero},
      {0x2fffffffffffffff, SeGrain::zero},
      {0x3000000000000000, SeGrain::data},
      {0x3fffffffffffffff, SeGrain::data},
      {0x4000000000000000, SeGrain::damaged},
      {0x8000000000000000, SeGrain::damaged},
      {0xf000000000000000, SeGrain::damaged},
      {kMax64, SeGrain::damaged},
  };
  for (const auto& [entry, kind] : entries) {
    const unit::Row row(unit::show(entry));
    CHECK_EQ(vmdk::se_grain_kind(entry), kind);
  }
}

// The low 12 bits of the number stand above its high ones.
void test_grain_number() {
  const std::pair<std::uint64_t, std::uint64_t> entries[] = {
      {0x3000000000000000, 0},
      {0x3001000000000000, 1},
      {0x3fff000000000000, 0xfff},
      {0x3000000000000001, 0x1000},
      {0x3001000000000001, 0x1001},
      {0x3fff000000000001, 0x1fff},
      {0x3abc000012345678, 0x12345678abc},
      {0x3000ffffffffffff, 0xffffffffffff000},
      {0x3fffffffffffffff, 0xfffffffffffffff},
  };
  for (const auto& [entry, number] : entries) {
    const unit::Row row(unit::show(entry));
    CHECK_EQ(vmdk::se_grain_number(entry), number);
  }
  unit::Random random(11);
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t number = random.next() >> random.between(4, 63);
    const std::uint64_t entry = 0x3000000000000000 | (number & 0xfff) << 48 | number >> 12;
    if (vmdk::se_grain_number(entry) != number || vmdk::se_grain_kind(entry) != SeGrain::data)
      CHECK_EQ(number, kMax64);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_fields),       UNIT_TEST(test_values),     UNIT_TEST(test_volatile_header),
      UNIT_TEST(test_table_number), UNIT_TEST(test_grain_kind), UNIT_TEST(test_grain_number),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
