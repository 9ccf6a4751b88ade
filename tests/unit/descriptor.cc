// SPDX-License-Identifier: MIT
// format/descriptor: how descriptors are spelt in the wild, what is refused, and that no text,
// however damaged, does more than be refused.
#include "format/descriptor.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using namespace std::string_literals;
using vmdk::Descriptor;
using vmdk::ExtentType;

constexpr vmdk::DescriptorLimits kLimits{16 << 20, 65536};
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;

const std::string kHead =
    "# Disk "
    "DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n";
const std::string kExtent = "RW 100 FLAT \"a-flat.vmdk\" 0\n";
const std::string kWhole = kHead + kExtent;

struct Parsed {
  unit::Outcome outcome;
  std::optional<Descriptor> value;
};

Parsed parse(const std::string& text, const vmdk::DescriptorLimits& limits = kLimits) {
  Parsed parsed;
  parsed.outcome =
      unit::outcome_of([&] { parsed.value = Descriptor::parse("a.vmdk", text, limits); });
  return parsed;
}

std::string value(const Parsed& parsed, std::string_view key) {
  if (!parsed.value) return "(" + parsed.outcome.message + ")";
  const auto found = parsed.value->find(key);
  return found ? std::string(*found) : "(none)";
}

// However the same disk is spelt, it is the same disk.
void test_spellings() {
  std::string crlf, cr, blanks;
  for (const char c : kWhole) {
    crlf += c == '\n' ? "\r\n" : std::string(1, c);
    cr += c == '\n' ? '\r' : c;
    blanks += c == '\n' ? "  \t\n \t " : std::string(1, c);
  }
  const std::string keys =
      "version=1\nCID=12345678\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n";
  const std::pair<const char*, std::string> texts[] = {
      {"LF", kWhole},
      {"CRLF", crlf},
      {"CR", cr},
      {"all three",
       "# Disk "
       "DescriptorFile\r\nversion=1\rCID=12345678\nparentCID=ffffffff\r\r\ncreateType="
       "\"monolithicFlat\"\n\r" +
           kExtent},
      {"no line end at the end", kWhole.substr(0, kWhole.size() - 1)},
      {"a byte order mark", "\xef\xbb\xbf" + kWhole},
      {"blanks at both ends of lines", "  " + blanks},
      {"empty lines first", "\n\n" + kWhole},
      {"a line of blanks first", "   \t\n" + kWhole},
      {"empty lines everywhere", "\n" + kHead + "\n\n\n" + kExtent + "\n\n"},
      {"#Disk DescriptorFile", "#Disk DescriptorFile\n" + keys + kExtent},
      {"# Disk Descriptor File", "# Disk Descriptor File\n" + keys + kExtent},
      {"no comment", keys + kExtent},
      {"other comments", "# a\n#\n#=\n# RW 5 ZERO\n" + kWhole + "# CID=0\n"},
      {"comments between extents and keys",
       kHead + "# Extent description\n#\n" + kExtent + "# The Disk Data Base \n#DDB\n"},
      {"blanks around =",
       "version = 1\nCID\t=\t12345678\nparentCID =ffffffff\ncreateType= \"monolithicFlat\" \n" +
           kExtent},
      {"upper case",
       "VERSION=1\nCID=12345678\nPARENTCID=FFFFFFFF\nCREATETYPE=\"MONOLITHICFLAT\"\nRW 100 FLAT "
       "\"a-flat.vmdk\" 0\n"},
      {"lower case",
       "version=1\ncid=12345678\nparentcid=ffffffff\ncreatetype=\"monolithicflat\"\nrw 100 flat "
       "\"a-flat.vmdk\" 0\n"},
      {"quotes",
       "version=\"1\"\nCID=\"12345678\"\nparentCID='ffffffff'\ncreateType='monolithicFlat'\nRW 100 "
       "FLAT 'a-flat.vmdk' 0\n"},
      {"no quotes",
       "version=1\nCID=12345678\nparentCID=ffffffff\ncreateType=monolithicFlat\n" + kExtent},
      {"0x", "version=1\nCID=0x12345678\nparentCID=0xFFFFFFFF\ncreateType=\"monolithicFlat\"\n" +
                 kExtent},
      {"more digits than eight",
       "version=1\nCID=9912345678\nparentCID=ffffffffffffffff\ncreateType=\"monolithicFlat\"\n" +
           kExtent},
      {"extents first", kExtent + keys},
      {"keys in another order", "createType=\"monolithicFlat\"\nparentCID=ffffffff\nversion=1\n" +
                                    kExtent + "CID=12345678\n"},
      {"encoding first", "encoding=\"UTF-8\"\n" + kWhole},
      {"ddb before the extents", kHead + "ddb.adapterType = \"ide\"\n" + kExtent},
      {"what follows a NUL", kWhole + "\0RW 7 ZERO\nCID=0\n"s},
      {"NULs at the end", kWhole + std::string(500, '\0')},
      {"unknown keys and lines",
       kHead + "who=knows\nno key at all\n=\n= x\nsome words here\n" + kExtent},
      {"blanks in the extent line", kHead + "  RW   100\tFLAT \t \"a-flat.vmdk\" \t 0  \n"},
      {"no offset", kHead + "RW 100 FLAT \"a-flat.vmdk\"\n"},
      {"zeros in front of numbers", kHead + "RW 0000100 FLAT \"a-flat.vmdk\" 000\n"},
      {"partitionUUID", kHead + "RW 100 FLAT \"a-flat.vmdk\" 0 partitionUUID \\\\?\\Volume{x}\n"},
      {"no parentCID", "version=1\nCID=12345678\ncreateType=\"monolithicFlat\"\n" + kExtent},
      {"no version", "CID=12345678\ncreateType=\"monolithicFlat\"\n" + kExtent},
      {"duplicates", kWhole + "version=3\nCID=0\nparentCID=1\ncreateType=\"custom\"\n"},
  };
  for (const auto& [what, text] : texts) {
    const unit::Row row(what);
    const Parsed parsed = parse(text);
    CHECK_EQ(parsed.outcome.message, "");
    if (!parsed.value) continue;
    const Descriptor& d = *parsed.value;
    CHECK_EQ(d.version, 1u);
    CHECK_EQ(d.cid, 0x12345678u);
    CHECK_EQ(d.parent_cid, vmdk::kNoParent);
    CHECK(!d.has_parent());
    CHECK_EQ(d.type, VMDK_TYPE_MONOLITHIC_FLAT);
    CHECK_EQ(d.sectors, 100u);
    CHECK_EQ(d.extents.size(), 1u);
    if (d.extents.size() != 1) continue;
    CHECK_EQ(d.extents[0].access, VMDK_ACCESS_READ_WRITE);
    CHECK_EQ(d.extents[0].sectors, 100u);
    CHECK_EQ(d.extents[0].type, ExtentType::flat);
    CHECK_EQ(d.extents[0].file, "a-flat.vmdk");
    CHECK_EQ(d.extents[0].file_sector, 0u);
    CHECK_EQ(Descriptor::summarize(text.substr(0, text.find('\0'))).sectors, 100u);
  }
}

void test_header_keys() {
  const struct {
    const char* line;
    vmdk_status status;
    const char* message;
  } lines[] = {
      {"version=1", VMDK_OK, ""},
      {"version=2", VMDK_OK, ""},
      {"version=3", VMDK_OK, ""},
      {"version=4", VMDK_ERR_UNSUPPORTED, "version 4"},  // of vSAN
      {"version=0", VMDK_ERR_UNSUPPORTED, "version 0"},
      {"version=5", VMDK_ERR_UNSUPPORTED, "version 5"},
      {"version=4294967297", VMDK_ERR_UNSUPPORTED, "version 4294967297"},
      {"version=9999999999999999999", VMDK_ERR_UNSUPPORTED, "version"},
      {"version=18446744073709551617", VMDK_ERR_CORRUPT, "version"},
      {"version=-1", VMDK_ERR_CORRUPT, "\"-1\""},
      {"version=one", VMDK_ERR_CORRUPT, "\"one\""},
      {"version=1.0", VMDK_ERR_CORRUPT, "version"},
      {"version=", VMDK_ERR_CORRUPT, "version"},
      {"version=\"\"", VMDK_ERR_CORRUPT, "version"},
      {"CID=0", VMDK_OK, ""},
      {"CID=fffffffe", VMDK_OK, ""},
      {"CID=ffffffff", VMDK_OK, ""},
      {"CID=", VMDK_ERR_CORRUPT, "CID"},
      {"CID=xyz", VMDK_ERR_CORRUPT, "\"xyz\""},
      {"CID=0x", VMDK_ERR_CORRUPT, "CID"},
      {"CID=-2", VMDK_ERR_CORRUPT, "CID"},
      {"CID=1 2", VMDK_ERR_CORRUPT, "CID"},
      {"parentCID=", VMDK_ERR_CORRUPT, "parentCID"},
      {"parentCID=none", VMDK_ERR_CORRUPT, "\"none\""},
      {"parentCID=fffffffg", VMDK_ERR_CORRUPT, "parentCID"},
      {"createType=\"\"", VMDK_OK, ""},
      {"createType=\"custom\"", VMDK_OK, ""},
      {"createType=\"monolithicSparseX\"", VMDK_ERR_UNSUPPORTED, "monolithicSparseX"},
      {"createType=\"vsanSparse\"", VMDK_ERR_UNSUPPORTED, "vSAN"},
      {"createType=\"x\x1b[31m\"", VMDK_ERR_UNSUPPORTED, "x?[31m"},
      {"isNativeSnapshot=\"no\"", VMDK_OK, ""},
      {"changeTrackPath=\"a-ctk.vmdk\"", VMDK_OK, ""},
      {"keyID=\"x\"", VMDK_ERR_ENCRYPTED, ""},
      {"KEYID=", VMDK_ERR_ENCRYPTED, ""},
      {"encryptionKeys=\"vmware:key/list/(...)\"", VMDK_ERR_ENCRYPTED, ""},
      {"encryption.keySafe = \"vmware:key\"", VMDK_ERR_ENCRYPTED, ""},
      {"encryption.data = \"x\"", VMDK_ERR_ENCRYPTED, ""},
      {"ddb.iofilters = \"vmwarevmcrypt\"", VMDK_ERR_ENCRYPTED, "iofilters"},
      {"ddb.iofilters = \"a,VMwareVMcrypt,b\"", VMDK_ERR_ENCRYPTED, ""},
      {"ddb.iofilters = \"vmwarelwd\"", VMDK_OK, ""},
      {"ddb.encoding = \"Klingon\"", VMDK_OK, ""},
      {"encoding=\"Klingon\"", VMDK_OK, ""},
      {"ddb.geometry.cylinders = \"-1\"", VMDK_OK, ""},
  };
  for (const auto& c : lines) {
    const unit::Row row(unit::show(c.line));
    const Parsed parsed = parse(std::string(c.line) + "\n" + kExtent);
    CHECK_EQ(parsed.outcome.status, c.status);
    CHECK_HAS(parsed.outcome.message, c.message);
    if (c.status != VMDK_OK) CHECK(parsed.outcome.message.starts_with("a.vmdk: "));
  }
  const std::pair<const char*, std::uint32_t> ids[] = {
      {"0", 0},          {"a3db3bc", 0xa3db3bc}, {"ECF94A4", 0xecf94a4}, {"fffffffe", 0xfffffffe},
      {"0x00000001", 1},
  };
  for (const auto& [text, id] : ids) {
    const Parsed parsed = parse("CID="s + text + "\nparentCID=" + text + "\n" + kExtent);
    if (!CHECK(parsed.value.has_value())) continue;
    CHECK_EQ(parsed.value->cid, id);
    CHECK_EQ(parsed.value->parent_cid, id);
    CHECK(parsed.value->has_parent());
  }
  // Without any of them it is still a disk.
  const Parsed bare = parse(kExtent);
  CHECK_EQ(bare.outcome.message, "");
  if (bare.value) {
    CHECK_EQ(bare.value->version, 1u);
    CHECK_EQ(bare.value->cid, 0u);
    CHECK(!bare.value->has_parent());
    CHECK_EQ(bare.value->type, VMDK_TYPE_UNKNOWN);
    CHECK_EQ(bare.value->key_count(), 0u);
  }
  const Parsed empty = parse("");
  CHECK(empty.value && empty.value->extents.empty() && empty.value->sectors == 0);
}

void test_create_types() {
  const std::pair<const char*, vmdk_type> types[] = {
      {"monolithicSparse", VMDK_TYPE_MONOLITHIC_SPARSE},
      {"monolithicFlat", VMDK_TYPE_MONOLITHIC_FLAT},
      {"twoGbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
      {"2GbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
      {"twoGbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
      {"2GbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
      {"streamOptimized", VMDK_TYPE_STREAM_OPTIMIZED},
      {"vmfs", VMDK_TYPE_VMFS},
      {"vmfsSparse", VMDK_TYPE_VMFS_SPARSE},
      {"seSparse", VMDK_TYPE_SE_SPARSE},
      {"vmfsSeSparse", VMDK_TYPE_SE_SPARSE},
      {"vmfsThin", VMDK_TYPE_VMFS_THIN},
      {"vmfsThick", VMDK_TYPE_VMFS_PREALLOCATED},
      {"vmfsPreallocated", VMDK_TYPE_VMFS_PREALLOCATED},
      {"vmfsEagerZeroedThick", VMDK_TYPE_VMFS_EAGER_ZEROED},
      {"vmfsRaw", VMDK_TYPE_VMFS_RAW},
      {"vmfsRDM", VMDK_TYPE_VMFS_RDM},
      {"vmfsRawDeviceMap", VMDK_TYPE_VMFS_RDM},
      {"vmfsRDMP", VMDK_TYPE_VMFS_RDMP},
      {"vmfsPassthroughRawDeviceMap", VMDK_TYPE_VMFS_RDMP},
      {"fullDevice", VMDK_TYPE_FULL_DEVICE},
      {"partitionedDevice", VMDK_TYPE_PARTITIONED_DEVICE},
      {"custom", VMDK_TYPE_CUSTOM},
  };
  for (const auto& [name, type] : types) {
    const unit::Row row(name);
    std::string upper, lower;
    for (const char c : std::string(name)) {
      upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    for (const std::string& spelt : {std::string(name), upper, lower}) {
      CHECK_EQ(vmdk::type_of(spelt), std::optional<vmdk_type>(type));
      CHECK_EQ(Descriptor::summarize("createType=\"" + spelt + "\"").type, type);
    }
    CHECK(!vmdk::type_of(name + "x"s));
    CHECK(!vmdk::type_of(std::string(name).substr(0, std::string(name).size() - 1)) ||
          name == "vmfsRDMP"s);
  }
  CHECK(!vmdk::type_of(""));
  CHECK(!vmdk::type_of(" custom"));
}

struct ExtentCase {
  std::string line;
  vmdk_access access;
  std::uint64_t sectors;
  ExtentType type;
  std::string file;
  std::uint64_t file_sector = 0;
};

void test_extents() {
  constexpr auto kRw = VMDK_ACCESS_READ_WRITE;
  const ExtentCase lines[] = {
      {"RW 1 FLAT \"a\" 0", kRw, 1, ExtentType::flat, "a"},
      {"rw 1 flat \"a\" 0", kRw, 1, ExtentType::flat, "a"},
      {"RDONLY 1 SPARSE \"a\"", VMDK_ACCESS_READ_ONLY, 1, ExtentType::sparse, "a"},
      {"RONLY 1 SPARSE \"a\"", VMDK_ACCESS_READ_ONLY, 1, ExtentType::sparse, "a"},
      {"RdOnly 1 Sparse \"a\"", VMDK_ACCESS_READ_ONLY, 1, ExtentType::sparse, "a"},
      {"NOACCESS 1 SPARSE \"a\"", VMDK_ACCESS_NONE, 1, ExtentType::sparse, "a"},
      {"noaccess 63 zero", VMDK_ACCESS_NONE, 63, ExtentType::zero, ""},
      {"NOACCESS 0 ZERO ", VMDK_ACCESS_NONE, 0, ExtentType::zero, ""},
      {"RW 63 ZERO", kRw, 63, ExtentType::zero, ""},
      {"RW 63 ZERO \"/dev/sdc2\" 0", kRw, 63, ExtentType::zero, ""},
      {"RW 63 ZERO nonsense", kRw, 63, ExtentType::zero, ""},
      {"RW 0 FLAT \"a\" 0", kRw, 0, ExtentType::flat, "a"},
      {"RW 18014398509481984 SPARSE \"a\"", kRw, kMaxSectors, ExtentType::sparse, "a"},
      {"RW 1 VMFS \"a\"", kRw, 1, ExtentType::vmfs, "a"},
      {"RW 1 VMFS \"a\" 7", kRw, 1, ExtentType::vmfs, "a", 7},
      {"RW 1 VMFSSPARSE \"a\"", kRw, 1, ExtentType::vmfs_sparse, "a"},
      {"RW 1 VMFSRDM \"a\"", kRw, 1, ExtentType::vmfs_rdm, "a"},
      {"RW 1 VMFSRAW \"a\"", kRw, 1, ExtentType::vmfs_raw, "a"},
      {"RW 1 SESPARSE \"a\"", kRw, 1, ExtentType::se_sparse, "a"},
      {"RW 1 FLAT \"a\" 128", kRw, 1, ExtentType::flat, "a", 128},
      {"RW 1 FLAT \"a\" 18014398509481984", kRw, 1, ExtentType::flat, "a", kMaxSectors},
      {"RW\t1\tFLAT\t\"a\"\t5", kRw, 1, ExtentType::flat, "a", 5},
      {"RW 1 FLAT \"a\"5", kRw, 1, ExtentType::flat, "a", 5},
      // Names.
      {"RW 1 FLAT \"a b  c.vmdk\" 3", kRw, 1, ExtentType::flat, "a b  c.vmdk", 3},
      {"RW 1 FLAT \"a \"quoted\" name\" 3", kRw, 1, ExtentType::flat, "a \"quoted\" name", 3},
      {"RW 1 FLAT \"a\" 5\" 3", kRw, 1, ExtentType::flat, "a\" 5", 3},
      {"RW 1 FLAT \"a\" b", kRw, 1, ExtentType::flat, "", UINT64_MAX},
      {"RW 1 FLAT \"#1 a#b.vmdk\" 0", kRw, 1, ExtentType::flat, "#1 a#b.vmdk"},
      {"RW 1 FLAT \"a=b.vmdk\" 0", kRw, 1, ExtentType::flat, "a=b.vmdk"},
      {"RW 1 FLAT \"it's\" 0", kRw, 1, ExtentType::flat, "it's"},
      {"RW 1 FLAT 'a\"b' 9", kRw, 1, ExtentType::flat, "a\"b", 9},
      {"RW 1 FLAT \"C:\\vm\\a.vmdk\" 0", kRw, 1, ExtentType::flat, "C:\\vm\\a.vmdk"},
      {"RW 1 FLAT \"\\\\.\\PhysicalDrive0\" 63", kRw, 1, ExtentType::flat, "\\\\.\\PhysicalDrive0",
       63},
      {"RW 1 FLAT \"/dev/sda\" 63", kRw, 1, ExtentType::flat, "/dev/sda", 63},
      {"RW 1 VMFS \"vsan://0123\"", kRw, 1, ExtentType::vmfs, "vsan://0123"},
      {"RW 1 FLAT \"\xd6\xd0\xce\xc4\" 0", kRw, 1, ExtentType::flat, "\xd6\xd0\xce\xc4"},
      {"RW 1 FLAT \" a \" 0", kRw, 1, ExtentType::flat, " a "},
      {"RW 1 FLAT \"\" 0", kRw, 1, ExtentType::flat, ""},
      {"RW 1 FLAT \"" + std::string(4095, 'n') + "\" 0", kRw, 1, ExtentType::flat,
       std::string(4095, 'n')},
      {"RW 1 FLAT \"a\" 7 partitionUUID dev id", kRw, 1, ExtentType::flat, "a", 7},
      {"RW 1 FLAT \"a\" 7 PARTITIONUUID", kRw, 1, ExtentType::flat, "a", 7},
  };
  for (const ExtentCase& c : lines) {
    const unit::Row row(unit::show(c.line));
    const Parsed parsed = parse(c.line + "\n");
    if (c.file_sector == UINT64_MAX) {
      CHECK_EQ(parsed.outcome.status, VMDK_ERR_CORRUPT);
      continue;
    }
    CHECK_EQ(parsed.outcome.message, "");
    if (!parsed.value || !CHECK_EQ(parsed.value->extents.size(), 1u)) continue;
    const vmdk::ExtentLine& extent = parsed.value->extents[0];
    CHECK_EQ(extent.access, c.access);
    CHECK_EQ(extent.sectors, c.sectors);
    CHECK_EQ(extent.type, c.type);
    CHECK_EQ(extent.file, c.file);
    CHECK_EQ(extent.file_sector, c.file_sector);
    CHECK_EQ(parsed.value->sectors, c.sectors);
    CHECK_EQ(Descriptor::summarize(c.line).sectors, c.sectors);
  }
}

// To pass over a line that might be an extent would shift all that lies behind it.
void test_extents_refused() {
  const struct {
    std::string line;
    vmdk_status status;
    const char* message;
  } lines[] = {
      {"RW", VMDK_ERR_CORRUPT, "size"},
      {"RW FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW -1 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW 0x10 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW 1.5 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW 18446744073709551615 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW 99999999999999999999999 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "size"},
      {"RW 18014398509481985 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "2^63"},
      {"RW 9999999999999999999 ZERO", VMDK_ERR_CORRUPT, "2^63"},
      {"RW 1", VMDK_ERR_UNSUPPORTED, "type"},
      {"RW 1 \"a\"", VMDK_ERR_UNSUPPORTED, "type"},
      {"RW 1 FLATX \"a\" 0", VMDK_ERR_UNSUPPORTED, "type"},
      {"RW 1 SPARS \"a\"", VMDK_ERR_UNSUPPORTED, "type"},
      {"RW 1 VSANSPARSE \"vsan://x\"", VMDK_ERR_UNSUPPORTED, "vSAN"},
      {"RW 1 FLAT", VMDK_ERR_CORRUPT, "missing"},
      {"RW 1 FLAT a 0", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a 0", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a' 0", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" -1", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" x", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" 0 0", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" 0 UUID x", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" 99999999999999999999", VMDK_ERR_CORRUPT, "not understood"},
      {"RW 1 FLAT \"a\" 18014398509481985", VMDK_ERR_CORRUPT, "2^63"},
      {"RW 1 FLAT \"" + std::string(4096, 'n') + "\" 0", VMDK_ERR_PATH_DENIED, "4095 bytes"},
      {"WO 1 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "access"},
      {"R 1 FLAT \"a\" 0", VMDK_ERR_CORRUPT, "access"},
      {"RWX 1 ZERO", VMDK_ERR_CORRUPT, "access"},
      {"READONLY 1 SPARSE \"a\"", VMDK_ERR_CORRUPT, "access"},
      {"RW 1 FLAT \"\x1b[31m\" x", VMDK_ERR_CORRUPT, "?[31m"},
  };
  for (const auto& c : lines) {
    for (const std::string& text : {c.line, kExtent + c.line + "\n", c.line + "\n" + kExtent}) {
      const unit::Row row(unit::show(text));
      const Parsed parsed = parse(text);
      CHECK_EQ(parsed.outcome.status, c.status);
      CHECK_HAS(parsed.outcome.message, c.message);
      CHECK(parsed.outcome.message.starts_with("a.vmdk: "));
      CHECK(parsed.outcome.message.size() < 400);
      CHECK(parsed.outcome.message.find_first_of("\n\x1b") == std::string::npos);
    }
  }
  // Long lines are shown in part.
  const Parsed parsed = parse("RW 1 FLAT \"" + std::string(100000, 'n'));
  CHECK_EQ(parsed.outcome.status, VMDK_ERR_CORRUPT);
  CHECK(parsed.outcome.message.size() < 400);
}

void test_sum_of_extents() {
  const struct {
    const char* lines;
    vmdk_status status;
    std::uint64_t sectors;
  } sums[] = {
      {"RW 1 ZERO\nRW 2 ZERO\nRW 0 ZERO\nRW 4 ZERO\n", VMDK_OK, 7},
      {"RW 18014398509481983 ZERO\nRW 1 ZERO\n", VMDK_OK, kMaxSectors},
      {"RW 18014398509481983 ZERO\nRW 2 ZERO\n", VMDK_ERR_CORRUPT, 0},
      {"RW 18014398509481984 ZERO\nRW 1 ZERO\n", VMDK_ERR_CORRUPT, 0},
      {"RW 9223372036854775808 ZERO\nRW 9223372036854775808 ZERO\n", VMDK_ERR_CORRUPT, 0},
  };
  for (const auto& c : sums) {
    const unit::Row row(unit::show(c.lines));
    const Parsed parsed = parse(c.lines);
    CHECK_EQ(parsed.outcome.status, c.status);
    if (parsed.value) CHECK_EQ(parsed.value->sectors, c.sectors);
  }
}

void test_keys() {
  const std::string text = kHead + "encoding = \"windows-1252\"\nencoding=\"GBK\"\n" + kExtent +
                           "ddb.adapterType = \"ide\"\nddb.adapterType=\"lsilogic\"\n"
                           "ddb.empty = \"\"\nddb.bare =\nddb.one = \"\nddb.two = 'x\"\n"
                           "ddb.blank = \" a b \"\nddb.equals = \"a=b=c\"\nDDB.Upper = 'q'\n"
                           "ddb.comment = \"say \\\"hi\\\"\"\nddb.hash = \"#1\"\nfcd.uuid = x y\n";
  const Parsed parsed = parse(text);
  const std::pair<const char*, const char*> values[] = {
      {"version", "1"},
      {"VERSION", "1"},
      {"encoding", "windows-1252"},     // of a header key the first one counts
      {"ddb.adapterType", "lsilogic"},  // of the disk database the last
      {"DDB.ADAPTERTYPE", "lsilogic"},
      {"ddb.empty", ""},
      {"ddb.bare", ""},
      {"ddb.one", "\""},
      {"ddb.two", "'x\""},
      {"ddb.blank", " a b "},
      {"ddb.equals", "a=b=c"},
      {"ddb.upper", "q"},
      {"ddb.comment", "say \\\"hi\\\""},
      {"ddb.hash", "#1"},
      {"fcd.uuid", "x y"},
      {"missing", "(none)"},
      {"", "(none)"},
      {"ddb.", "(none)"},
      {"ddb.adapterTyp", "(none)"},
      {"ddb.adapterTypes", "(none)"},
      {"CIDx", "(none)"},
      {"RW", "(none)"},
  };
  for (const auto& [key, wanted] : values) {
    const unit::Row row(key);
    CHECK_EQ(value(parsed, key), wanted);
  }
  if (!CHECK(parsed.value.has_value())) return;
  const std::vector<std::string> order = {
      "version",   "CID",         "parentCID", "createType", "encoding",  "ddb.adapterType",
      "ddb.empty", "ddb.bare",    "ddb.one",   "ddb.two",    "ddb.blank", "ddb.equals",
      "DDB.Upper", "ddb.comment", "ddb.hash",  "fcd.uuid"};
  std::vector<std::string> got;
  for (std::size_t i = 0; i < parsed.value->key_count(); ++i)
    got.emplace_back(parsed.value->key(i));
  CHECK_EQ(got, order);
  CHECK_EQ(parsed.value->text, text);

  // Values stay right when the descriptor is copied and moved.
  Descriptor copy = *parsed.value;
  const Descriptor moved = std::move(copy);
  CHECK_EQ(std::string(moved.find("ddb.adapterType").value_or("")), "lsilogic");
  CHECK_EQ(std::string(moved.find("encoding").value_or("")), "windows-1252");
}

// A key that begins like an access is a key; an access that is followed by '=' is one, too.
void test_keys_like_extents() {
  const Parsed parsed = parse("RW=5\nRW = 7 ZERO\nRDONLY =x\nnoaccess2 = 3\n" + kExtent);
  CHECK_EQ(value(parsed, "RW"), "5");
  CHECK_EQ(value(parsed, "RDONLY"), "x");
  CHECK(parsed.value && parsed.value->sectors == 100);
}

void test_limits() {
  const auto with_size = [](std::size_t size) {
    return kWhole + std::string(size - kWhole.size(), '\n');
  };
  const vmdk::DescriptorLimits small{1000, 3};
  CHECK_EQ(parse(with_size(1000), small).outcome.status, VMDK_OK);
  const auto longer = parse(with_size(1001), small).outcome;
  CHECK_EQ(longer.status, VMDK_ERR_LIMIT);
  CHECK_HAS(longer.message, "1000");
  CHECK_HAS(longer.hint, "max_descriptor_bytes");
  CHECK_EQ(parse(kWhole + std::string(5000, '\0'), small).outcome.status, VMDK_OK);

  std::string extents;
  for (int n = 1; n <= 4; ++n) {
    extents += "RW 1 ZERO\n";
    const auto result = parse(extents, small).outcome;
    CHECK_EQ(result.status, n <= 3 ? VMDK_OK : VMDK_ERR_LIMIT);
    if (n > 3) CHECK_HAS(result.hint, "max_extents");
  }
  CHECK_EQ(parse("RW 1 ZERO\n", {1000, 0}).outcome.status, VMDK_ERR_LIMIT);

  std::string keys;
  for (int n = 0; n < 65536; ++n) keys += "k" + std::to_string(n) + "=\n";
  const Parsed most = parse(keys);
  CHECK(most.value && most.value->key_count() == 65536);
  CHECK_EQ(value(most, "K65535"), "");
  CHECK_EQ(parse(keys + "one=more\n").outcome.status, VMDK_ERR_LIMIT);
}

void test_utf16() {
  for (const std::string& mark : {"\xff\xfe"s, "\xfe\xff"s}) {
    const auto result = parse(mark + "#\0 \0"s).outcome;
    CHECK_EQ(result.status, VMDK_ERR_UNSUPPORTED);
    CHECK_HAS(result.message, "UTF-16");
  }
}

void test_looks_like() {
  const struct {
    std::string text;
    bool descriptor;
  } texts[] = {
      {"# Disk DescriptorFile\n", true},
      {"#Disk DescriptorFile", true},
      {"# Disk Descriptor File\r\nversion", true},
      {"# disk descriptorfile\n", true},
      {"\xef\xbb\xbf# Disk DescriptorFile\n", true},
      {"\n\n  \t\n# Disk DescriptorFile\n", true},
      {"version=1\n", true},
      {"version = 1", true},
      {"VERSION=\"1\"", true},
      {"# some comment\n\nversion=1\n", true},
      {"encoding=\"UTF-8\"\n", true},
      {"CID=1", true},
      {"parentCID=1", true},
      {"createType=\"x\"", true},
      {"# one\r# two\rversion=1", true},
      {"", false},
      {"\n\n", false},
      {"# a comment\n", false},
      {"# a comment\nkey=value\nversion=1\n", false},
      {"version", false},
      {"version 1=", false},
      {"versions=1", false},
      {"CIDs=1", false},
      {"RW 1 ZERO\n", false},
      {"\xff\xfe#\0 \0"s, true},  // as 16-bit text; refused with a word on it
      {"\xfe\xff\0#\0 "s, true},
      {"\xff\xfe"s, false},
      {"\0version=1\n"s, false},
      {"x\0version=1\n"s, false},
      {"[Desktop Entry]\nversion=1\n", false},
      {"#!/bin/sh\n", false},
      {"KDMV", false},
      {std::string(4096, '\n'), false},
      {std::string(512, '\xff'), false},
  };
  for (const auto& c : texts) {
    const unit::Row row(unit::show(c.text));
    CHECK_EQ(vmdk::looks_like_descriptor(c.text), c.descriptor);
  }
  const std::pair<std::string, bool> encrypted[] = {
      {".encoding = \"UTF-8\"\nencryption.keySafe = \"x\"\n", true},
      {"encryption.keySafe = \"x\"", true},
      {"\xef\xbb\xbf"
       "ENCRYPTION.data=",
       true},
      {kHead + "encryptionKeys=\"x\"\n", true},
      {kHead + "keyID=\"x\"\n", true},
      {kWhole, false},
      {"", false},
      {"# encryption.keySafe\n", false},
      {"x encryption.keySafe", false},
      {"a\0encryption.keySafe"s, false},
      {std::string(63, '\n') + "keyID=x\n", true},
      {std::string(64, '\n') + "keyID=x\n", false},
  };
  for (const auto& [text, wanted] : encrypted) {
    const unit::Row row(unit::show(text));
    CHECK_EQ(vmdk::looks_encrypted(text), wanted);
  }
}

void test_summarize() {
  const struct {
    std::string text;
    vmdk_type type;
    std::uint64_t sectors;
    bool has_parent;
  } texts[] = {
      {"", VMDK_TYPE_UNKNOWN, 0, false},
      {kWhole, VMDK_TYPE_MONOLITHIC_FLAT, 100, false},
      {"\xef\xbb\xbf"
       "createType=custom\nRW 5 ZERO",
       VMDK_TYPE_CUSTOM, 5, false},
      {"parentCID=12345678\n", VMDK_TYPE_UNKNOWN, 0, true},
      {"parentCID=fffffffe\n", VMDK_TYPE_UNKNOWN, 0, true},
      {"parentCID=nonsense\n", VMDK_TYPE_UNKNOWN, 0, false},
      {"createType=\"nonsense\"\n", VMDK_TYPE_UNKNOWN, 0, false},
      {"RW 1 ZERO\nRDONLY 2 NONSENSE\nNOACCESS 4\nRW x\nWO 8 ZERO", VMDK_TYPE_UNKNOWN, 7, false},
      {"RW 18014398509481984 ZERO\nRW 18014398509481984 ZERO\n", VMDK_TYPE_UNKNOWN, kMaxSectors,
       false},
      {"RW 9999999999999999999 ZERO\nRW 9999999999999999999 ZERO\n", VMDK_TYPE_UNKNOWN, kMaxSectors,
       false},
      {"# Disk DescriptorFile\ncreateType=\"vmf", VMDK_TYPE_UNKNOWN, 0, false},
  };
  for (const auto& c : texts) {
    const unit::Row row(unit::show(c.text));
    const Descriptor::Summary summary = Descriptor::summarize(c.text);
    CHECK_EQ(summary.type, c.type);
    CHECK_EQ(summary.sectors, c.sectors);
    CHECK_EQ(summary.has_parent, c.has_parent);
  }
}

// 20,000 damaged texts. Each is parsed or refused with a message that is safe to print; what is
// parsed holds together.
void test_mutations() {
  const std::string seeds[] = {
      kWhole + "ddb.adapterType = \"ide\"\nddb.geometry.cylinders = \"10\"\n",
      kHead +
          "RW 1 ZERO\nRDONLY 2 SPARSE \"a \"b\" c\"\nNOACCESS 3 VMFS 'x' 1\nRW 4 FLAT \"p\" 5 "
          "partitionUUID y\n",
      "\xef\xbb\xbf#Disk Descriptor File\r\nversion = "
      "3\r\nencoding=\"GBK\"\r\nCID=0xFFFFFFFE\rparentCID=1\r"
      "parentFileNameHint=\"\xd6\xd0\xce\xc4.vmdk\"\rcreateType=\"seSparse\"\rRW 8 SESPARSE "
      "\"a-sesparse.vmdk\"\r",
      "encryption.keySafe = \"vmware:key/list/(x)\"\nencryption.data=\"y\"\n",
  };
  const std::string_view words[] = {"RW ",
                                    "RDONLY 1 ",
                                    "=",
                                    "\"",
                                    "'",
                                    "\n",
                                    "\r",
                                    " ",
                                    "\t",
                                    "#",
                                    "ddb.",
                                    "CID=",
                                    "ZERO",
                                    "FLAT",
                                    "0x",
                                    "9999999999999999999",
                                    "-1",
                                    "parentCID",
                                    "version=",
                                    "createType=\"",
                                    "partitionUUID",
                                    "\xff\xfe",
                                    "\xef\xbb\xbf"};
  unit::Random random(7);
  std::size_t parsed = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = seeds[random.below(std::size(seeds))];
    for (std::uint64_t n = random.between(1, 8); n > 0; --n) {
      const std::size_t at = random.below(text.size() + 1);
      switch (random.below(6)) {
        case 0:
          if (at < text.size()) text[at] = static_cast<char>(random.next() & 0xff);
          break;
        case 1:
          text.insert(at, words[random.below(std::size(words))]);
          break;
        case 2:
          text.erase(at, random.below(20));
          break;
        case 3:
          text.insert(at, text.substr(random.below(text.size() + 1), random.below(60)));
          break;
        case 4:
          text.insert(at, 1, static_cast<char>(random.next() & 0xff));
          break;
        default:
          if (random.one_in(8)) text.resize(at);
      }
    }
    const vmdk::DescriptorLimits limits{random.one_in(10) ? 200u : 1u << 20,
                                        random.one_in(10) ? 2u : 65536u};
    const Descriptor::Summary summary = Descriptor::summarize(text);
    (void)vmdk::looks_like_descriptor(text);
    (void)vmdk::looks_encrypted(text);
    try {
      const Descriptor d = Descriptor::parse("a.vmdk", text, limits);
      ++parsed;
      std::uint64_t sum = 0;
      for (const vmdk::ExtentLine& extent : d.extents) sum += extent.sectors;
      if (sum != d.sectors || sum > kMaxSectors || d.extents.size() > limits.max_extents ||
          d.text.size() > limits.max_bytes)
        CHECK_EQ(text, "a text whose parts fit");
      if (text.find('\0') == std::string::npos && summary.sectors != d.sectors)
        CHECK_EQ(text, "a text summed up rightly");
      for (std::size_t k = 0; k < d.key_count(); ++k)
        if (!d.find(d.key(k))) CHECK_EQ(text, "a text whose keys are found");
    } catch (const vmdk::Error& error) {
      ++refused;
      const std::string message = error.what();
      const bool known = error.status() == VMDK_ERR_CORRUPT ||
                         error.status() == VMDK_ERR_UNSUPPORTED ||
                         error.status() == VMDK_ERR_LIMIT || error.status() == VMDK_ERR_ENCRYPTED ||
                         error.status() == VMDK_ERR_PATH_DENIED;
      bool safe = message.starts_with("a.vmdk: ") && message.size() < 600;
      for (const char c : message)
        safe = safe && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
      if (!known || !safe) CHECK_EQ(message, "a message that can be shown, for " + text);
    }
  }
  CHECK(parsed > 2000);
  CHECK(refused > 2000);
}

void test_random_bytes() {
  unit::Random random(8);
  for (int i = 0; i < 5000; ++i) {
    const auto bytes = unit::random_bytes(random, random.below(600));
    const std::string text(vmdk::as_text(bytes));
    (void)Descriptor::summarize(text);
    (void)vmdk::looks_like_descriptor(text);
    (void)vmdk::looks_encrypted(text);
    (void)parse(text);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_spellings), UNIT_TEST(test_header_keys),       UNIT_TEST(test_create_types),
      UNIT_TEST(test_extents),   UNIT_TEST(test_extents_refused),   UNIT_TEST(test_sum_of_extents),
      UNIT_TEST(test_keys),      UNIT_TEST(test_keys_like_extents), UNIT_TEST(test_limits),
      UNIT_TEST(test_utf16),     UNIT_TEST(test_looks_like),        UNIT_TEST(test_summarize),
      UNIT_TEST(test_mutations), UNIT_TEST(test_random_bytes),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
