// SPDX-License-Identifier: MIT
#include "sizes.h"

#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "errors.h"
#include "messages.h"

namespace vmdk_tool {
namespace {

constexpr std::string_view kUnits = "KMGTPE";

// Bits to shift by for a unit letter; 0 for what is none.
unsigned unit_shift(char letter) {
  const char upper =
      letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  const std::size_t index = kUnits.find(upper);
  return index == std::string_view::npos ? 0 : static_cast<unsigned>(index + 1) * 10;
}

}  // namespace

std::uint64_t parse_size(const std::string& text, const std::string& what) {
  std::string_view digits = text;
  unsigned shift = 0;
  if (!digits.empty()) shift = unit_shift(digits.back());
  if (shift != 0) digits.remove_suffix(1);
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  const std::string quoted = "'" + printable(text) + "'";
  if (error == std::errc::result_out_of_range || (stop == end && number > UINT64_MAX >> shift))
    throw UsageError(what + ": " + quoted + " is more than 64 bits hold");
  if (error != std::errc{} || stop != end)
    throw UsageError(what + ": " + quoted + " is not a size such as 512, 64k, 10M, 2G or 62T");
  return number << shift;
}

std::uint32_t parse_count(const std::string& text, const std::string& what, std::uint32_t lowest,
                          std::uint32_t highest) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < lowest || number > highest)
    throw UsageError(what + ": '" + printable(text) + "' is not a number from " +
                     std::to_string(lowest) + " to " + std::to_string(highest));
  return number;
}

std::string human_size(std::uint64_t bytes) {
  if (bytes == 1) return "1 byte";
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  // Tenths in whole numbers; the next unit where rounding would show 1024.0.
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >> (10 * (unit + 1)) >= 1024) ++unit;
  const auto tenths_of = [&](std::size_t u) {
    const unsigned shift = static_cast<unsigned>(10 * (u + 1));
    const std::uint64_t rest = bytes & ((std::uint64_t{1} << shift) - 1);
    const std::uint64_t tenths = ((rest >> (shift - 10)) * 10 + 512) >> 10;
    return (bytes >> shift) * 10 + tenths;
  };
  std::uint64_t tenths = tenths_of(unit);
  if (tenths >= 10240 && unit + 1 < kUnits.size()) tenths = tenths_of(++unit);
  char text[48];
  if (tenths % 10 == 0)
    std::snprintf(text, sizeof text, "%llu %ciB", static_cast<unsigned long long>(tenths / 10),
                  kUnits[unit]);
  else
    std::snprintf(text, sizeof text, "%llu.%llu %ciB", static_cast<unsigned long long>(tenths / 10),
                  static_cast<unsigned long long>(tenths % 10), kUnits[unit]);
  return text;
}

std::string exact_size(std::uint64_t bytes) {
  const std::string human = human_size(bytes);
  if (bytes < 1024) return human;
  return human + " (" + std::to_string(bytes) + " bytes)";
}

}  // namespace vmdk_tool
