// SPDX-License-Identifier: MIT
// io/tar_file: headers of all three kinds of tar, damaged ones, and names between members.
#include "io/tar_file.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::FileUse;

using namespace std::string_literals;

// Puts a tar together.
class Maker final {
 public:
  struct Header {
    std::string name;
    char type = '0';
    std::string content;
    std::optional<std::string> size_field;  // in place of the octal size
    std::string prefix;
    bool ustar = true;
    bool checksum = true;
  };

  Maker& add(const Header& h) {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
      block.replace(at, text.size(), text);
    };
    put(0, h.name.substr(0, 100));
    put(100, "0000644\0"s);
    char octal[16];
    std::snprintf(octal, sizeof octal, "%011zo", h.content.size());
    put(124, h.size_field ? *h.size_field : octal);
    put(136, "14000000000\0"s);
    block[156] = h.type;
    if (h.ustar) put(257, "ustar\00000"s);
    put(345, h.prefix.substr(0, 155));
    put(148, "        ");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    if (!h.checksum) ++sum;
    std::snprintf(octal, sizeof octal, "%06o", sum);
    put(148, std::string(octal, 7) + " ");
    tar_ += block + h.content + std::string((512 - h.content.size() % 512) % 512, '\0');
    return *this;
  }
  Maker& file(const std::string& name, const std::string& content) {
    return add({name, '0', content, {}, "", true, true});
  }
  Maker& raw(const std::string& bytes) {
    tar_ += bytes;
    return *this;
  }
  Maker& end() { return raw(std::string(1024, '\0')); }

  const std::string& text() const { return tar_; }
  std::unique_ptr<vmdk::File> open() const {
    return std::make_unique<unit::MemoryFile>(unit::bytes_of_text(tar_), "a.ova");
  }

 private:
  std::string tar_;
};

std::string pax(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) ++length;
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::string content(const vmdk::File& file) {
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

std::vector<std::string> names(const Maker& maker) {
  std::vector<std::string> all;
  for (const vmdk::TarMember& member : vmdk::list_tar(*maker.open()))
    all.push_back(member.name + "@" + std::to_string(member.offset) + "+" +
                  std::to_string(member.size));
  return all;
}

void test_is_tar() {
  const Maker good = Maker().file("a", "x");
  const auto bytes = unit::bytes_of_text(good.text());
  CHECK(vmdk::is_tar(bytes));
  CHECK(vmdk::is_tar(vmdk::Bytes(bytes).first(512)));
  CHECK(!vmdk::is_tar(vmdk::Bytes(bytes).first(511)));
  CHECK(!vmdk::is_tar({}));
  for (const std::size_t at : {0u, 99u, 100u, 124u, 150u, 257u, 261u, 345u, 511u}) {
    const unit::Row row("byte " + unit::show(at));
    auto wrong = bytes;
    wrong[at] ^= std::byte{1};
    CHECK(!vmdk::is_tar(wrong));
  }
  CHECK(!vmdk::is_tar(
      unit::bytes_of_text(Maker().add({"old", '0', "x", {}, "", false, true}).text())));
  CHECK(!vmdk::is_tar(std::vector<std::byte>(512)));
}

void test_list() {
  const std::string long_name = "dir/" + std::string(120, 'n') + "/disk.vmdk";
  const struct {
    const char* what;
    Maker maker;
    std::vector<std::string> members;
  } tars[] = {
      {"empty", Maker().end(), {}},
      {"one", Maker().file("a", "0123").end(), {"a@512+4"}},
      {"no end", Maker().file("a", "0123"), {"a@512+4"}},
      {"half an end", Maker().file("a", "0123").raw(std::string(100, '\0')), {"a@512+4"}},
      {"behind the end", Maker().file("a", "x").end().file("b", "y"), {"a@512+1"}},
      {"sizes",
       Maker()
           .file("a", "")
           .file("b", std::string(511, 'x'))
           .file("c", std::string(512, 'x'))
           .file("d", std::string(513, 'x')),
       {"a@512+0", "b@1024+511", "c@2048+512", "d@3072+513"}},
      {"other types",
       Maker()
           .add({"dir/", '5', "", {}, "", true, true})
           .add({"link", '2', "", {}, "", true, true})
           .add({"hard", '1', "", {}, "", true, true})
           .add({"fifo", '6', "", {}, "", true, true})
           .add({"old", '\0', "x", {}, "", true, true})
           .add({"together", '7', "x", {}, "", true, true}),
       {"old@2560+1", "together@3584+1"}},
      {"prefix",
       Maker().add({"disk.vmdk", '0', "x", {}, "some/dir", true, true}),
       {"some/dir/disk.vmdk@512+1"}},
      {"prefix without ustar",
       Maker().file("a", "").add({"disk.vmdk", '0', "x", {}, "some/dir", false, true}),
       {"a@512+0", "disk.vmdk@1024+1"}},
      {"name of 100 bytes",
       Maker().add({std::string(100, 'n'), '0', "x", {}, "", true, true}),
       {std::string(100, 'n') + "@512+1"}},
      {"blanks in a number",
       Maker().add({"a", '0', "01234567", "      10 \0\0\0"s, "", true, true}),
       {"a@512+8"}},
      {"binary number",
       Maker().add({"a", '0', "01234567", "\x80\0\0\0\0\0\0\0\0\0\0\x08"s, "", true, true}),
       {"a@512+8"}},
      {"GNU long name",
       Maker()
           .add({"././@LongLink", 'L', long_name + '\0', {}, "", true, true})
           .file("short", "x")
           .file("b", "y"),
       {long_name + "@1536+1", "b@2560+1"}},
      {"GNU long link",
       Maker().add({"././@LongLink", 'K', long_name + '\0', {}, "", true, true}).file("a", "x"),
       {"a@1536+1"}},
      {"pax name",
       Maker()
           .add({"pax", 'x', pax("mtime", "1.5") + pax("path", long_name), {}, "", true, true})
           .file("short", "x")
           .file("b", "y"),
       {long_name + "@1536+1", "b@2560+1"}},
      {"pax size",
       Maker()
           .add({"pax", 'x', pax("size", "4"), {}, "", true, true})
           .add({"a", '0', "0123", std::string("00000000000\0", 12), "", true, true})
           .file("b", "y"),
       {"a@1536+4", "b@2560+1"}},
      {"pax for all",
       Maker().add({"pax", 'g', pax("path", "no"), {}, "", true, true}).file("a", "x"),
       {"a@1536+1"}},
      {"pax of a directory",
       Maker()
           .add({"pax", 'x', pax("path", "no"), {}, "", true, true})
           .add({"dir/", '5', "", {}, "", true, true})
           .file("a", "x"),
       {"a@2048+1"}},
      {"pax without a value",
       Maker().add({"pax", 'x', "8 path\n\n", {}, "", true, true}).file("a", "x"),
       {"a@1536+1"}},
      {"twice", Maker().file("a", "x").file("a", "y"), {"a@512+1", "a@1536+1"}},
  };
  for (const auto& c : tars) {
    const unit::Row row(c.what);
    std::vector<std::string> got;
    const auto result = unit::outcome_of([&] { got = names(c.maker); });
    CHECK_EQ(result.message, "");
    CHECK_EQ(got, c.members);
  }
}

void test_damaged() {
  const auto sized = [](const std::string& field) {
    return Maker().add({"a", '0', "01234567", field, "", true, true}).end();
  };
  const auto with_pax = [](const std::string& text) {
    return Maker().add({"pax", 'x', text, {}, "", true, true}).file("a", "x").end();
  };
  const struct {
    const char* what;
    Maker maker;
    const char* message;
  } tars[] = {
      {"checksum", Maker().file("a", "x").add({"b", '0', "y", {}, "", true, false}), "offset 1024"},
      {"no digits", sized("0000000001x\0"s), "offset 0"},
      {"a digit of 8", sized("00000000008\0"s), "offset 0"},
      {"a minus", sized("-0000000001\0"s), "offset 0"},
      {"beyond the end", sized("00000003001\0"s), "beyond the end"},
      {"all sevens", sized("77777777777\0"s), "beyond the end"},
      {"binary, beyond", sized("\x80\0\0\0\0\0\0\0\0\0\x10\0"s), "beyond the end"},
      {"binary, 2^63", sized("\x80\0\0\0\x80\0\0\0\0\0\0\0"s), "offset 0"},
      {"binary, 2^64 + 8", sized("\x80\0\0\x01\0\0\0\0\0\0\0\x08"s), "is damaged"},
      {"binary, largest", sized("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s), "offset 0"},
      {"binary, negative", sized("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s), "offset 0"},
      {"noise", Maker().file("a", "x").raw(std::string(512, '\x5a')), "offset 1024"},
      {"pax: no blank", with_pax("path=x\n"), "extended"},
      {"pax: no length", with_pax(" path=x\n"), "extended"},
      {"pax: too long", with_pax("99 path=x\n"), "extended"},
      {"pax: length 0", with_pax("0 path=x\n"), "extended"},
      {"pax: length of itself", with_pax("2 path=x\n"), "extended"},
      {"pax: negative", with_pax("-9 path=x\n"), "extended"},
      {"pax: huge", with_pax("18446744073709551615 path=x\n"), "extended"},
      {"pax: wraps", with_pax("9999999999999999999 path=x\n"), "extended"},
      {"pax: size is no number", with_pax(pax("size", "1x")), "size"},
      {"pax: size beyond", with_pax(pax("size", "100000")), "beyond the end"},
      {"pax: size huge", with_pax(pax("size", "9999999999999999999")), "beyond the end"},
      {"pax: of 2 MiB", with_pax(pax("comment", std::string(2 << 20, 'x'))), "1 MiB"},
      {"a name of 2 MiB",
       Maker().add({"long", 'L', std::string(2 << 20, 'x'), {}, "", true, true}).file("a", "x"),
       "1 MiB"},
  };
  for (const auto& c : tars) {
    const unit::Row row(c.what);
    const auto result = unit::outcome_of([&] { names(c.maker); });
    CHECK_EQ(result.status, VMDK_ERR_CORRUPT);
    CHECK_HAS(result.message, c.message);
    CHECK_HAS(result.message, "a.ova");
  }
}

void test_too_many() {
  std::string block = Maker().file("a", "").text();
  std::string tar;
  for (int i = 0; i < 65536; ++i) tar += block;
  CHECK_EQ(vmdk::list_tar(*Maker().raw(tar).open()).size(), 65536u);
  CHECK_EQ(unit::outcome_of([&] { vmdk::list_tar(*Maker().raw(tar + block).open()); }).status,
           VMDK_ERR_LIMIT);
}

void test_members() {
  const Maker maker = Maker()
                          .file("a.ovf", "text")
                          .file("./disk.vmdk", "disk")
                          .file("sub/data", "sub data")
                          .file("sub/deep/data", "deep data")
                          .file("sub/only", "only")
                          .file("data", "data")
                          .file("data", "data again")
                          .end();
  vmdk::TarFileSystem tar(maker.open());
  CHECK_EQ(tar.members().size(), 7u);
  CHECK_EQ(tar.tar().name(), "a.ova");
  const struct {
    const char *name, *content;
  } opened[] = {
      {"disk.vmdk", "disk"},
      {"./disk.vmdk", "disk"},
      {"/disk.vmdk", "disk"},
      {"sub/../disk.vmdk", "disk"},
      {"sub/data", "sub data"},
      {"sub//deep/./data", "deep data"},
      {"only", "only"},
      {"data", "data"},
      {"missing", nullptr},
      {"sub", nullptr},
      {"", nullptr},
      {"deep/data", nullptr},
      {"DISK.VMDK", nullptr},
  };
  for (const auto& c : opened) {
    const unit::Row row(c.name);
    std::unique_ptr<vmdk::File> file;
    const auto result = unit::outcome_of([&] { file = tar.open(c.name, FileUse::read); });
    CHECK_EQ(result.status, c.content != nullptr ? VMDK_OK : VMDK_ERR_NOT_FOUND);
    if (file && c.content != nullptr) CHECK_EQ(content(*file), c.content);
  }
  const auto disk = tar.open("disk.vmdk", FileUse::read),
             deep = tar.open("sub/deep/data", FileUse::read);
  const struct {
    const vmdk::File* from;
    const char *name, *content;
    vmdk_status status;
  } named[] = {
      {disk.get(), "data", "data", VMDK_OK},
      {disk.get(), "./data", "data", VMDK_OK},
      {disk.get(), "sub/data", "sub data", VMDK_OK},
      {disk.get(), "sub/../data", "data", VMDK_OK},
      {disk.get(), "/sub/data", "sub data", VMDK_OK},
      {disk.get(), "../../data", "data", VMDK_OK},  // there is nothing above
      {disk.get(), "/etc/passwd", nullptr, VMDK_OK},
      {disk.get(), "../../etc/passwd", nullptr, VMDK_OK},
      {disk.get(), "only", nullptr, VMDK_OK},
      {disk.get(), "missing", nullptr, VMDK_OK},
      {disk.get(), "", nullptr, VMDK_ERR_PATH_DENIED},
      {disk.get(), "data/", nullptr, VMDK_ERR_PATH_DENIED},
      {disk.get(), "a\nb", nullptr, VMDK_ERR_PATH_DENIED},
      {deep.get(), "data", "deep data", VMDK_OK},
      {deep.get(), "../data", "sub data", VMDK_OK},
      {deep.get(), "../../data", "data", VMDK_OK},
      {deep.get(), "disk.vmdk", nullptr, VMDK_OK},
  };
  for (const auto& c : named) {
    const unit::Row row(c.from->name() + " -> " + c.name);
    std::unique_ptr<vmdk::File> file;
    CHECK_EQ(
        unit::outcome_of([&] { file = tar.open_named(*c.from, c.name, FileUse::read); }).status,
        c.status);
    CHECK_EQ(file != nullptr, c.content != nullptr);
    if (file && c.content != nullptr) CHECK_EQ(content(*file), c.content);
  }
  CHECK_EQ(disk->name(), "a.ova:./disk.vmdk");
  CHECK_EQ(disk->size(), 4u);
  CHECK(disk->identity() == tar.open("./disk.vmdk", FileUse::read)->identity());
  CHECK(disk->identity() != deep->identity());
  CHECK_EQ(tar.siblings(*disk), std::vector<std::string>({"a.ovf", "data", "data", "disk.vmdk"}));
  CHECK_EQ(tar.siblings(*tar.open("sub/data", FileUse::read)),
           std::vector<std::string>({"data", "only"}));

  // Nothing of the members beside it is reached by reading.
  std::array<std::byte, 8> bytes;
  CHECK_EQ(unit::outcome_of([&] { disk->read_at(1, vmdk::MutableBytes(bytes).first(3)); }).status,
           VMDK_OK);
  CHECK_EQ(unit::outcome_of([&] { disk->read_at(1, vmdk::MutableBytes(bytes).first(4)); }).status,
           VMDK_ERR_CORRUPT);
  CHECK_EQ(unit::outcome_of([&] { disk->read_at(UINT64_MAX, bytes); }).status, VMDK_ERR_CORRUPT);
}

void test_same_last_component() {
  vmdk::TarFileSystem tar(Maker().file("a/disk.vmdk", "a").file("b/disk.vmdk", "b").end().open());
  const auto result = unit::outcome_of([&] { tar.open("disk.vmdk", FileUse::read); });
  CHECK_EQ(result.status, VMDK_ERR_NOT_FOUND);
  CHECK_HAS(result.message, "more than one");
  CHECK_EQ(content(*tar.open("b/disk.vmdk", FileUse::read)), "b");
}

// Any damage is an error of this library's, or none; never a crash or a member outside of the tar.
void test_noise() {
  const Maker maker =
      Maker()
          .add({"pax", 'x', pax("path", "long name") + pax("size", "4"), {}, "", true, true})
          .file("a", "0123")
          .add({"L", 'L', "another", {}, "", true, true})
          .file("b", "4567")
          .end();
  const auto good = unit::bytes_of_text(maker.text());
  unit::Random random(6);
  for (int i = 0; i < 5000; ++i) {
    auto bytes = good;
    for (std::uint64_t n = random.between(1, 4); n > 0; --n)
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.next() & 0xff);
    // A fitting checksum lets the change through to what looks at the fields.
    for (std::size_t block = 0; block + 512 <= bytes.size(); block += 1024) {
      unsigned sum = 0;
      for (std::size_t at = 0; at < 512; ++at)
        sum += at >= 148 && at < 156 ? 32u : std::to_integer<unsigned>(bytes[block + at]);
      char octal[8];
      std::snprintf(octal, sizeof octal, "%06o", sum);
      if (bytes[block] != std::byte{0}) std::memcpy(bytes.data() + block + 148, octal, 7);
    }
    if (random.one_in(4)) bytes.resize(random.below(bytes.size()));
    const unit::MemoryFile file(bytes, "noise");
    try {
      for (const vmdk::TarMember& member : vmdk::list_tar(file))
        if (member.offset > bytes.size() || member.size > bytes.size() - member.offset)
          CHECK_EQ(i, -1);
    } catch (const vmdk::Error& error) {
      if (error.status() != VMDK_ERR_CORRUPT) CHECK_EQ(error.what(), "damage");
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_is_tar),   UNIT_TEST(test_list),    UNIT_TEST(test_damaged),
      UNIT_TEST(test_too_many), UNIT_TEST(test_members), UNIT_TEST(test_same_last_component),
      UNIT_TEST(test_noise),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
