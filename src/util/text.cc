// SPDX-License-Identifier: MIT
#include "util/text.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace vmdk {

namespace {

// Length of the valid UTF-8 sequence at the beginning of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // No overlong forms, surrogates or values above U+10FFFF.
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

// The name under which iconv knows the code page of a descriptor; "" for one that no descriptor
// has. The name comes from a file, and code pages that nobody needs are best left alone.
std::string iconv_name(std::string_view encoding) {
  std::string name = fold_case(encoding);
  std::replace(name.begin(), name.end(), '_', '-');
  if (name == "gbk" || name == "gb2312") return "CP936";
  if (name == "big5") return "CP950";
  if (name == "shift-jis") return "CP932";
  if (name == "windows-949-2000" || name == "euc-kr") return "CP949";
  for (const std::string_view known : {"utf-8", "us-ascii", "gb18030", "euc-jp", "koi8-r"})
    if (name == known) return name;
  for (const std::string_view prefix : {"windows-", "cp", "iso-8859-"}) {
    if (!name.starts_with(prefix)) continue;
    const auto number = parse_decimal(std::string_view(name).substr(prefix.size()));
    if (number && *number < 10000)
      return prefix == "iso-8859-" ? name : "CP" + std::to_string(*number);
  }
  return {};
}

class Converter final {
 public:
  explicit Converter(const std::string& encoding) {
    const std::string name = iconv_name(encoding);
    // To iconv, the empty name is the code page of the locale.
    if (!name.empty()) handle_ = iconv_open("UTF-8", name.c_str());
  }
  ~Converter() {
    if (ok()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool ok() const noexcept { return handle_ != none(); }

  std::optional<std::string> convert(std::string_view text) {
    std::string out;
    std::array<char, 4096> piece;
    char* in = const_cast<char*>(text.data());  // iconv does not write there
    std::size_t left = text.size();
    while (left > 0) {
      char* to = piece.data();
      std::size_t room = piece.size();
      const std::size_t result = iconv(handle_, &in, &left, &to, &room);
      out.append(piece.data(), piece.size() - room);
      if (result == static_cast<std::size_t>(-1) && errno != E2BIG) return std::nullopt;
    }
    return out;
  }

 private:
  static iconv_t none() noexcept { return reinterpret_cast<iconv_t>(-1); }
  iconv_t handle_ = none();
};

}  // namespace

char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string fold_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

bool equals_nocase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && starts_with_nocase(a, b);
}

bool starts_with_nocase(std::string_view text, std::string_view prefix) noexcept {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i)
    if (to_lower(text[i]) != to_lower(prefix[i])) return false;
  return true;
}

std::string_view trim(std::string_view text) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  if (text.empty() || text.size() > 19) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_content_id(std::string_view text) noexcept {
  if (starts_with_nocase(text, "0x")) text.remove_prefix(2);
  if (text.empty()) return std::nullopt;
  for (const char c : text)
    if (!((c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'f')))
      return std::nullopt;
  if (text.size() > 8) text.remove_prefix(text.size() - 8);
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

std::string hex8(std::uint32_t value) {
  std::array<char, 9> text;
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_ascii(std::string_view text) noexcept {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

std::optional<std::string> to_utf8(std::string_view text, const std::string& encoding) {
  if (is_ascii(text)) return std::string(text);
  Converter converter(encoding);
  if (!converter.ok()) return std::nullopt;
  return converter.convert(text);
}

bool knows_encoding(const std::string& encoding) { return Converter(encoding).ok(); }

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    // U+0080..U+009F are control characters too.
    const bool control =
        byte < 0x20 || byte == 0x7f ||
        (byte == 0xc2 && length == 2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (length == 0 || control)
      out += '?';
    else
      out.append(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string_view base_name(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view dir_name(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace vmdk
