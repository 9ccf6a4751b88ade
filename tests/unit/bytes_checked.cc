// SPDX-License-Identifier: MIT
// util/bytes, util/checked and util/error: the arithmetic and the errors that everything rests on.
#include "../support/unit_check.h"
#include "../support/unit_files.h"
#include "util/bytes.h"
#include "util/checked.h"

namespace {

constexpr std::uint64_t kMax = UINT64_MAX;

void test_load_le() {
  std::array<std::byte, 16> raw{};
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(0x11 * (i % 16));
  CHECK_EQ(vmdk::load_le<std::uint8_t>(raw, 3), 0x33u);
  CHECK_EQ(vmdk::load_le<std::uint16_t>(raw, 1), 0x2211u);
  CHECK_EQ(vmdk::load_le<std::uint32_t>(raw, 5), 0x88776655u);
  CHECK_EQ(vmdk::load_le<std::uint64_t>(raw, 0), 0x7766554433221100u);
  CHECK_EQ(vmdk::load_le<std::uint64_t>(raw, 8), 0xffeeddccbbaa9988u);
  CHECK_EQ(vmdk::load_le<std::uint8_t>(raw, 15), 0xffu);
  CHECK_EQ(vmdk::load_le<std::int32_t>(raw, 12), static_cast<std::int32_t>(0xffeeddcc));
  unit::Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random.next() >> random.below(64);
    const std::size_t at = random.below(raw.size() - 7);
    unit::store_le<std::uint64_t>(raw, at, value);
    CHECK_EQ(vmdk::load_le<std::uint64_t>(raw, at), value);
    CHECK_EQ(vmdk::load_le<std::uint32_t>(raw, at), value & 0xffffffff);
    CHECK_EQ(vmdk::load_le<std::uint16_t>(raw, at + 6), value >> 48);
  }
}

void test_as_text() {
  const auto bytes = unit::bytes_of_text(std::string_view("a\0\xff", 3));
  CHECK_EQ(vmdk::as_text(bytes), std::string_view("a\0\xff", 3));
  CHECK_EQ(vmdk::as_text({}), "");
}

void test_buffer() {
  vmdk::Buffer buffer;
  CHECK_EQ(buffer.size(), 0u);
  CHECK(buffer.first(0).empty());
  buffer.reserve(100);
  CHECK_EQ(buffer.size(), 100u);
  const std::byte* const before = buffer.first(1).data();
  buffer.reserve(100);
  buffer.reserve(5);
  CHECK_EQ(buffer.size(), 100u);
  CHECK(buffer.first(1).data() == before);
  buffer.reserve(101);
  CHECK_EQ(buffer.size(), 101u);
  buffer.first(101)[100] = std::byte{7};
  const vmdk::Buffer moved = std::move(buffer);
  CHECK_EQ(moved.first(101)[100] == std::byte{7}, true);
}

void test_add_and_multiply() {
  const struct {
    std::uint64_t a, b;
    std::optional<std::uint64_t> sum, product;
  } cases[] = {
      {0, 0, 0, 0},
      {0, kMax, kMax, 0},
      {1, kMax, std::nullopt, kMax},
      {2, kMax, std::nullopt, std::nullopt},
      {kMax, kMax, std::nullopt, std::nullopt},
      {1, kMax - 1, kMax, kMax - 1},
      {std::uint64_t{1} << 63, std::uint64_t{1} << 63, std::nullopt, std::nullopt},
      {(std::uint64_t{1} << 63) - 1, 2, (std::uint64_t{1} << 63) + 1, kMax - 1},
      {std::uint64_t{1} << 63, 2, (std::uint64_t{1} << 63) + 2, std::nullopt},
      {std::uint64_t{1} << 32, std::uint64_t{1} << 32, std::uint64_t{1} << 33, std::nullopt},
      {(std::uint64_t{1} << 32) - 1, (std::uint64_t{1} << 32) + 1, std::uint64_t{1} << 33, kMax},
      {std::uint64_t{1} << 55, 512, (std::uint64_t{1} << 55) + 512, std::nullopt},
      {(std::uint64_t{1} << 55) - 1, 512, (std::uint64_t{1} << 55) + 511, kMax - 511},
  };
  for (const auto& c : cases) {
    for (const bool swap : {false, true}) {
      const std::uint64_t a = swap ? c.b : c.a, b = swap ? c.a : c.b;
      const unit::Row row(unit::show(a) + ", " + unit::show(b));
      std::uint64_t sum = 0, product = 0;
      const auto added = unit::outcome_of([&] { sum = vmdk::checked_add(a, b, "the sum"); });
      const auto multiplied =
          unit::outcome_of([&] { product = vmdk::checked_mul(a, b, "the product"); });
      CHECK_EQ(added.status, c.sum ? VMDK_OK : VMDK_ERR_CORRUPT);
      CHECK_EQ(multiplied.status, c.product ? VMDK_OK : VMDK_ERR_CORRUPT);
      if (c.sum)
        CHECK_EQ(sum, *c.sum);
      else
        CHECK_HAS(added.message, "the sum");
      if (c.product)
        CHECK_EQ(product, *c.product);
      else
        CHECK_HAS(multiplied.message, "the product");
    }
  }
}

void test_in_bounds_and_divide_up() {
  const struct {
    std::uint64_t begin, size, limit;
    bool inside;
  } cases[] = {
      {0, 0, 0, true},           {0, 1, 0, false},         {1, 0, 0, false},
      {0, 512, 512, true},       {1, 511, 512, true},      {1, 512, 512, false},
      {512, 0, 512, true},       {512, 1, 512, false},     {513, 0, 512, false},
      {kMax, 0, kMax, true},     {0, kMax, kMax, true},    {1, kMax, kMax, false},
      {kMax, 1, kMax, false},    {kMax, kMax, 512, false}, {256, kMax - 255, 512, false},
      {kMax - 1, 1, kMax, true},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.begin) + ", " + unit::show(c.size) + " in " +
                        unit::show(c.limit));
    CHECK_EQ(vmdk::in_bounds(c.begin, c.size, c.limit), c.inside);
  }
  const struct {
    std::uint64_t a, b, quotient;
  } divisions[] = {
      {0, 1, 0},
      {1, 1, 1},
      {1, 2, 1},
      {511, 512, 1},
      {512, 512, 1},
      {513, 512, 2},
      {kMax, 1, kMax},
      {kMax, 2, std::uint64_t{1} << 63},
      {kMax, kMax, 1},
      {kMax - 1, kMax, 1},
      {kMax, 512, std::uint64_t{1} << 55},
  };
  for (const auto& d : divisions) CHECK_EQ(vmdk::divide_up(d.a, d.b), d.quotient);
}

void test_error() {
  const std::pair<int, vmdk_status> statuses[] = {
      {ENOENT, VMDK_ERR_NOT_FOUND},
      {ENOTDIR, VMDK_ERR_NOT_FOUND},
      {EEXIST, VMDK_ERR_EXISTS},
      {EACCES, VMDK_ERR_ACCESS},
      {EPERM, VMDK_ERR_ACCESS},
      {EROFS, VMDK_ERR_ACCESS},
      {ENOMEM, VMDK_ERR_NO_MEMORY},
      {ENOSPC, VMDK_ERR_NO_SPACE},
      {EDQUOT, VMDK_ERR_NO_SPACE},
      {EFBIG, VMDK_ERR_NO_SPACE},
      {EAGAIN, VMDK_ERR_LOCKED},
      {ECANCELED, VMDK_ERR_CANCELLED},
      {EIO, VMDK_ERR_IO},
      {EINVAL, VMDK_ERR_IO},
      {0, VMDK_ERR_IO},
      {-1, VMDK_ERR_IO},
  };
  for (const auto& [os_error, status] : statuses) {
    const unit::Row row("errno " + unit::show(os_error));
    CHECK_EQ(vmdk::status_of(os_error), status);
    const auto thrown = unit::outcome_of(
        [&, e = os_error] { vmdk::throw_os_error("a.vmdk", "reading failed", e); });
    CHECK_EQ(thrown.status, status);
    CHECK_EQ(thrown.os_error, os_error);
    CHECK(thrown.message.starts_with("a.vmdk: reading failed: "));
  }
  vmdk::Error error(VMDK_ERR_CORRUPT, "text");
  CHECK_EQ(error.link(), UINT32_MAX);
  CHECK_EQ(error.extent(), UINT32_MAX);
  CHECK_EQ(error.offset(), UINT64_MAX);
  error.add_place(3, UINT32_MAX, 4096);
  error.add_place(5, 7, 1);  // what is known stays
  CHECK_EQ(error.link(), 3u);
  CHECK_EQ(error.extent(), 7u);
  CHECK_EQ(error.offset(), 4096u);
  const vmdk::Error hinted = vmdk::Error(VMDK_ERR_LIMIT, "text").with_hint("do that");
  CHECK_EQ(hinted.hint(), "do that");
  CHECK_EQ(hinted.status(), VMDK_ERR_LIMIT);
  const auto corrupt = unit::outcome_of([] { vmdk::throw_corrupt("b.vmdk", "why"); });
  CHECK_EQ(corrupt.status, VMDK_ERR_CORRUPT);
  CHECK_EQ(corrupt.message, "b.vmdk: why");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_load_le),
      UNIT_TEST(test_as_text),
      UNIT_TEST(test_buffer),
      UNIT_TEST(test_add_and_multiply),
      UNIT_TEST(test_in_bounds_and_divide_up),
      UNIT_TEST(test_error),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
