// SPDX-License-Identifier: MIT
// format/cowd_header: the COWD header, field by field.
#include "format/cowd_header.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::CowdHeader;

std::vector<std::byte> good() {
  std::vector<std::byte> data(vmdk::kCowdHeaderSize);
  const std::pair<std::size_t, std::uint32_t> fields[] = {
      {0, 0x44574f43}, {4, 1}, {8, 3}, {12, 2097152}, {16, 1}, {20, 4}, {24, 512}, {28, 100},
  };
  for (const auto& [at, value] : fields) unit::store_le<std::uint32_t>(data, at, value);
  return data;
}

void test_fields() {
  auto data = good();
  const CowdHeader h = CowdHeader::decode("a-delta.vmdk", data);
  CHECK_EQ(h.capacity, 2097152u);
  CHECK_EQ(h.grain_sectors, 1u);
  CHECK_EQ(h.gd_sector, 4u);
  CHECK_EQ(h.gd_entries, 512u);
  CHECK_EQ(h.free_sector, 100u);
  CHECK(!h.unclean);

  unit::store_le<std::uint32_t>(data, 12, 0xfedcba98);
  unit::store_le<std::uint32_t>(data, 20, 0xffffffff);
  unit::store_le<std::uint32_t>(data, 24, 0x89abcdef);
  unit::store_le<std::uint32_t>(data, 28, 0x76543210);
  data[1651] = std::byte{1};
  const CowdHeader w = CowdHeader::decode("a-delta.vmdk", data);
  CHECK_EQ(w.capacity, 0xfedcba98u);
  CHECK_EQ(w.gd_sector, 0xffffffffu);
  CHECK_EQ(w.gd_entries, 0x89abcdefu);
  CHECK_EQ(w.free_sector, 0x76543210u);
  CHECK(w.unclean);
}

void test_values() {
  const struct {
    const char* what;
    std::size_t at;
    std::uint32_t value;
    vmdk_status status;
    const char* message;
  } changes[] = {
      {"magic", 0, 0, VMDK_ERR_CORRUPT, "magic"},
      {"magic", 0, 0x564d444b, VMDK_ERR_CORRUPT, "magic"},
      {"magic", 0, 0x44574f42, VMDK_ERR_CORRUPT, "magic"},
      {"version", 4, 0, VMDK_ERR_UNSUPPORTED, "version 0"},
      {"version", 4, 2, VMDK_ERR_UNSUPPORTED, "version 2"},
      {"version", 4, 0xffffffff, VMDK_ERR_UNSUPPORTED, "version 4294967295"},
      {"flags", 8, 0, VMDK_OK, ""},
      {"flags", 8, 0xffffffff, VMDK_OK, ""},
      {"capacity", 12, 0, VMDK_OK, ""},
      {"capacity", 12, 0xffffffff, VMDK_OK, ""},
      {"grain", 16, 0, VMDK_ERR_CORRUPT, "grain size of 0"},
      {"grain", 16, 2, VMDK_OK, ""},
      {"grain", 16, 3, VMDK_ERR_CORRUPT, "grain size of 3"},
      {"grain", 16, 128, VMDK_OK, ""},
      {"grain", 16, 1u << 22, VMDK_OK, ""},
      {"grain", 16, 1u << 23, VMDK_ERR_CORRUPT, "grain size"},
      {"grain", 16, 0x80000000, VMDK_ERR_CORRUPT, "grain size"},
      {"grain", 16, 0xffffffff, VMDK_ERR_CORRUPT, "grain size"},
      {"directory", 20, 0, VMDK_ERR_CORRUPT, "sector 0"},
      {"directory", 20, 1, VMDK_ERR_CORRUPT, "inside the header"},
      {"directory", 20, 3, VMDK_ERR_CORRUPT, "sector 3"},
      {"directory", 20, 5, VMDK_OK, ""},
      {"entries", 24, 0, VMDK_OK, ""},
      {"entries", 24, 0xffffffff, VMDK_OK, ""},
      {"free", 28, 0, VMDK_OK, ""},
      {"unclean", 1648, 1, VMDK_OK, ""},
      {"unclean", 1648, 0x80000000, VMDK_OK, ""},
  };
  for (const auto& c : changes) {
    const unit::Row row(std::string(c.what) + " = " + unit::show(c.value));
    auto data = good();
    unit::store_le(data, c.at, c.value);
    const auto result = unit::outcome_of([&] {
      const CowdHeader h = CowdHeader::decode("a-delta.vmdk", data);
      CHECK_EQ(h.unclean, c.at == 1648);
    });
    CHECK_EQ(result.status, c.status);
    CHECK_HAS(result.message, c.message);
    if (c.status != VMDK_OK) CHECK(result.message.starts_with("a-delta.vmdk: "));
  }
}

void test_encode() {
  auto data = good();
  const auto same = [&] {
    const auto encoded = CowdHeader::decode("a", data).encode();
    return std::equal(encoded.begin(), encoded.end(), data.begin(), data.end());
  };
  CHECK(same());
  unit::store_le<std::uint32_t>(data, 12, 0xfedcba98);
  unit::store_le<std::uint32_t>(data, 16, 2048);
  unit::store_le<std::uint32_t>(data, 20, 0xffffffff);
  unit::store_le<std::uint32_t>(data, 24, 0x89abcdef);
  unit::store_le<std::uint32_t>(data, 28, 0x76543210);
  unit::store_le<std::uint32_t>(data, 1648, 1);
  CHECK(same());
}

// All tables stand between directory and first grain.
void test_new_header() {
  const struct {
    std::uint32_t capacity, grain, entries, free;
  } cases[] = {
      {1, 1, 1, 4 + 1 + 32},
      {4096, 1, 1, 4 + 1 + 32},
      {4097, 1, 2, 4 + 1 + 64},
      {1, 128, 1, 128},
      {4096 * 128 + 1, 128, 2, 128},
      {128 * 4096, 1, 128, 4 + 1 + 128 * 32},
      {129 * 4096, 1, 129, 4 + 2 + 129 * 32},
      {UINT32_MAX, 1, 1 << 20, 4 + 8192 + (32 << 20)},
      {UINT32_MAX, 2048, 512, 18432},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.capacity) + " sectors in grains of " + unit::show(c.grain));
    const auto header = vmdk::new_cowd_header(c.capacity, c.grain);
    CHECK(header.has_value());
    if (!header) continue;
    CHECK_EQ(header->capacity, c.capacity);
    CHECK_EQ(header->grain_sectors, c.grain);
    CHECK_EQ(header->gd_sector, 4u);
    CHECK_EQ(header->gd_entries, c.entries);
    CHECK_EQ(header->free_sector, c.free);
    CHECK(!header->unclean);
  }
}

void test_random_bytes() {
  unit::Random random(10);
  std::size_t decoded = 0;
  for (int i = 0; i < 10000; ++i) {
    auto data = good();
    for (std::uint64_t n = random.between(1, 6); n > 0; --n)
      data[random.below(random.one_in(4) ? data.size() : 32)] =
          static_cast<std::byte>(random.next() & 0xff);
    try {
      const CowdHeader h = CowdHeader::decode("a", data);
      ++decoded;
      if (!std::has_single_bit(h.grain_sectors) || h.grain_sectors > 1u << 22 || h.gd_sector < 4)
        CHECK_EQ(i, -1);
    } catch (const vmdk::Error& error) {
      if (error.status() != VMDK_ERR_CORRUPT && error.status() != VMDK_ERR_UNSUPPORTED)
        CHECK_EQ(error.what(), "damage");
    }
  }
  CHECK(decoded > 100);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {UNIT_TEST(test_fields), UNIT_TEST(test_values),
                              UNIT_TEST(test_encode), UNIT_TEST(test_new_header),
                              UNIT_TEST(test_random_bytes)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
