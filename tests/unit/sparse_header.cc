// SPDX-License-Identifier: MIT
// format/sparse_header: the KDMV header, field by field.
#include "format/sparse_header.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::SparseHeader;
using Data = std::array<std::byte, vmdk::kSparseHeaderSize>;

constexpr std::uint64_t kMax64 = UINT64_MAX;
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;

void store(Data& data, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i)
    data[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

// As Workstation writes it for 1 GiB.
Data good() {
  Data data{};
  store(data, 0, 4, 0x564d444b);
  store(data, 4, 4, 1);
  store(data, 8, 4, 3);
  store(data, 12, 8, 2097152);
  store(data, 20, 8, 128);
  store(data, 28, 8, 1);
  store(data, 36, 8, 20);
  store(data, 44, 4, 512);
  store(data, 48, 8, 21);
  store(data, 56, 8, 150);
  store(data, 64, 8, 384);
  store(data, 73, 4, 0x0a0d200a);
  return data;
}

void test_fields() {
  Data data = good();
  const SparseHeader h = SparseHeader::decode("a.vmdk", data);
  CHECK_EQ(h.version, 1u);
  CHECK_EQ(h.flags, 3u);
  CHECK_EQ(h.capacity, 2097152u);
  CHECK_EQ(h.grain_sectors, 128u);
  CHECK_EQ(h.descriptor_sector, 1u);
  CHECK_EQ(h.descriptor_sectors, 20u);
  CHECK_EQ(h.gtes_per_gt, 512u);
  CHECK_EQ(h.rgd_sector, 21u);
  CHECK_EQ(h.gd_sector, 150u);
  CHECK_EQ(h.overhead, 384u);
  CHECK(!h.unclean);
  CHECK_EQ(h.compression, 0u);
  CHECK(!h.compressed());
  CHECK(!h.markers());
  CHECK(h.has_redundant());
  CHECK(!h.is_carrier());

  // Each field is read from its own place, in its full width.
  store(data, 12, 8, 0x0023456789abcdef);
  store(data, 28, 8, 0x1122334455667788);
  store(data, 36, 8, 0x99aabbccddeeff00);
  store(data, 44, 4, 0xfedcba98);
  store(data, 48, 8, 0x0102030405060708);
  store(data, 56, 8, kMax64);
  store(data, 64, 8, 0x8877665544332211);
  data[72] = std::byte{0x80};
  const SparseHeader w = SparseHeader::decode("a.vmdk", data);
  CHECK_EQ(w.capacity, 0x0023456789abcdefu);
  CHECK_EQ(w.descriptor_sector, 0x1122334455667788u);
  CHECK_EQ(w.descriptor_sectors, 0x99aabbccddeeff00u);
  CHECK_EQ(w.gtes_per_gt, 0xfedcba98u);
  CHECK_EQ(w.rgd_sector, 0x0102030405060708u);
  CHECK_EQ(w.gd_sector, vmdk::kDirectoryAtEnd);
  CHECK_EQ(w.overhead, 0x8877665544332211u);
  CHECK(w.unclean);
}

struct Change {
  const char* what;
  std::size_t at, size;
  std::uint64_t value;
  vmdk_status status;
  const char* message;
};

void test_values() {
  constexpr auto kCorrupt = VMDK_ERR_CORRUPT;
  constexpr auto kUnsupported = VMDK_ERR_UNSUPPORTED;
  const Change changes[] = {
      {"magic", 0, 4, 0, kCorrupt, "magic"},
      {"magic in lower case", 0, 4, 0x766d646b, kCorrupt, "magic"},
      {"magic, other byte order", 0, 4, 0x4b444d56, kCorrupt, "magic"},
      {"version", 4, 4, 0, VMDK_OK, ""},
      {"version", 4, 4, 2, VMDK_OK, ""},
      {"version", 4, 4, 3, VMDK_OK, ""},
      {"version", 4, 4, 4, kUnsupported, "version 4"},
      {"version", 4, 4, 0x01000000, kUnsupported, "version 16777216"},
      {"version", 4, 4, 0xffffffff, kUnsupported, "version"},
      {"flags", 8, 4, 0, VMDK_OK, ""},
      {"flags", 8, 4, 7, VMDK_OK, ""},
      {"flags: compatible", 8, 4, 0x0000ffff, VMDK_OK, ""},
      {"flags: bit 18", 8, 4, 0x00040003, kUnsupported, "262144"},
      {"flags: bit 31", 8, 4, 0x80000003, kUnsupported, "2147483648"},
      {"flags: all", 8, 4, 0xffffffff, kUnsupported, "flags"},
      {"flags: compressed without algorithm", 8, 4, 0x00010003, kCorrupt, "contradicts"},
      {"flags: markers alone", 8, 4, 0x00020003, kCorrupt, "markers"},
      {"capacity", 12, 8, 1, VMDK_OK, ""},
      {"capacity: none", 12, 8, 0, VMDK_OK, ""},
      {"capacity", 12, 8, kMaxSectors - 1, VMDK_OK, ""},
      {"capacity", 12, 8, kMaxSectors, VMDK_OK, ""},
      {"capacity", 12, 8, kMaxSectors + 1, kCorrupt, "18014398509481985"},
      {"capacity", 12, 8, kMax64, kCorrupt, "capacity"},
      {"grain", 20, 8, 0, kCorrupt, "grain size of 0"},
      {"grain", 20, 8, 1, VMDK_OK, ""},
      {"grain", 20, 8, 2, VMDK_OK, ""},
      {"grain", 20, 8, 3, kCorrupt, "grain size of 3"},
      {"grain", 20, 8, 8, VMDK_OK, ""},
      {"grain", 20, 8, 24, kCorrupt, "grain size"},
      {"grain", 20, 8, 127, kCorrupt, "grain size"},
      {"grain", 20, 8, 129, kCorrupt, "grain size"},
      {"grain", 20, 8, 1 << 22, VMDK_OK, ""},
      {"grain", 20, 8, (1 << 22) + 1, kCorrupt, "grain size"},
      {"grain", 20, 8, 1 << 23, kCorrupt, "grain size"},
      {"grain", 20, 8, std::uint64_t{1} << 32, kCorrupt, "grain size"},
      {"grain", 20, 8, std::uint64_t{1} << 63, kCorrupt, "grain size"},
      {"grain", 20, 8, kMax64, kCorrupt, "grain size"},
      {"entries", 44, 4, 0, kCorrupt, "0 entries"},
      {"entries", 44, 4, 1, VMDK_OK, ""},
      {"entries", 44, 4, 511, VMDK_OK, ""},
      {"entries", 44, 4, 0xffffffff, VMDK_OK, ""},
      {"newline", 73, 1, 0x0d, kCorrupt, "line ends"},
      {"blank", 74, 1, 0x0a, kCorrupt, "line ends"},
      {"first of two", 75, 1, 0x0a, kCorrupt, "line ends"},
      {"second of two", 76, 1, 0x00, kCorrupt, "line ends"},
      {"algorithm without flag", 77, 2, 1, kCorrupt, "contradicts"},
      {"algorithm", 77, 2, 2, kUnsupported, "algorithm 2"},
      {"algorithm", 77, 2, 0x100, kUnsupported, "algorithm 256"},
      {"algorithm", 77, 2, 0xffff, kUnsupported, "algorithm 65535"},
      {"padding", 79, 8, kMax64, VMDK_OK, ""},
      {"padding", 504, 8, kMax64, VMDK_OK, ""},
  };
  for (const Change& c : changes) {
    const unit::Row row(std::string(c.what) + " = " + unit::show(c.value));
    Data data = good();
    store(data, c.at, c.size, c.value);
    const auto result = unit::outcome_of([&] { SparseHeader::decode("a.vmdk", data); });
    CHECK_EQ(result.status, c.status);
    CHECK_HAS(result.message, c.message);
    if (c.status != VMDK_OK) CHECK(result.message.starts_with("a.vmdk: "));
  }
}

// The bytes that show a transfer as text count only with their flag.
void test_newline_flag() {
  Data data = good();
  store(data, 73, 4, 0);
  store(data, 8, 4, 2);
  CHECK_EQ(unit::outcome_of([&] { SparseHeader::decode("a.vmdk", data); }).status, VMDK_OK);
  store(data, 8, 4, 3);
  CHECK_EQ(unit::outcome_of([&] { SparseHeader::decode("a.vmdk", data); }).status,
           VMDK_ERR_CORRUPT);
}

void test_streams() {
  Data data = good();
  store(data, 4, 4, 3);
  store(data, 8, 4, 0x30001);
  store(data, 77, 2, 1);
  store(data, 48, 8, 0);
  store(data, 56, 8, kMax64);
  const SparseHeader h = SparseHeader::decode("a.vmdk", data);
  CHECK(h.compressed());
  CHECK(h.markers());
  CHECK(!h.has_redundant());
  CHECK_EQ(h.compression, 1u);
  store(data, 8, 4, 0x10001);  // no markers
  const SparseHeader plain = SparseHeader::decode("a.vmdk", data);
  CHECK(plain.compressed());
  CHECK(!plain.markers());
}

void test_redundant() {
  for (const bool flag : {false, true}) {
    for (const std::uint64_t sector : {0u, 1u}) {
      Data data = good();
      store(data, 8, 4, flag ? 3 : 1);
      store(data, 48, 8, sector);
      CHECK_EQ(SparseHeader::decode("a.vmdk", data).has_redundant(), flag && sector != 0);
    }
  }
}

// A header that only carries a descriptor has no grains to judge.
void test_carrier() {
  Data data = good();
  store(data, 12, 8, 0);
  store(data, 20, 8, 0);
  store(data, 44, 4, 0);
  CHECK(SparseHeader::decode("a.vmdk", data).is_carrier());
  store(data, 4, 4, 9);
  CHECK_EQ(unit::outcome_of([&] { SparseHeader::decode("a.vmdk", data); }).status,
           VMDK_ERR_UNSUPPORTED);
}

void test_tables_needed() {
  const struct {
    std::uint64_t capacity, grain, gtes, tables;
  } cases[] = {
      {0, 128, 512, 0},
      {1, 128, 512, 1},
      {65535, 128, 512, 1},
      {65536, 128, 512, 1},
      {65537, 128, 512, 2},
      {2097152, 128, 512, 32},
      {8323072, 128, 512, 127},
      {4096, 1, 4096, 1},
      {4097, 1, 4096, 2},
      {129, 128, 1, 2},
      {kMaxSectors, 1, 1, kMaxSectors},
      {kMaxSectors, 128, 512, kMaxSectors / 65536},
      {kMaxSectors, 1 << 22, UINT32_MAX, 2},
  };
  for (const auto& c : cases) CHECK_EQ(vmdk::tables_needed(c.capacity, c.grain, c.gtes), c.tables);
}

void test_grain_size() {
  for (unsigned power = 0; power < 64; ++power) {
    for (const int more : {-1, 0, 1}) {
      const std::uint64_t size = (std::uint64_t{1} << power) + static_cast<std::uint64_t>(more);
      const bool good_size = std::has_single_bit(size) && size <= 1 << 22;
      const unit::Row row(unit::show(size));
      CHECK_EQ(unit::outcome_of([&] { vmdk::check_grain_size("a.vmdk", size); }).status,
               good_size ? VMDK_OK : VMDK_ERR_CORRUPT);
    }
  }
}

// What encode() makes is what decode() takes, field by field, and nothing else is set.
void test_encode() {
  CHECK(SparseHeader::decode("a.vmdk", good()).encode() == good());
  Data data = good();
  store(data, 4, 4, 2);
  store(data, 8, 4, 7);
  store(data, 12, 8, 0x0023456789abcdef);
  store(data, 28, 8, 0x1122334455667788);
  store(data, 36, 8, 0x99aabbccddeeff00);
  store(data, 44, 4, 0xfedcba98);
  store(data, 48, 8, 0x0102030405060708);
  store(data, 56, 8, kMax64);
  store(data, 64, 8, 0x8877665544332211);
  store(data, 72, 1, 1);
  CHECK(SparseHeader::decode("a.vmdk", data).encode() == data);
  store(data, 8, 4, 0x30001);
  store(data, 77, 2, 1);
  CHECK(SparseHeader::decode("a.vmdk", data).encode() == data);
  // Others look at the newline bytes even where the flags do not ask for it.
  store(data, 8, 4, 0x30000);
  CHECK(SparseHeader::decode("a.vmdk", data).encode() == data);
}

// Layouts as VMware makes them.
void test_new_header() {
  const struct {
    std::uint64_t capacity, grain, area, rgd, gd, overhead;
  } cases[] = {
      {1, 128, 20, 21, 26, 128},
      {65536, 128, 20, 21, 26, 128},
      {65537, 128, 20, 21, 30, 128},
      {2097152, 128, 20, 21, 150, 384},
      {83886080, 128, 20, 21, 5151, 10368},
      {std::uint64_t{1} << 32, 128, 20, 21, 262677, 525440},
      {8323072, 128, 0, 1, 510, 1024},
      {1, 8, 20, 21, 26, 32},
      {1, 2048, 20, 21, 26, 2048},
      {1, 128, 120, 121, 126, 256},
      {std::uint64_t{62} << 31, 128, 20, 21, 8142357, 16284800},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.capacity) + " sectors in grains of " + unit::show(c.grain));
    const auto header = vmdk::new_sparse_header(c.capacity, c.grain, c.area);
    CHECK(header.has_value());
    if (!header) continue;
    CHECK_EQ(header->version, 1u);
    CHECK_EQ(header->flags, 3u);
    CHECK_EQ(header->capacity, c.capacity);
    CHECK_EQ(header->grain_sectors, c.grain);
    CHECK_EQ(header->descriptor_sector, c.area == 0 ? 0u : 1u);
    CHECK_EQ(header->descriptor_sectors, c.area);
    CHECK_EQ(header->gtes_per_gt, 512u);
    CHECK_EQ(header->rgd_sector, c.rgd);
    CHECK_EQ(header->gd_sector, c.gd);
    CHECK_EQ(header->overhead, c.overhead);
    CHECK(!header->unclean);
    CHECK_EQ(unit::outcome_of([&] { SparseHeader::decode("a", header->encode()); }).status,
             VMDK_OK);
  }
  // Tables beyond 2 TiB cannot be pointed to.
  CHECK(vmdk::new_sparse_header(std::uint64_t{1} << 44, 128, 20).has_value());
  CHECK(!vmdk::new_sparse_header(std::uint64_t{1} << 45, 128, 20).has_value());
  CHECK(!vmdk::new_sparse_header(kMaxSectors, 8, 20).has_value());
  CHECK(vmdk::new_sparse_header(std::uint64_t{1} << 46, 2048, 20).has_value());
}

void test_random_bytes() {
  unit::Random random(9);
  std::size_t decoded = 0;
  for (int i = 0; i < 20000; ++i) {
    Data data = good();
    for (std::uint64_t n = random.between(1, 6); n > 0; --n)
      data[random.below(random.one_in(4) ? 512 : 80)] =
          static_cast<std::byte>(random.next() & 0xff);
    try {
      const SparseHeader h = SparseHeader::decode("a.vmdk", data);
      ++decoded;
      const bool sane = h.version <= 3 && h.capacity <= kMaxSectors &&
                        (h.is_carrier() || (std::has_single_bit(h.grain_sectors) &&
                                            h.grain_sectors <= 1 << 22 && h.gtes_per_gt != 0)) &&
                        h.compressed() == (h.compression == 1) && (h.compressed() || !h.markers());
      if (!sane) CHECK_EQ(i, -1);
    } catch (const vmdk::Error& error) {
      if (error.status() != VMDK_ERR_CORRUPT && error.status() != VMDK_ERR_UNSUPPORTED)
        CHECK_EQ(error.what(), "damage");
    }
  }
  CHECK(decoded > 100);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_fields),        UNIT_TEST(test_values),       UNIT_TEST(test_newline_flag),
      UNIT_TEST(test_streams),       UNIT_TEST(test_redundant),    UNIT_TEST(test_carrier),
      UNIT_TEST(test_tables_needed), UNIT_TEST(test_grain_size),   UNIT_TEST(test_encode),
      UNIT_TEST(test_new_header),    UNIT_TEST(test_random_bytes),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
