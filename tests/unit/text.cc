// SPDX-License-Identifier: MIT
// util/text: numbers, UTF-8, code pages, and what is shown of a hostile text.
#include "util/text.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

void test_parse_decimal() {
  const struct {
    std::string_view text;
    std::optional<std::uint64_t> value;
  } cases[] = {
      {"0", 0},
      {"1", 1},
      {"007", 7},
      {"2147483647", 2147483647},
      {"4294967295", 4294967295},
      {"4294967296", 4294967296},
      {"9223372036854775807", 9223372036854775807u},
      {"9223372036854775808", 9223372036854775808u},
      {"9999999999999999999", 9999999999999999999u},
      {"0000000000000000001", 1},
      {"00000000000000000001", std::nullopt},
      {"10000000000000000000", std::nullopt},
      {"18446744073709551615", std::nullopt},
      {"18446744073709551616", std::nullopt},
      {"99999999999999999999999999", std::nullopt},
      {"", std::nullopt},
      {"+1", std::nullopt},
      {"-1", std::nullopt},
      {"-0", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"\t1", std::nullopt},
      {"0x10", std::nullopt},
      {"1e3", std::nullopt},
      {"1.0", std::nullopt},
      {"1,000", std::nullopt},
      {"12a", std::nullopt},
      {"a", std::nullopt},
      {"1\0002"sv, std::nullopt},
      {"\xef\xbc\x91", std::nullopt},  // a full-width digit
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.text));
    CHECK_EQ(vmdk::parse_decimal(c.text), c.value);
  }
}

void test_parse_content_id() {
  const struct {
    std::string_view text;
    std::optional<std::uint32_t> value;
  } cases[] = {
      {"0", 0},
      {"00000000", 0},
      {"fffffffe", 0xfffffffe},
      {"FFFFFFFF", 0xffffffff},
      {"a3db3bc", 0xa3db3bc},  // qemu does not pad
      {"123a5678", 0x123a5678},
      {"DeadBeef", 0xdeadbeef},
      {"0x1", 1},
      {"0X12345678", 0x12345678},
      {"0xffffffff", 0xffffffff},
      {"123456789", 0x23456789},  // the last eight
      {"0xaaaaaaaa12345678", 0x12345678},
      {"0000000000000000000000000000000000000001", 1},
      {"", std::nullopt},
      {"0x", std::nullopt},
      {"x1", std::nullopt},
      {"0x0x1", std::nullopt},
      {"g", std::nullopt},
      {"1234567g", std::nullopt},
      {"z123456789", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"1\0"sv, std::nullopt},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.text));
    CHECK_EQ(vmdk::parse_content_id(c.text), c.value);
  }
  for (const std::uint32_t value :
       {0u, 1u, 0xau, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    CHECK_EQ(vmdk::hex8(value).size(), 8u);
    CHECK_EQ(vmdk::parse_content_id(vmdk::hex8(value)), std::optional(value));
  }
  CHECK_EQ(vmdk::hex8(0xa3db3bc), "0a3db3bc"s);
}

void test_compare_and_trim() {
  const struct {
    std::string_view a, b;
    bool equal, starts;
  } cases[] = {
      {"", "", true, true},           {"a", "", false, true},
      {"", "a", false, false},        {"Rw", "rW", true, true},
      {"RW x", "rw", false, true},    {"RW", "RX", false, false},
      {"@", "`", false, false},  // 0x40 and 0x60 are no letters
      {"[", "{", false, false},       {"Z", "z", true, true},
      {"\xc4", "\xe4", false, false}, {"a\0B"sv, "A\0b"sv, true, true},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.a) + " " + unit::show(c.b));
    CHECK_EQ(vmdk::equals_nocase(c.a, c.b), c.equal);
    CHECK_EQ(vmdk::starts_with_nocase(c.a, c.b), c.starts);
  }
  for (int c = 0; c < 256; ++c) {
    const char given = static_cast<char>(c);
    const char wanted = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : given;
    if (vmdk::to_lower(given) != wanted) CHECK_EQ(c, -1);
  }
  const std::pair<std::string_view, std::string_view> trims[] = {
      {"", ""},          {" ", ""},          {" \t \t", ""},     {"a", "a"},
      {" a b\t", "a b"}, {"\na\r", "\na\r"}, {"\xa0x", "\xa0x"},
  };
  for (const auto& [text, wanted] : trims) CHECK_EQ(vmdk::trim(text), wanted);
}

void test_is_utf8() {
  const struct {
    std::string_view text;
    bool valid;
  } cases[] = {
      {"", true},
      {"plain", true},
      {"\x7f", true},
      {"\0"sv, true},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xed\x9f\xbf", true},
      {"\xee\x80\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"a\xc3\xa9z", true},
      {"\x80", false},
      {"\xbf", false},
      {"\xc0\x80", false},  // an overlong NUL
      {"\xc1\xbf", false},
      {"\xe0\x9f\xbf", false},  // overlong
      {"\xed\xa0\x80", false},  // a surrogate
      {"\xed\xbf\xbf", false},
      {"\xf0\x8f\xbf\xbf", false},  // overlong
      {"\xf4\x90\x80\x80", false},  // above U+10FFFF
      {"\xf5\x80\x80\x80", false},
      {"\xff", false},
      {"\xfe", false},
      {"\xc2", false},
      {"\xe2\x82", false},
      {"\xf0\x90\x80", false},
      {"\xc2z", false},
      {"\xe2\x82z", false},
      {"\xe2z\xac", false},
      {"\xf0\x90\x80z", false},
      {"ok\xe9", false},
      {"\xd6\xd0\xce\xc4", false},  // GBK
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.text));
    CHECK_EQ(vmdk::is_utf8(c.text), c.valid);
  }
  CHECK(vmdk::is_ascii(""));
  CHECK(vmdk::is_ascii("\x01\x7f"));
  CHECK(!vmdk::is_ascii("abc\x80"));
  CHECK(!vmdk::is_ascii("\xff"));
}

void test_to_utf8() {
  const struct {
    std::string encoding;
    std::string_view text;
    std::optional<std::string> utf8;
  } cases[] = {
      {"GBK", "\xd6\xd0\xce\xc4.vmdk", "\xe4\xb8\xad\xe6\x96\x87.vmdk"},
      {"gbk", "\xd6\xd0", "\xe4\xb8\xad"},
      {"GB2312", "\xd6\xd0", "\xe4\xb8\xad"},
      {"GBK", "\x80", "\xe2\x82\xac"},  // the euro sign of code page 936
      {"GBK", "\xd6", std::nullopt},    // cut off
      {"GBK", "\xff\xff", std::nullopt},
      {"Big5", "\xa4\xa4\xa4\xe5", "\xe4\xb8\xad\xe6\x96\x87"},
      {"BIG5", "\xb3\x5c.vmdk", "\xe8\xa8\xb1.vmdk"},  // the second byte is that of a backslash
      {"Shift_JIS", "\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac"},
      {"shift-jis", "\x83\x5c", "\xe3\x82\xbd"},  // here, too
      {"Shift_JIS", "\xb1", "\xef\xbd\xb1"},
      {"Shift_JIS", "\x93", std::nullopt},
      {"windows-1252", "\xe9\x80\x96", "\xc3\xa9\xe2\x82\xac\xe2\x80\x93"},
      {"Windows_1252", "\xe9", "\xc3\xa9"},
      {"cp1252", "\xe9", "\xc3\xa9"},
      {"windows-1251", "\xcf\xf0", "\xd0\x9f\xd1\x80"},
      {"windows-949-2000", "\xc7\xd1\xb1\xb9", "\xed\x95\x9c\xea\xb5\xad"},
      {"windows-949", "\xc7\xd1", "\xed\x95\x9c"},
      {"EUC-KR", "\xc7\xd1", "\xed\x95\x9c"},
      {"ISO-8859-15", "\xa4", "\xe2\x82\xac"},
      {"UTF-8", "\xc3\xa9", "\xc3\xa9"},
      {"UTF-8", "\xe9", std::nullopt},
      {"US-ASCII", "\xe9", std::nullopt},
      {"no-such-code-page", "\xe9", std::nullopt},
      {"windows-", "\xe9", std::nullopt},
      {"../../etc/passwd", "\xe9", std::nullopt},
      // ASCII means itself in every code page that a descriptor can be in.
      {"no-such-code-page", "disk.vmdk", "disk.vmdk"},
      {"GBK", "disk.vmdk", "disk.vmdk"},
      {"UTF-16", "disk.vmdk", "disk.vmdk"},
      {"no-such-code-page", "", ""},
      {"GBK", "", ""},
  };
  for (const auto& c : cases) {
    const unit::Row row(c.encoding + " " + unit::show(c.text));
    CHECK_EQ(vmdk::to_utf8(c.text, c.encoding), c.utf8);
  }
  for (const char* known :
       {"UTF-8", "GBK", "Big5", "Shift_JIS", "windows-1252", "windows-949-2000", "EUC-KR"})
    CHECK(vmdk::knows_encoding(known));
  for (const char* unknown : {"no-such-code-page", "windows-0", "windows-1252x"})
    CHECK(!vmdk::knows_encoding(unknown));
}

// Longer than any buffer on the way, with characters of two bytes across each boundary.
void test_to_utf8_long() {
  std::string gbk = "x", wanted = "x";
  for (int i = 0; i < 20000; ++i) {
    gbk += "\xd6\xd0";
    wanted += "\xe4\xb8\xad";
  }
  const auto got = vmdk::to_utf8(gbk, "GBK");
  CHECK(got && *got == wanted);
  gbk += '\xd6';
  CHECK(!vmdk::to_utf8(gbk, "GBK"));
}

void test_printable() {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"a\nb\r\tc", "a?b??c"},
      {"\x1b[31mred", "?[31mred"},
      {"\0x"sv, "?x"},
      {"\x1f\x20\x7e\x7f", "? ~?"},
      {"\xc3\xa9", "\xc3\xa9"},
      {"\xc2\x9b"
       "31m",
       "?31m"},  // the control sequence introducer of 8-bit terminals
      {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"},
      {"\xe9t\xe9", "?t?"},
      {"\xe2\x82", "??"},
      {"\xed\xa0\x80", "???"},
      {"\xf0\x9f\x92\xbe", "\xf0\x9f\x92\xbe"},
  };
  for (const auto& [text, wanted] : cases) {
    const unit::Row row(unit::show(text));
    CHECK_EQ(vmdk::printable(text), wanted);
  }
  unit::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto bytes = unit::random_bytes(random, random.below(64));
    const std::string shown = vmdk::printable(vmdk::as_text(bytes));
    bool control = false;
    for (const char c : shown)
      control = control || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (!vmdk::is_utf8(shown) || control) CHECK_EQ(vmdk::as_text(bytes), "");
  }
}

void test_base_and_dir_name() {
  const struct {
    std::string_view path, base, dir;
  } cases[] = {
      {"", "", ""},      {"a", "a", ""},        {"/a", "a", "/"},    {"/", "", "/"},
      {"a/b", "b", "a"}, {"a/b/c", "c", "a/b"}, {"/a/b", "b", "/a"}, {"a/", "", "a"},
      {"./a", "a", "."}, {"../a", "a", ".."},   {"a//b", "b", "a/"}, {"a\\b", "a\\b", ""},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.path));
    CHECK_EQ(vmdk::base_name(c.path), c.base);
    CHECK_EQ(vmdk::dir_name(c.path), c.dir);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_parse_decimal),    UNIT_TEST(test_parse_content_id),
      UNIT_TEST(test_compare_and_trim), UNIT_TEST(test_is_utf8),
      UNIT_TEST(test_to_utf8),          UNIT_TEST(test_to_utf8_long),
      UNIT_TEST(test_printable),        UNIT_TEST(test_base_and_dir_name),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
