// SPDX-License-Identifier: MIT
// Sizes and numbers as people write and read them. Units are powers of 1024
// in both directions.
#pragma once

#include <cstdint>
#include <string>

namespace vmdk_tool {

// "512", "64k", "10M", "2G", "62T", also P and E, in either case. Throws
// UsageError that begins with `what` when it is none of these or does not fit
// in 64 bits.
std::uint64_t parse_size(const std::string& text, const std::string& what);

// A plain decimal number from `lowest` to `highest`; throws UsageError.
std::uint32_t parse_count(const std::string& text, const std::string& what, std::uint32_t lowest,
                          std::uint32_t highest);

// "512 bytes", "64 KiB", "1.5 GiB": rounded to one digit after the point.
std::string human_size(std::uint64_t bytes);

// "10 GiB (10737418240 bytes)"; the bytes once only where they say it all.
std::string exact_size(std::uint64_t bytes);

}  // namespace vmdk_tool
