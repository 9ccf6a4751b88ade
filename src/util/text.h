// SPDX-License-Identifier: MIT
// Text out of files: code pages, comparison without case, numbers, and making it safe to print.
#ifndef VMDK_UTIL_TEXT_H
#define VMDK_UTIL_TEXT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vmdk {

// ASCII only, whatever the locale.
char to_lower(char c) noexcept;
std::string fold_case(std::string_view text);
bool equals_nocase(std::string_view a, std::string_view b) noexcept;
bool starts_with_nocase(std::string_view text, std::string_view prefix) noexcept;

// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text) noexcept;

// Decimal digits only, at most 19 of them: no sign, no blanks.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

// One to eight hexadecimal digits with or without 0x; of more digits the last eight count.
std::optional<std::uint32_t> parse_content_id(std::string_view text) noexcept;

std::string hex8(std::uint32_t value);

bool is_utf8(std::string_view text) noexcept;
bool is_ascii(std::string_view text) noexcept;

// Converts from a code page to UTF-8. The names are those that descriptors use, such as "GBK",
// "windows-1252", "windows-949-2000". Nothing if the name is unknown here or the text does not fit
// it.
std::optional<std::string> to_utf8(std::string_view text, const std::string& encoding);

// Does this system know the code page?
bool knows_encoding(const std::string& encoding);

// Control characters and invalid UTF-8 replaced by '?', so that text of a hostile file can be
// shown.
std::string printable(std::string_view text);

// The last component, and what is before it without the slash ("" if nothing is).
std::string_view base_name(std::string_view path) noexcept;
std::string_view dir_name(std::string_view path) noexcept;

}  // namespace vmdk

#endif
