// SPDX-License-Identifier: MIT
// format/probe: what the first bytes of a file tell, for every kind and for bytes of no kind.
#include "format/probe.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using namespace std::string_literals;
using Data = std::vector<std::byte>;

const std::string kText =
    "# Disk DescriptorFile\nversion=1\nparentCID=00000001\ncreateType=\"vmfs\"\nRW 100 VMFS "
    "\"a-flat.vmdk\"\n";

Data with_magic(std::uint64_t magic, std::size_t size) {
  Data data(std::max<std::size_t>(size, 8));
  unit::store_le(data, 0, magic);
  data.resize(size);
  return data;
}

// A sparse header with a descriptor of `sectors` sectors at sector 1.
Data sparse(std::uint64_t sector, std::uint64_t sectors, std::size_t size) {
  Data data(std::max<std::size_t>(size, 1024 + kText.size()));
  unit::store_le<std::uint32_t>(data, 0, 0x564d444b);
  unit::store_le<std::uint32_t>(data, 8, 0x30001);
  unit::store_le<std::uint64_t>(data, 12, 2048);
  unit::store_le<std::uint64_t>(data, 28, sector);
  unit::store_le<std::uint64_t>(data, 36, sectors);
  std::memcpy(data.data() + 512, kText.data(), kText.size());
  data.resize(size);
  return data;
}

void test_kinds() {
  const struct {
    const char* what;
    Data data;
    vmdk_file_kind kind;
  } files[] = {
      {"nothing", {}, VMDK_FILE_KIND_EMPTY},
      {"KDMV", with_magic(0x564d444b, 512), VMDK_FILE_KIND_SPARSE},
      {"KDMV, 8 bytes", with_magic(0x564d444b, 8), VMDK_FILE_KIND_SPARSE},
      {"KDMV, 7 bytes", with_magic(0x564d444b, 7), VMDK_FILE_KIND_UNKNOWN},
      {"COWD", with_magic(0x44574f43, 512), VMDK_FILE_KIND_COWD},
      {"seSparse", with_magic(0xcafebabe, 512), VMDK_FILE_KIND_SE_SPARSE},
      {"seSparse, upper half", with_magic(0x1cafebabe, 512), VMDK_FILE_KIND_UNKNOWN},
      {"a Java class", with_magic(0xbebafeca, 512), VMDK_FILE_KIND_UNKNOWN},
      {"tracking", with_magic(0xf61972a2, 512), VMDK_FILE_KIND_TRACKING},
      {"unfinished", with_magic(0x766d646b, 512), VMDK_FILE_KIND_UNFINISHED},
      {"zeros", Data(512), VMDK_FILE_KIND_UNKNOWN},
      {"one byte", Data(1), VMDK_FILE_KIND_UNKNOWN},
      {"text", unit::bytes_of_text(kText), VMDK_FILE_KIND_DESCRIPTOR},
      {"a short text", unit::bytes_of_text("CID=1"), VMDK_FILE_KIND_DESCRIPTOR},
      {"encrypted", unit::bytes_of_text("encryption.keySafe=\"x\"\nversion=1\n"),
       VMDK_FILE_KIND_ENCRYPTED},
      {"other text", unit::bytes_of_text("hello\n"), VMDK_FILE_KIND_UNKNOWN},
      {"ELF",
       unit::bytes_of_text("\x7f"
                           "ELF\x02\x01\x01\0\0\0"s),
       VMDK_FILE_KIND_UNKNOWN},
  };
  for (const auto& f : files) {
    const unit::Row row(f.what);
    CHECK_EQ(vmdk::kind_of(f.data), f.kind);
    vmdk_probe_result result{};
    vmdk::probe(f.data, result);
    CHECK_EQ(result.kind, f.kind);
    CHECK(std::strlen(vmdk::why_not_a_disk(f.kind)) > 5);
  }
  CHECK(vmdk::why_not_a_disk(VMDK_FILE_KIND_EMPTY) != vmdk::why_not_a_disk(VMDK_FILE_KIND_UNKNOWN));
}

void test_probe() {
  const std::uint32_t kText1 = VMDK_PROBE_HAS_DESCRIPTOR | VMDK_PROBE_HAS_PARENT;
  const struct {
    const char* what;
    Data data;
    std::uint32_t type, flags;
    std::uint64_t capacity, needed;
  } files[] = {
      {"text", unit::bytes_of_text(kText), VMDK_TYPE_VMFS, kText1, 51200, kText.size()},
      {"text and NULs", unit::bytes_of_text(kText + std::string(100, '\0')), VMDK_TYPE_VMFS, kText1,
       51200, kText.size()},
      {"text that goes on", unit::bytes_of_text(kText + std::string(4096 - kText.size(), '\n')),
       VMDK_TYPE_VMFS, kText1 | VMDK_PROBE_INCOMPLETE, 51200, 4096},
      {"sparse, whole", sparse(1, 1, 1024), VMDK_TYPE_VMFS, kText1 | VMDK_PROBE_COMPRESSED, 51200,
       1024},
      {"sparse, text cut off", sparse(1, 1, 560), VMDK_TYPE_UNKNOWN,
       kText1 | VMDK_PROBE_COMPRESSED | VMDK_PROBE_INCOMPLETE, 0, 1024},
      {"sparse, header alone", sparse(1, 20, 512), VMDK_TYPE_UNKNOWN,
       VMDK_PROBE_COMPRESSED | VMDK_PROBE_INCOMPLETE, 1048576, 21 * 512},
      {"sparse, no descriptor", sparse(0, 0, 512), VMDK_TYPE_UNKNOWN, VMDK_PROBE_COMPRESSED,
       1048576, 512},
      {"sparse, descriptor of NULs", sparse(2, 1, 1536), VMDK_TYPE_UNKNOWN, VMDK_PROBE_COMPRESSED,
       1048576, 1536},
      {"sparse, part of a header", sparse(1, 1, 100), VMDK_TYPE_UNKNOWN, VMDK_PROBE_INCOMPLETE, 0,
       512},
      {"sparse, descriptor nowhere", sparse(UINT64_MAX, UINT64_MAX, 512), VMDK_TYPE_UNKNOWN,
       VMDK_PROBE_COMPRESSED | VMDK_PROBE_INCOMPLETE, 1048576, UINT64_MAX / 1024 * 512 * 2},
      {"encrypted", unit::bytes_of_text("# Disk DescriptorFile\nkeyID=x\nRW 5 ZERO\n"),
       VMDK_TYPE_UNKNOWN, 0, 0, 40},
      {"zeros", Data(1000), VMDK_TYPE_UNKNOWN, 0, 0, 512},
  };
  for (const auto& f : files) {
    const unit::Row row(f.what);
    vmdk_probe_result result{};
    vmdk::probe(f.data, result);
    CHECK_EQ(result.type, f.type);
    CHECK_EQ(result.flags, f.flags);
    CHECK_EQ(result.capacity, f.capacity);
    CHECK_EQ(result.bytes_needed, f.needed);
  }
  Data cowd = with_magic(0x44574f43, 16), se = with_magic(0xcafebabe, 24);
  unit::store_le<std::uint32_t>(cowd, 12, UINT32_MAX);
  unit::store_le<std::uint64_t>(se, 16, 8);
  vmdk_probe_result result{};
  vmdk::probe(cowd, result);
  CHECK_EQ(result.capacity, std::uint64_t{UINT32_MAX} * 512);
  result = {};
  vmdk::probe(se, result);
  CHECK_EQ(result.capacity, 4096u);
  unit::store_le<std::uint64_t>(se, 16, UINT64_MAX);
  result = {};
  vmdk::probe(se, result);
  CHECK_EQ(result.capacity, UINT64_MAX / 512 * 512);
}

void test_descriptor_text() {
  const auto text = [](const Data& data) { return std::string(vmdk::descriptor_text(data)); };
  CHECK_EQ(text(unit::bytes_of_text(kText)), kText);
  CHECK_EQ(text(unit::bytes_of_text(kText + "\0more"s)), kText);
  CHECK_EQ(text(sparse(1, 1, 2048)), kText);
  CHECK_EQ(text(sparse(1, 1, 522)), kText.substr(0, 10));
  CHECK_EQ(text(sparse(1, 1, 512)), "");
  CHECK_EQ(text(sparse(0, 1, 2048)), "");
  CHECK_EQ(text(sparse(2, 1, 2048)), "");
  CHECK_EQ(text(sparse(UINT64_MAX, 1, 2048)), "");
  CHECK_EQ(text(sparse(1, UINT64_MAX, 2048)), kText);
  CHECK_EQ(text(sparse(1, 0, 2048)), "");
  CHECK_EQ(text(Data(512)), "");
  CHECK_EQ(text({}), "");
}

// Bytes of any kind, in blocks that are just as long, so that reading beyond them is seen.
void test_random_bytes() {
  constexpr std::uint64_t kMagics[] = {0x564d444b, 0x44574f43, 0xcafebabe,
                                       0xf61972a2, 0x766d646b, 0};
  unit::Random random(12);
  for (int i = 0; i < 30000; ++i) {
    Data data = unit::random_bytes(random, random.below(random.one_in(8) ? 2000 : 600));
    if (data.size() >= 8) unit::store_le(data, 0, kMagics[random.below(std::size(kMagics))]);
    if (random.one_in(4) && data.size() >= 520) {
      unit::store_le(data, 28, random.below(4));
      unit::store_le(data, 36, random.below(4));
    }
    if (random.one_in(8)) {
      const std::size_t size = std::min(data.size(), kText.size());
      if (size != 0) std::memcpy(data.data(), kText.data(), size);
    }
    const Data exact(data.begin(), data.end());
    vmdk_probe_result result{};
    result.struct_size = 77;
    vmdk::probe(exact, result);
    const std::string_view text = vmdk::descriptor_text(exact);
    const bool fits =
        result.struct_size == 77 && text.size() <= exact.size() &&
        (result.kind == VMDK_FILE_KIND_EMPTY) == exact.empty() && result.capacity % 512 == 0 &&
        ((result.flags & VMDK_PROBE_INCOMPLETE) != 0 || result.bytes_needed <= exact.size());
    if (!fits) CHECK_EQ(i, -1);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {UNIT_TEST(test_kinds), UNIT_TEST(test_probe),
                              UNIT_TEST(test_descriptor_text), UNIT_TEST(test_random_bytes)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
