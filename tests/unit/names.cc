// SPDX-License-Identifier: MIT
// disk/names: which files a name in a descriptor may mean.
#include "disk/names.h"

#include "../support/unit_check.h"

namespace {

using vmdk::NameUse;
using Names = std::vector<std::string>;

void test_candidates() {
  const struct {
    std::string name;
    Names extent, parent;
  } cases[] = {
      {"a.vmdk", {"a.vmdk"}, {"a.vmdk"}},
      {"a b.vmdk", {"a b.vmdk"}, {"a b.vmdk"}},
      {"./a.vmdk", {"./a.vmdk", "a.vmdk"}, {"./a.vmdk", "a.vmdk"}},
      {"dir/a.vmdk", {"dir/a.vmdk", "a.vmdk"}, {"dir/a.vmdk", "a.vmdk", "../dir/a.vmdk"}},
      {"x/dir/a.vmdk", {"x/dir/a.vmdk", "a.vmdk"}, {"x/dir/a.vmdk", "a.vmdk", "../dir/a.vmdk"}},
      // What was above is looked for here only where a content ID tells whether it is the right
      // one.
      {"../a.vmdk", {"../a.vmdk"}, {"../a.vmdk", "a.vmdk"}},
      {"../base/a.vmdk", {"../base/a.vmdk"}, {"../base/a.vmdk", "a.vmdk"}},
      {"dir/../a.vmdk", {"dir/../a.vmdk"}, {"dir/../a.vmdk", "a.vmdk"}},
      {"/vm/base/a.vmdk",
       {"/vm/base/a.vmdk", "a.vmdk"},
       {"/vm/base/a.vmdk", "a.vmdk", "../base/a.vmdk"}},
      {"/a.vmdk", {"/a.vmdk", "a.vmdk"}, {"/a.vmdk", "a.vmdk"}},
      {"/vmfs/volumes/5f-1/vm/a.vmdk",
       {"/vmfs/volumes/5f-1/vm/a.vmdk", "a.vmdk"},
       {"/vmfs/volumes/5f-1/vm/a.vmdk", "a.vmdk", "../vm/a.vmdk"}},
      // Paths of Windows.
      {"dir\\a.vmdk",
       {"dir\\a.vmdk", "dir/a.vmdk", "a.vmdk"},
       {"dir\\a.vmdk", "dir/a.vmdk", "a.vmdk", "../dir/a.vmdk"}},
      {"..\\a.vmdk", {"..\\a.vmdk", "../a.vmdk"}, {"..\\a.vmdk", "../a.vmdk", "a.vmdk"}},
      {"C:\\vm\\base\\a.vmdk", {"a.vmdk"}, {"a.vmdk", "../base/a.vmdk"}},
      {"c:/vm/a.vmdk", {"a.vmdk"}, {"a.vmdk", "../vm/a.vmdk"}},
      {"1:\\a.vmdk",
       {"1:\\a.vmdk", "1:/a.vmdk", "a.vmdk"},
       {"1:\\a.vmdk", "1:/a.vmdk", "a.vmdk", "../1:/a.vmdk"}},
      {"\\\\server\\share\\a.vmdk",
       {"\\\\server\\share\\a.vmdk", "//server/share/a.vmdk", "a.vmdk"},
       {"\\\\server\\share\\a.vmdk", "//server/share/a.vmdk", "a.vmdk", "../share/a.vmdk"}},
      {"", {}, {}},
  };
  for (const auto& c : cases) {
    const unit::Row row(unit::show(c.name));
    CHECK_EQ(vmdk::candidate_names(c.name, c.name, NameUse::extent), c.extent);
    CHECK_EQ(vmdk::candidate_names(c.name, c.name, NameUse::parent), c.parent);
  }
}

// Both as converted and as it stands; each name once.
void test_code_pages() {
  CHECK_EQ(vmdk::candidate_names("\xe4\xb8\xad.vmdk", "\xd6\xd0.vmdk", NameUse::extent),
           Names({"\xe4\xb8\xad.vmdk", "\xd6\xd0.vmdk"}));
  CHECK_EQ(vmdk::candidate_names("d/\xc3\xa9.vmdk", "d/\xe9.vmdk", NameUse::parent),
           Names({"d/\xc3\xa9.vmdk", "\xc3\xa9.vmdk", "../d/\xc3\xa9.vmdk", "d/\xe9.vmdk",
                  "\xe9.vmdk", "../d/\xe9.vmdk"}));
  for (const NameUse use : {NameUse::extent, NameUse::parent}) {
    const Names names = vmdk::candidate_names("a/a", "a/a", use);
    for (std::size_t i = 0; i < names.size(); ++i)
      CHECK_EQ(std::count(names.begin(), names.end(), names[i]), 1);
  }
}

void test_object_names() {
  for (const char* name : {"vsan://0123", "VSAN://x", "vvol://x", "objid://x", "ObjID://"})
    CHECK(vmdk::is_object_name(name));
  for (const char* name :
       {"", "vsan", "vsan:/x", "a/vsan://x", "vsan.vmdk", "http://x", "vsanx://"})
    CHECK(!vmdk::is_object_name(name));
}

void test_descriptor_of_data_file() {
  const std::pair<const char*, const char*> cases[] = {
      {"a-flat.vmdk", "a.vmdk"},
      {"A-FLAT.VMDK", "A.vmdk"},
      {"a-s001.vmdk", "a.vmdk"},
      {"a-f001.vmdk", "a.vmdk"},
      {"a-s1234567.vmdk", "a.vmdk"},
      {"a-delta.vmdk", "a.vmdk"},
      {"a-000001-delta.vmdk", "a-000001.vmdk"},
      {"a-000001-sesparse.vmdk", "a-000001.vmdk"},
      {"a-rdm.vmdk", "a.vmdk"},
      {"a-rdmp.vmdk", "a.vmdk"},
      {"a-pt.vmdk", "a.vmdk"},
      {"a-b-flat.vmdk", "a-b.vmdk"},
      {"a b-flat.vmdk", "a b.vmdk"},
      {"a.vmdk", ""},
      {"a-000001.vmdk", ""},
      {"-flat.vmdk", ""},
      {"a-flat", ""},
      {"a-flat.vmdk.bak", ""},
      {"a-flats.vmdk", ""},
      {"a-s.vmdk", ""},
      {"a-s00x.vmdk", ""},
      {"a-x001.vmdk", ""},
      {"a-ctk.vmdk", ""},
      {".vmdk", ""},
      {"", ""},
      {"flat.vmdk", ""},
  };
  for (const auto& [name, wanted] : cases) {
    const unit::Row row(name);
    CHECK_EQ(vmdk::descriptor_of_data_file(name), wanted);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_candidates),
      UNIT_TEST(test_code_pages),
      UNIT_TEST(test_object_names),
      UNIT_TEST(test_descriptor_of_data_file),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
