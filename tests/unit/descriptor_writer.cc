// SPDX-License-Identifier: MIT
// format/descriptor_writer: the text of new descriptors, and what may stand in one.
#include "format/descriptor_writer.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::Descriptor;
using vmdk::ExtentLine;
using vmdk::ExtentType;
using vmdk::NewDescriptor;

ExtentLine extent(std::uint64_t sectors, ExtentType type, std::string file) {
  ExtentLine line;
  line.sectors = sectors;
  line.type = type;
  line.file = std::move(file);
  return line;
}

void test_base() {
  NewDescriptor descriptor;
  descriptor.cid = 0x0abcdef1;
  descriptor.create_type = "twoGbMaxExtentSparse";
  descriptor.extents = {extent(4192256, ExtentType::sparse, "a-s001.vmdk"),
                        extent(1, ExtentType::sparse, "a-s002.vmdk")};
  descriptor.database.set("ddb.virtualHWVersion", "4");
  descriptor.database.set("ddb.adapterType", "lsilogic");
  CHECK_EQ(vmdk::write_descriptor(descriptor), std::string("# Disk DescriptorFile\n"
                                                           "version=1\n"
                                                           "encoding=\"UTF-8\"\n"
                                                           "CID=0abcdef1\n"
                                                           "parentCID=ffffffff\n"
                                                           "createType=\"twoGbMaxExtentSparse\"\n"
                                                           "\n"
                                                           "# Extent description\n"
                                                           "RW 4192256 SPARSE \"a-s001.vmdk\"\n"
                                                           "RW 1 SPARSE \"a-s002.vmdk\"\n"
                                                           "\n"
                                                           "# The Disk Data Base\n"
                                                           "#DDB\n"
                                                           "\n"
                                                           "ddb.adapterType = \"lsilogic\"\n"
                                                           "ddb.virtualHWVersion = \"4\"\n"));
}

// A child names its parent, and has no blank line before its extents.
void test_child() {
  NewDescriptor descriptor;
  descriptor.cid = 1;
  descriptor.parent_cid = 0xfffffffe;
  descriptor.parent_hint = "sub dir/base.vmdk";
  descriptor.create_type = "vmfsSparse";
  descriptor.extents = {extent(2048, ExtentType::vmfs_sparse, "a-delta.vmdk")};
  const std::string text = vmdk::write_descriptor(descriptor);
  CHECK_HAS(text,
            "\nCID=00000001\nparentCID=fffffffe\ncreateType=\"vmfsSparse\"\n"
            "parentFileNameHint=\"sub dir/base.vmdk\"\n# Extent description\n"
            "RW 2048 VMFSSPARSE \"a-delta.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n");
}

// Every type and access comes back from the parser. Only FLAT lines have an offset.
void test_extents() {
  NewDescriptor descriptor;
  descriptor.create_type = "custom";
  const std::pair<ExtentType, const char*> types[] = {
      {ExtentType::flat, "FLAT \"f\" 7\n"},
      {ExtentType::sparse, "SPARSE \"f\"\n"},
      {ExtentType::zero, "ZERO\n"},
      {ExtentType::vmfs, "VMFS \"f\"\n"},
      {ExtentType::vmfs_sparse, "VMFSSPARSE \"f\"\n"},
      {ExtentType::vmfs_rdm, "VMFSRDM \"f\"\n"},
      {ExtentType::vmfs_raw, "VMFSRAW \"f\"\n"},
      {ExtentType::se_sparse, "SESPARSE \"f\"\n"}};
  for (const auto& [type, line] : types) {
    for (const vmdk_access access :
         {VMDK_ACCESS_READ_WRITE, VMDK_ACCESS_READ_ONLY, VMDK_ACCESS_NONE}) {
      descriptor.extents.push_back(extent(descriptor.extents.size(), type, "f"));
      descriptor.extents.back().access = access;
      if (type == ExtentType::flat) descriptor.extents.back().file_sector = 7;
    }
  }
  const std::string text = vmdk::write_descriptor(descriptor);
  for (const auto& [type, line] : types) CHECK_HAS(text, line);
  const Descriptor parsed = Descriptor::parse("a.vmdk", text, {1 << 20, 100});
  CHECK_EQ(parsed.extents.size(), descriptor.extents.size());
  for (std::size_t i = 0; i < descriptor.extents.size(); ++i) {
    const unit::Row row("extent " + std::to_string(i));
    const ExtentLine &in = descriptor.extents[i], &out = parsed.extents[i];
    CHECK_EQ(out.access, in.access);
    CHECK_EQ(out.sectors, in.sectors);
    CHECK_EQ(out.type, in.type);
    CHECK_EQ(out.file, in.type == ExtentType::zero ? std::string() : in.file);
    CHECK_EQ(out.file_sector, in.file_sector);
  }
}

void test_database() {
  vmdk::Database database;
  for (const char* key : {"ddb.uuid", "ddb.adapterType", "ddb.Encoding", "ddb.geometry.heads",
                          "ddb.geometry.cylinders", "ddb.z", "ddb.a"})
    database.set(key, "1");
  database.set("DDB.ADAPTERTYPE", "ide");  // in another case: the same key
  database.set("ddb.a", "");
  std::string all;
  for (const auto& [key, value] : database.entries()) all += key + "=" + value + " ";
  CHECK_EQ(all, std::string("ddb.a= ddb.adapterType=ide ddb.Encoding=1 ddb.geometry.cylinders=1 "
                            "ddb.geometry.heads=1 ddb.uuid=1 ddb.z=1 "));
}

void test_quotable() {
  for (const char* text : {"", "a", "a b", " a ", "it's", "#1", "a\\b", "\xc3\xbc", "=", "a;b"}) {
    const unit::Row row(unit::show(text));
    CHECK(vmdk::is_quotable(text));
  }
  for (const std::string_view text :
       {std::string_view("\""), std::string_view("a\"b"), std::string_view("a\nb"),
        std::string_view("a\r"), std::string_view("\t"), std::string_view("a\0b", 3),
        std::string_view("\x7f"), std::string_view("\x1b["), std::string_view("\xff"),
        std::string_view("\xc3"), std::string_view("\xed\xa0\x80")}) {
    const unit::Row row(unit::show(text));
    CHECK(!vmdk::is_quotable(text));
  }
}

// What is good by is_quotable() is read back as it was.
void test_random_texts() {
  unit::Random random(31);
  for (int round = 0; round < 2000; ++round) {
    const auto text = [&](std::string_view from, std::size_t most) {
      std::string out;
      for (std::uint64_t n = random.between(1, most); n > 0; --n)
        out += from[random.below(from.size())];
      return out;
    };
    constexpr std::string_view kAny = "ab '#=\\./;RW1\"-";
    NewDescriptor in;
    in.cid = static_cast<std::uint32_t>(random.next());
    in.create_type = "custom";
    std::string name = text(kAny, 12), hint = text(kAny, 12), value = text(kAny, 12);
    if (!vmdk::is_quotable(name) || !vmdk::is_quotable(hint) || !vmdk::is_quotable(value)) continue;
    in.parent_cid = 5;
    in.parent_hint = hint;
    in.extents = {extent(9, ExtentType::flat, name), extent(3, ExtentType::sparse, name)};
    const std::string key = "ddb." + text("abZ1._-", 6);
    in.database.set(key, value);
    const std::string written = vmdk::write_descriptor(in);
    const unit::Row row(written);
    const Descriptor out = Descriptor::parse("a.vmdk", written, {1 << 20, 100});
    CHECK_EQ(out.cid, in.cid);
    CHECK_EQ(out.find("parentFileNameHint").value_or("none"), std::string_view(hint));
    CHECK_EQ(out.find(key).value_or("none"), std::string_view(value));
    CHECK_EQ(out.extents.size(), 2u);
    for (const ExtentLine& line : out.extents) CHECK_EQ(line.file, name);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_base),     UNIT_TEST(test_child),    UNIT_TEST(test_extents),
      UNIT_TEST(test_database), UNIT_TEST(test_quotable), UNIT_TEST(test_random_texts),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
