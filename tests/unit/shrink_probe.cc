// SPDX-License-Identifier: MIT
// util/shrink_probe: noise cannot shrink, and nothing else is taken for it.
#include "util/shrink_probe.h"

#include <algorithm>
#include <vector>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::cannot_shrink;
using Data = std::vector<std::byte>;

constexpr std::size_t kGrain = 65536;

void test_noise() {
  unit::Random random(1);
  for (const std::size_t size : {4096u, 5003u, 20001u, 65536u, 65536u + 4096u, 1u << 20}) {
    for (int i = 0; i < 200; ++i) {
      const unit::Row row(unit::show(size) + " bytes, " + unit::show(i));
      CHECK(cannot_shrink(unit::random_bytes(random, size)));
      if (size > kGrain) break;
    }
  }
}

// Too little to tell, or nothing but noise as far as it can be told.
void test_small() {
  unit::Random random(2);
  CHECK(cannot_shrink({}));
  for (const std::size_t size : {1u, 8u, 512u, 4095u, 65536u + 100u})
    CHECK(!cannot_shrink(unit::random_bytes(random, size)));
}

// A part that shrinks is found wherever it stands.
void test_part() {
  unit::Random random(3);
  const Data text = unit::bytes_of_text(
      "The quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. "
      "Sphinx "
      "of black quartz, judge my vow: how vexingly quick daft zebras jump, and wizards too!");
  for (int i = 0; i < 300; ++i) {
    const unit::Row row(unit::show(i));
    const Data noise = unit::random_bytes(random, kGrain);

    const std::size_t run = 600;
    Data runs = noise;
    std::fill_n(runs.begin() + static_cast<std::ptrdiff_t>(random.below(kGrain - run)), run,
                static_cast<std::byte>(random.below(256)));
    CHECK(!cannot_shrink(runs));

    // The same 400 bytes of noise once more.
    Data copy = noise;
    const std::size_t from = random.below(kGrain / 2 - 400);
    const std::size_t to = from + random.between(400, 30000);
    std::copy_n(noise.begin() + static_cast<std::ptrdiff_t>(from), 400,
                copy.begin() + static_cast<std::ptrdiff_t>(to));
    CHECK(!cannot_shrink(copy));

    Data ascii = noise;
    const std::size_t part = 2500, at = random.below(kGrain - part);
    for (std::size_t k = 0; k < part; ++k) ascii[at + k] = text[(k * 7 + k / 160) % text.size()];
    CHECK(!cannot_shrink(ascii));
  }
}

// All bytes equally often, and yet not noise.
void test_equally_frequent() {
  unit::Random random(4);
  Data halves = unit::random_bytes(random, kGrain), ramp(kGrain), sixteen(kGrain);
  for (std::size_t i = 0; i < kGrain; ++i) {
    halves[i] = (halves[i] & std::byte{0x7f}) | (i < kGrain / 2 ? std::byte{0} : std::byte{0x80});
    ramp[i] = static_cast<std::byte>(i & 0xff);
    sixteen[i] = static_cast<std::byte>(i / 2 >> (i % 2 * 8) & 0xff);
  }
  CHECK(!cannot_shrink(halves));
  CHECK(!cannot_shrink(ramp));
  CHECK(!cannot_shrink(sixteen));
  CHECK(!cannot_shrink(Data(kGrain)));
  CHECK(!cannot_shrink(Data(kGrain, std::byte{0xff})));
}

// Of many pieces, one that shrinks is enough.
void test_last_piece() {
  unit::Random random(5);
  Data data = unit::random_bytes(random, 4 * kGrain);
  CHECK(cannot_shrink(data));
  std::fill(data.end() - 1000, data.end(), std::byte{0});
  CHECK(!cannot_shrink(data));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_noise),      UNIT_TEST(test_small),
      UNIT_TEST(test_part),       UNIT_TEST(test_equally_frequent),
      UNIT_TEST(test_last_piece),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
