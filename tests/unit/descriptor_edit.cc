// SPDX-License-Identifier: MIT
// format/descriptor_edit: what changes in the text of a descriptor, and that nothing else does.
#include "format/descriptor_edit.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::Descriptor;

Descriptor parse(const std::string& text) {
  return Descriptor::parse("disk.vmdk", text, {1 << 20, 100});
}

const std::string kHead = "# Disk DescriptorFile\nversion=1\n";

void test_keys() {
  const std::pair<const char*, bool> keys[] = {
      {"ddb.a", true},       {"DDB.a", true},         {"ddb.uuid.image", true},
      {"ddb.a-b_c.9", true}, {"ddb.", false},         {"ddb", false},
      {"", false},           {"CID", false},          {"ddb.a b", false},
      {"ddb.a=", false},     {"ddb.\xc3\xa4", false}, {" ddb.a", false},
      {"ddb.a\n", false},    {"xddb.a", false},       {"ddb.\"", false},
      {"ddb.#", false},
  };
  for (const auto& [key, good] : keys) {
    const unit::Row row(key);
    CHECK_EQ(vmdk::is_ddb_key(key), good);
  }
  CHECK(vmdk::is_ddb_key("ddb." + std::string(4092, 'a')));
  CHECK(!vmdk::is_ddb_key("ddb." + std::string(4093, 'a')));
  const std::pair<std::string, bool> values[] = {
      {"", true},
      {"a = b # c", true},
      {"\xc3\xa4", true},
      {"a\"b", false},
      {"a\nb", false},
      {std::string(1, '\0'), false},
      {"\x1f", false},
      {"\x7f", false},
      {"\xff", false},
      {"\xc3", false},
      {std::string(4096, 'x'), true},
      {std::string(4097, 'x'), false},
  };
  for (const auto& [value, good] : values) {
    const unit::Row row(unit::show(value));
    CHECK_EQ(vmdk::is_ddb_value(value), good);
  }
}

// Whatever line ends and order there are: the key has the value, and taking it out again gives a
// text without it; all other lines stay.
void test_any_text() {
  unit::Random random(31);
  const char* const lines[] = {"ddb.a = \"1\"",    "ddb.b=2",   "  ddb.c\t=\t\"x y\"  ",
                               "# ddb.k = \"no\"", "",          "ddb.K = \"0\"",
                               "ddb.k=1",          "RW 8 ZERO", "odd",
                               "CID=12345678"};
  const char* const ends[] = {"\n", "\r\n"};
  for (int round = 0; round < 2000; ++round) {
    const char* const end = ends[random.below(2)];
    std::string text = std::string("# Disk DescriptorFile") + end + "version=1" + end;
    std::vector<std::string> others;
    const std::uint64_t count = random.below(8);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string line = lines[random.below(std::size(lines))];
      if (line == "CID=12345678" && text.find("CID=") != std::string::npos) continue;
      text += line + (i + 1 == count && random.one_in(3) ? "" : end);
      if (line != "ddb.k=1" && line.find("ddb.K") != 0 && !line.empty()) others.push_back(line);
    }
    const unit::Row row(unit::show(text));
    const std::string value = random.one_in(4) ? "" : "value " + std::to_string(round);
    std::string with;
    try {
      with = vmdk::text_with_key(parse(text), "", "ddb.k", value);
    } catch (const vmdk::Error&) {
      continue;  // no descriptor
    }
    CHECK_EQ(std::string(parse(with).find("ddb.k").value_or("missing")), value);
    CHECK_EQ(vmdk::text_with_key(parse(with), "", "DDB.k", value), with);
    const std::string without = vmdk::text_with_key(parse(with), "", "ddb.k", std::nullopt);
    CHECK(!parse(without).find("ddb.k"));
    for (const std::string& other : others) {
      CHECK_HAS(with, other);
      CHECK_HAS(without, other);
    }
  }
}

void test_encoding() {
  const Descriptor descriptor = parse(kHead);
  for (const char* const encoding : {"", "UTF-8", "utf-8"}) {
    const unit::Row row(encoding);
    CHECK_HAS(vmdk::text_with_key(descriptor, encoding, "ddb.a", "\xc3\xa4"), "\"\xc3\xa4\"");
  }
  const auto result =
      unit::outcome_of([&] { vmdk::text_with_key(descriptor, "GBK", "ddb.a", "\xc3\xa4"); });
  CHECK_EQ(result.status, VMDK_ERR_INVALID_ARGUMENT);
  CHECK_HAS(result.message, "GBK");
  CHECK_HAS(vmdk::text_with_key(descriptor, "GBK", "ddb.a", "x"), "ddb.a = \"x\"");
}

// Any random number gives another ID that is none of the special ones, of the same length.
void test_content_ids() {
  const struct {
    const char* old;
    std::size_t digits;
  } cases[] = {
      {"CID=12345678\n", 8},   {"CID=fffffffe\n", 8}, {"CID=00000000\n", 8}, {"CID=00000001\n", 8},
      {"CID=1234567\n", 7},    {"CID=123456\n", 6},   {"CID=12345\n", 5},    {"CID=10000\n", 5},
      {"CID=fffff\n", 5},      {"CID=1234\n", 0},     {"CID=0\n", 0},        {"", 0},
      {"CID=0x12345678\n", 8},
  };
  for (const auto& c : cases) {
    for (const std::uint32_t random : {0u, 1u, 0x12345u, 0x12344u, 0x12345677u, 0x12345678u,
                                       0xfffffffdu, 0xfffffffeu, 0xffffffffu, 0xfffffu, 0xffffeu}) {
      const std::string text = kHead + c.old + "RW 8 ZERO\n";
      const unit::Row row(unit::show(text) + " " + unit::show(random));
      const Descriptor before = parse(text);
      const std::string fresh = vmdk::text_with_content_id(before, random);
      const Descriptor after = parse(fresh);
      CHECK(after.cid != before.cid);
      CHECK(after.cid != 0xffffffff && after.cid != 0xfffffffe && after.cid != 0);
      if (c.digits != 0) CHECK_EQ(fresh.size(), text.size());
      const std::string_view digits = after.find("CID").value_or("");
      if (c.digits != 0)
        CHECK_EQ(digits.size(), std::string_view(c.old).size() - 5);
      else
        CHECK_EQ(digits.size(), 8u);
      CHECK_HAS(fresh, "RW 8 ZERO\n");
    }
  }
}

void test_long_content_id() {
  const std::pair<const char*, const char*> cases[] = {
      {"0123456789abcdef0123456789abcdef", "0123456789abcdef01234567"},
      {"01234567", ""},
      {"0123456", nullptr},
      {"", nullptr},
      {"0123456789abcdef0123456789abcdeg", nullptr},
  };
  for (const auto& [old, kept] : cases) {
    const unit::Row row(old);
    const std::string line = "ddb.longContentID = \"" + std::string(old) + "\"\n";
    const Descriptor after =
        parse(vmdk::text_with_content_id(parse(kHead + "CID=12345678\n" + line), 77));
    char id[9];
    std::snprintf(id, sizeof id, "%08x", after.cid);
    CHECK_EQ(std::string(after.find("ddb.longContentID").value_or("none")),
             kept != nullptr ? std::string(kept) + id : std::string(old));
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_keys),        UNIT_TEST(test_any_text),        UNIT_TEST(test_encoding),
      UNIT_TEST(test_content_ids), UNIT_TEST(test_long_content_id),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
