// SPDX-License-Identifier: MIT
// format/marker: what stands in front of each piece of a stream.
#include "format/marker.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::Marker;
using vmdk::MarkerType;

void test_decode() {
  const struct {
    std::uint64_t value;
    std::uint32_t size, type;
    std::optional<MarkerType> is;
  } markers[] = {
      {0, 0, 0, MarkerType::end_of_stream},
      {4, 0, 1, MarkerType::grain_table},
      {1, 0, 2, MarkerType::grain_directory},
      {1, 0, 3, MarkerType::footer},
      {1, 0, 4, MarkerType::progress},
      {1, 0, 5, std::nullopt},
      {1, 0, 0xffffffff, std::nullopt},
      // A grain: what would be the type is its data.
      {0, 1, 0, std::nullopt},
      {128, 77, 1, std::nullopt},
      {UINT64_MAX, UINT32_MAX, 3, std::nullopt},
  };
  constexpr std::array kTypes = {MarkerType::end_of_stream, MarkerType::grain_table,
                                 MarkerType::grain_directory, MarkerType::footer,
                                 MarkerType::progress};
  for (const auto& m : markers) {
    const unit::Row row(unit::show(m.value) + ", " + unit::show(m.size) + ", " +
                        unit::show(m.type));
    std::array<std::byte, vmdk::kMarkerSize> data{};
    unit::store_le(data, 0, m.value);
    unit::store_le(data, 8, m.size);
    unit::store_le(data, 12, m.type);
    const Marker marker = Marker::decode(data);
    CHECK_EQ(marker.value, m.value);
    CHECK_EQ(marker.size, m.size);
    CHECK_EQ(marker.type, m.type);
    for (const MarkerType type : kTypes) CHECK_EQ(marker.is(type), m.is && *m.is == type);
    std::array<std::byte, vmdk::kMarkerSize> encoded = data;
    std::fill_n(encoded.begin(), vmdk::kGrainMarkerSize, std::byte{0xa5});
    marker.encode(encoded);
    CHECK(encoded == data);
  }
  // The data of a grain stays as it is; the type of all others is written.
  std::array<std::byte, vmdk::kMarkerSize> out{};
  Marker{128, 77, 3}.encode(out);
  CHECK(!Marker::decode(out).is(MarkerType::footer) && out[12] == std::byte{0});
  Marker::of(MarkerType::footer, 1).encode(out);
  CHECK(Marker::decode(out).is(MarkerType::footer) && Marker::decode(out).value == 1);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {UNIT_TEST(test_decode)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
