// SPDX-License-Identifier: MIT
// ops/target: what each product refuses, held against docs/targets.md.
#include "ops/target.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "../support/unit_check.h"
#include "../support/unit_files.h"
#include "disk/open_raw.h"
#include "util/text.h"

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30, kTiB = kGiB << 10;

constexpr const char* kTargets[] = {"none",       "workstation", "fusion", "esxi",
                                    "virtualbox", "qemu",        "ova",    "aws"};

using Ids = std::set<std::string>;
// What is refused, and by which products: seen in all the tests.
using Seen = std::map<std::string, Ids>;

Ids words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  return {std::istream_iterator<std::string>(in), {}};
}

// "T1", "T2" to "T10 T11" for some products: "esxi: T1; ova aws: T2".
Seen parse(std::string_view text) {
  Seen wanted;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view piece = text.substr(0, end);
    const std::size_t colon = piece.find(':');
    for (const std::string& target : words_of(piece.substr(0, colon)))
      wanted[target].merge(words_of(piece.substr(colon + 1)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return wanted;
}

Seen& seen() {
  static Seen all;
  return all;
}

// Every product says of the disk what `wanted` lists, and nothing else.
template <class Subject>
void check(const std::string& name, const Subject& disk, std::string_view wanted) {
  Seen expected = parse(wanted);
  for (unsigned target = VMDK_TARGET_WORKSTATION; target <= VMDK_TARGET_AWS; ++target) {
    const unit::Row row(name + " for " + kTargets[target]);
    Ids got;
    for (const vmdk::Refusal& refusal : vmdk::refusals_of(static_cast<vmdk_target>(target), disk)) {
      CHECK(got.insert(refusal.rule).second);
      seen()[refusal.rule].insert(kTargets[target]);
      CHECK(refusal.reason.starts_with("it"));
      CHECK_EQ(vmdk::printable(refusal.reason), refusal.reason);
      CHECK(refusal.reason.size() < 400 && refusal.hint.size() < 200);
    }
    std::string got_text, wanted_text;
    for (const std::string& id : got) got_text += id + " ";
    for (const std::string& id : expected[kTargets[target]]) wanted_text += id + " ";
    CHECK_EQ(got_text, wanted_text);
  }
}

vmdk::TargetDisk new_disk(vmdk_type type) {
  vmdk::TargetDisk disk;
  disk.type = type;
  disk.capacity = kGiB;
  disk.adapter = VMDK_ADAPTER_LSILOGIC;
  disk.hardware_version = 4;
  return disk;
}

// ---- What is chosen ----

void test_choice() {
  for (unsigned i = VMDK_TARGET_WORKSTATION; i <= VMDK_TARGET_AWS; ++i) {
    const unit::Row row(kTargets[i]);
    const auto target = static_cast<vmdk_target>(i);
    vmdk::TargetDisk disk;
    disk.capacity = kTiB;
    vmdk::choose_for(target, disk);
    const bool stream = target == VMDK_TARGET_OVA || target == VMDK_TARGET_AWS;
    CHECK_EQ(disk.type, stream                       ? VMDK_TYPE_STREAM_OPTIMIZED
                        : target == VMDK_TARGET_ESXI ? VMDK_TYPE_VMFS
                                                     : VMDK_TYPE_MONOLITHIC_SPARSE);
    CHECK_EQ(disk.adapter, VMDK_ADAPTER_LSILOGIC);
    CHECK_EQ(disk.hardware_version, 4);
    CHECK(vmdk::refusals_of(target, disk).empty());

    vmdk::TargetDisk said = new_disk(VMDK_TYPE_SPLIT_FLAT);
    said.adapter = VMDK_ADAPTER_IDE;
    said.hardware_version = 13;
    vmdk::choose_for(target, said);
    CHECK_EQ(said.type, VMDK_TYPE_SPLIT_FLAT);
    CHECK_EQ(said.adapter, VMDK_ADAPTER_IDE);
    CHECK_EQ(said.hardware_version, 13);

    for (int each = VMDK_ADAPTER_UNKNOWN; each <= VMDK_ADAPTER_NVME; ++each) {
      vmdk::TargetDisk copy = new_disk(disk.type);
      copy.adapter = vmdk::adapter_for(target, static_cast<vmdk_adapter>(each));
      CHECK(vmdk::refusals_of(target, copy).empty());
      if (each <= VMDK_ADAPTER_LEGACY_ESX) CHECK_EQ(copy.adapter, static_cast<vmdk_adapter>(each));
    }
  }
  vmdk::TargetDisk disk;
  vmdk::choose_for(VMDK_TARGET_NONE, disk);
  CHECK_EQ(disk.type, VMDK_TYPE_UNKNOWN);
  CHECK_EQ(disk.adapter, VMDK_ADAPTER_UNKNOWN);
  CHECK_EQ(vmdk::adapter_for(VMDK_TARGET_NONE, VMDK_ADAPTER_NVME), VMDK_ADAPTER_NVME);
}

// ---- New disks ----

constexpr const char* kVmfs = "ova: T3; aws: T4";
constexpr const char* kQemuType = "qemu: T10; ova: T3; aws: T4";
constexpr const char* kSparse = "esxi: T1; ova: T3; aws: T4";
constexpr const char* kStream = "workstation fusion esxi virtualbox qemu: T2";

std::string with(std::string_view some, std::string_view more) {
  return std::string(some) + "; " + std::string(more);
}

void test_new_types() {
  const std::pair<vmdk_type, const char*> cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, kSparse},
      {VMDK_TYPE_SPLIT_SPARSE, kSparse},
      {VMDK_TYPE_MONOLITHIC_FLAT, kVmfs},
      {VMDK_TYPE_SPLIT_FLAT, kVmfs},
      {VMDK_TYPE_STREAM_OPTIMIZED, kStream},
      {VMDK_TYPE_VMFS, kVmfs},
      {VMDK_TYPE_VMFS_THIN, kQemuType},
      {VMDK_TYPE_VMFS_PREALLOCATED, kQemuType},
      {VMDK_TYPE_VMFS_EAGER_ZEROED, kQemuType},
      {VMDK_TYPE_VMFS_SPARSE, "virtualbox: T6; ova: T3; aws: T4"},
      {VMDK_TYPE_RAW, "workstation fusion esxi virtualbox: T5; ova: T3"},
  };
  for (const auto& [type, wanted] : cases)
    check("type " + std::to_string(type), new_disk(type), wanted);
}

void test_new_options() {
  vmdk::TargetDisk disk = new_disk(VMDK_TYPE_MONOLITHIC_SPARSE);
  disk.zero_grains = true;
  check("zero grains", disk, with(kSparse, "virtualbox: T14"));

  disk = new_disk(VMDK_TYPE_MONOLITHIC_SPARSE);
  for (const std::uint64_t grain : {4096u, 8192u, 65536u}) {
    disk.grain_bytes = grain;
    check("grain", disk, kSparse);
  }
  disk.grain_bytes = 131072;
  check("large grain", disk, with(kSparse, "workstation fusion ova: T19"));
  disk.type = VMDK_TYPE_STREAM_OPTIMIZED;
  check("large grain", disk, with(kStream, "workstation fusion ova: T19"));

  disk = new_disk(VMDK_TYPE_STREAM_OPTIMIZED);
  disk.has_parent = true;
  check("child", disk, with(kStream, "virtualbox: T17; ova aws: T20"));
}

void test_new_capacity() {
  const std::pair<std::uint64_t, const char*> cases[] = {
      {1, ""},
      {8 * kTiB, ""},
      {8 * kTiB + 512, "workstation fusion: T24"},
      {62 * kTiB, "workstation fusion: T24"},
      {62 * kTiB + 512, "workstation fusion: T24; esxi ova: T25"},
      {64 * kTiB, "workstation fusion: T24; esxi ova: T25"},
      {64 * kTiB + 512, "workstation fusion: T24; esxi ova: T25; aws: T26"},
  };
  for (const auto& [capacity, more] : cases) {
    vmdk::TargetDisk disk = new_disk(VMDK_TYPE_VMFS);
    disk.capacity = capacity;
    check(std::to_string(capacity) + " bytes", disk, with(kVmfs, more));
  }
}

void test_new_adapters() {
  vmdk::TargetDisk disk = new_disk(VMDK_TYPE_VMFS);
  for (const vmdk_adapter adapter : {VMDK_ADAPTER_UNKNOWN, VMDK_ADAPTER_IDE, VMDK_ADAPTER_BUSLOGIC,
                                     VMDK_ADAPTER_LSILOGIC, VMDK_ADAPTER_LEGACY_ESX}) {
    disk.adapter = adapter;
    check("adapter " + std::to_string(adapter), disk, kVmfs);
  }
  for (const vmdk_adapter adapter :
       {VMDK_ADAPTER_PVSCSI, VMDK_ADAPTER_LSISAS, VMDK_ADAPTER_SATA, VMDK_ADAPTER_NVME}) {
    disk.adapter = adapter;
    check("adapter " + std::to_string(adapter), disk,
          with(kVmfs, "workstation fusion esxi ova: T28"));
  }
  disk.capacity = 2 * kTiB + 512;
  disk.adapter = VMDK_ADAPTER_IDE;
  check("large, ide", disk, kVmfs);
  disk.adapter = VMDK_ADAPTER_BUSLOGIC;
  check("large, buslogic", disk, with(kVmfs, "workstation fusion: T27"));
  disk.capacity = 2 * kTiB;
  check("2 TiB, buslogic", disk, kVmfs);
}

// ---- Disks that are there ----

// An extent of which only the facts are looked at.
class FakeExtent final : public vmdk::Extent {
 public:
  FakeExtent(vmdk_extent_kind kind, std::uint64_t size) : kind_(kind), size_(size) {}

  vmdk_extent_kind kind() const noexcept override { return kind_; }
  std::uint64_t size() const noexcept override { return size_; }
  std::uint64_t grain_bytes() const noexcept override { return grain_bytes_; }
  std::uint32_t header_version() const noexcept override { return version_; }
  const vmdk::File* file() const noexcept override { return file_; }
  vmdk::Run map(std::uint64_t, std::uint64_t) const override { return {}; }

  std::uint64_t grain_bytes_ = 65536;
  std::uint32_t version_ = 0;
  const vmdk::File* file_ = nullptr;

 private:
  vmdk_extent_kind kind_;
  std::uint64_t size_;
};

// How a disk is made up; what is not said is as usual.
struct Made {
  const char* type = "custom";
  const char* extents = "";
  const char* more = "";  // lines before the extents
  const char* database = "ddb.adapterType = \"lsilogic\"\n";
  std::uint32_t version = 0;  // of headers; 0 = 1, or 3 where the grains are compressed
  std::uint64_t grain_bytes = 65536;
  const char* tail = "data|zero";  // last sectors of a stream
  bool embedded = false;
  bool compressed = false;
  bool cowd = false;  // in SPARSE lines
  std::uint32_t descriptor_version = 1;
};

vmdk_extent_kind kind_of(const vmdk::ExtentLine& line, const Made& made) {
  if (line.type == vmdk::ExtentType::zero) return VMDK_EXTENT_ZERO;
  if (line.type == vmdk::ExtentType::se_sparse) return VMDK_EXTENT_SE_SPARSE;
  if (line.type == vmdk::ExtentType::vmfs_sparse) return VMDK_EXTENT_COWD;
  if (line.type != vmdk::ExtentType::sparse) return VMDK_EXTENT_FLAT;
  return made.compressed ? VMDK_EXTENT_STREAM : VMDK_EXTENT_SPARSE;
}

std::vector<std::byte> tail_of(std::string_view text) {
  std::vector<std::byte> bytes;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('|'), text.size());
    const bool data = text.substr(0, end) == "data";
    bytes.insert(bytes.end(), vmdk::kSectorSize, std::byte{0});
    if (data) bytes[bytes.size() - 1] = std::byte{1};
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return bytes;
}

vmdk::Link link_of(const Made& made) {
  vmdk::Link link;
  link.descriptor = vmdk::Descriptor::parse(
      "disk.vmdk",
      "# Disk DescriptorFile\nversion=" + std::to_string(made.descriptor_version) +
          "\nCID=11111111\n" +
          (std::string_view(made.more).find("parentCID") == std::string_view::npos
               ? "parentCID=ffffffff\n"
               : "") +
          (*made.type == '\0' ? "" : "createType=\"" + std::string(made.type) + "\"\n") +
          made.more + made.extents + made.database,
      {16 << 20, 65536});
  link.embedded = made.embedded;
  for (const vmdk::ExtentLine& line : link.descriptor.extents) {
    auto extent =
        std::make_unique<FakeExtent>(kind_of(line, made), line.sectors * vmdk::kSectorSize);
    if (line.type == vmdk::ExtentType::sparse) {
      extent->version_ = made.version != 0 ? made.version : made.compressed ? 3 : 1;
      extent->grain_bytes_ = made.grain_bytes;
    }
    if (made.compressed) {
      link.files.push_back(std::make_unique<unit::MemoryFile>(tail_of(made.tail), "disk.vmdk"));
      extent->file_ = link.files.back().get();
    }
    link.slots.push_back({link.capacity, line.access, std::move(extent)});
    link.capacity += line.sectors * vmdk::kSectorSize;
  }
  return link;
}

void check_made(const std::string& name, const std::vector<Made>& chain, std::string_view wanted) {
  std::vector<vmdk::Link> links;
  for (const Made& made : chain) links.push_back(link_of(made));
  check(name, vmdk::Disk({}, std::move(links), false, {16 << 20, 65536}), wanted);
}

constexpr const char* kRwSparse = "RW 2048 SPARSE \"a.vmdk\"\n";
constexpr const char* kRwFlat = "RW 2048 FLAT \"a.vmdk\" 0\n";
constexpr const char* kRwVmfs = "RW 2048 VMFS \"a.vmdk\"\n";

Made sparse() {
  Made made;
  made.type = "monolithicSparse";
  made.extents = kRwSparse;
  made.embedded = true;
  return made;
}

Made stream() {
  Made made = sparse();
  made.type = "streamOptimized";
  made.extents = "RDONLY 2048 SPARSE \"generated-stream.vmdk\"\n";
  made.compressed = true;
  return made;
}

Made text_disk(const char* type, const char* extents) {
  Made made;
  made.type = type;
  made.extents = extents;
  return made;
}

void test_types() {
  check_made("sparse", {sparse()}, kSparse);
  check_made("stream", {stream()}, kStream);
  check_made("split", {text_disk("twoGbMaxExtentSparse", kRwSparse)}, kSparse);
  check_made("other name of split", {text_disk("2GbMaxExtentSparse", kRwSparse)},
             with(kSparse, "qemu: T10"));
  check_made("flat", {text_disk("monolithicFlat", kRwFlat)}, kVmfs);
  check_made("vmfs", {text_disk("vmfs", kRwVmfs)}, kVmfs);
  check_made("vmfsThin", {text_disk("vmfsThin", kRwVmfs)}, kQemuType);
  check_made("another case", {text_disk("VMFS", kRwVmfs)}, kQemuType);
  check_made("no createType", {text_disk("", kRwVmfs)}, kQemuType);
  check_made("custom", {text_disk("custom", kRwFlat)}, kQemuType);
  check_made("a sparse disk in two files", {text_disk("monolithicSparse", kRwSparse)},
             with(kSparse, "qemu: T10"));
  check_made("cowd", {text_disk("vmfsSparse", "RW 2048 VMFSSPARSE \"a.vmdk\"\n")},
             with(kVmfs, "virtualbox: T6"));
  check_made("seSparse", {text_disk("seSparse", "RW 2048 SESPARSE \"a.vmdk\"\n")},
             with(kVmfs, "virtualbox: T6; workstation fusion: T7; qemu: T13"));
  check_made("rdm", {text_disk("vmfsRDM", "RW 2048 VMFSRDM \"a.vmdk\"\n")},
             with(kQemuType, "virtualbox: T6; workstation fusion: T8"));
  check_made("raw device of ESX", {text_disk("vmfsRaw", "RW 2048 VMFSRAW \"/vmfs/devices/x\"\n")},
             with(kQemuType, "virtualbox: T6; workstation fusion: T8"));
  for (const char* type : {"fullDevice", "partitionedDevice"})
    check_made(type, {text_disk(type, "RW 2048 FLAT \"/dev/x\" 0\n")}, with(kQemuType, "esxi: T9"));
}

void test_raw() {
  std::vector<vmdk::Link> links;
  links.push_back(
      vmdk::raw_link(std::make_unique<unit::MemoryFile>(std::vector<std::byte>(1000), "disk.raw")));
  check("raw", vmdk::Disk({}, std::move(links), false, {}),
        "workstation fusion esxi virtualbox: T5; ova: T3");
}

void test_headers() {
  Made made = sparse();
  made.version = 2;
  check_made("version 2", {made}, with(kSparse, "virtualbox: T14"));
  made.version = 3;
  check_made("plain version 3", {made}, with(kSparse, "qemu: T12"));
  check_made("plain version 3 below", {text_disk("vmfs", kRwVmfs), made},
             "esxi: T1; ova: T3; aws: T4");

  made = stream();
  made.version = 1;
  check_made("stream of version 1", {made}, with(kStream, "ova: T22"));
  made.version = 2;
  check_made("stream of version 2", {made}, with(kStream, "ova: T22; virtualbox: T14"));

  made = sparse();
  for (const std::uint64_t grain : {512u, 2048u}) {
    made.grain_bytes = grain;
    check_made("small grains", {made}, with(kSparse, "virtualbox: T18"));
  }
  made.grain_bytes = 24 * 512;
  check_made("odd grains", {made}, with(kSparse, "virtualbox: T18; workstation fusion ova: T19"));
  made.grain_bytes = 1 << 20;
  check_made("large grains", {made}, with(kSparse, "workstation fusion ova: T19"));
}

void test_streams() {
  Made made = stream();
  for (const char* tail : {"data", "data|data", "zero|data"}) {
    made.tail = tail;
    check_made(tail, {made}, with(kStream, "ova: T23"));
  }
  for (const char* tail : {"data|zero|zero", "zero|zero"}) {
    made.tail = tail;
    check_made(tail, {made}, with(kStream, "ova: T23"));
  }
  for (const char* tail : {"data|zero", "zero|data|zero"}) {
    made.tail = tail;
    check_made(tail, {made}, kStream);
  }

  made = stream();
  made.extents = "RW 2048 SPARSE \"a.vmdk\"\nRW 2048 SPARSE \"b.vmdk\"\n";
  check_made("two extents", {made}, with(kStream, "ova aws: T21"));
  made.extents = "NOACCESS 0 ZERO\nRW 2048 SPARSE \"a.vmdk\"\n";
  check_made("an extent of nothing", {made}, kStream);
}

void test_descriptors() {
  Made made = text_disk("monolithicFlat", "RW 2048 FLAT \"a\" 0\nRW 2048 ZERO\n");
  check_made("ZERO", {made}, with(kVmfs, "qemu: T11"));
  made.extents = "RDONLY 2048 FLAT \"a\" 0\n";
  check_made("RDONLY", {made}, with(kVmfs, "qemu: T11"));
  made.extents = "RW 2048 FLAT \"a\" 0\nNOACCESS 2048 FLAT \"b\" 0\n";
  check_made("NOACCESS", {made}, with(kVmfs, "qemu: T11"));
  made.extents = "RW 2048 FLAT \"a\" 0\nNOACCESS 0 ZERO\n";
  check_made("an extent of nothing", {made}, kVmfs);

  made = text_disk("vmfs", kRwVmfs);
  made.descriptor_version = 3;
  check_made("version 3", {made}, with(kVmfs, "virtualbox: T15"));

  std::string extents;
  while (std::count(extents.begin(), extents.end(), '\n') < 1094) extents += kRwFlat;
  made = text_disk("twoGbMaxExtentFlat", extents.c_str());
  check_made("1100 lines", {made}, kVmfs);
  extents += kRwFlat;
  made.extents = extents.c_str();
  check_made("1101 lines", {made}, with(kVmfs, "virtualbox: T16"));
}

void test_chains() {
  constexpr const char* kParent = "parentCID=22222222\nparentFileNameHint=\"base.vmdk\"\n";
  Made child = sparse();
  child.more = kParent;
  const std::string wanted = with(kSparse, "virtualbox: T17; ova aws: T20");
  check_made("child alone", {child}, wanted);
  check_made("chain", {child, sparse()}, wanted);
  check_made("chain over vmfs", {child, text_disk("vmfs", kRwVmfs)}, wanted);
  check_made("chain over a stream", {child, stream()}, wanted);
  check_made("chain over vmfsThin", {child, text_disk("vmfsThin", kRwVmfs)},
             with(wanted, "qemu: T10"));

  child.database = "ddb.uuid.parent = \"00000000-0000-0000-0000-000000000000\"\n";
  check_made("a UUID of zeros", {child, sparse()}, wanted);
  child.database = "ddb.uuid.parent = \"0dd4ec47-0fd2-4a6e-b2ae-2b8bbb2f4a10\"\n";
  check_made("of VirtualBox", {child, sparse()}, with(kSparse, "ova aws: T20"));

  child = stream();
  child.more = kParent;
  check_made("stream with a parent", {child, stream()},
             with(kStream, "virtualbox: T17; ova aws: T20"));

  child = text_disk("vmfsSparse", "RW 2048 VMFSSPARSE \"a.vmdk\"\n");
  child.more = kParent;
  check_made("snapshot of ESX", {child, text_disk("vmfs", kRwVmfs)},
             "virtualbox: T6 T17; ova: T3 T20; aws: T4 T20");
}

void test_adapters() {
  Made made = text_disk("vmfs", kRwVmfs);
  for (const char* adapter : {"ide", "buslogic", "lsilogic", "legacyESX", "LSILogic"}) {
    const std::string database = "ddb.adapterType = \"" + std::string(adapter) + "\"\n";
    made.database = database.c_str();
    check_made(adapter, {made}, kVmfs);
  }
  for (const char* adapter : {"pvscsi", "lsisas1068", "sata", "nvme", "scsi", "\x01\xff"}) {
    const std::string database = "ddb.adapterType = \"" + std::string(adapter) + "\"\n";
    made.database = database.c_str();
    check_made(adapter, {made}, with(kVmfs, "workstation fusion esxi ova: T28"));
  }
  for (const char* database : {"", "ddb.adapterType = \"\"\n"}) {
    made.database = database;
    check_made("no adapter", {made}, kVmfs);
  }
  made.extents = "RW 4294967297 VMFS \"a.vmdk\"\n";
  made.database = "ddb.adapterType = \"buslogic\"\n";
  check_made("large, buslogic", {made}, with(kVmfs, "workstation fusion: T27"));
}

void test_hints() {
  const auto hint = [](const auto& disk, vmdk_target target) {
    const auto refusals = vmdk::refusals_of(target, disk);
    return refusals.empty() ? std::string("none") : refusals.back().hint;
  };
  const auto disk_of = [](const Made& made) {
    std::vector<vmdk::Link> links;
    links.push_back(link_of(made));
    return vmdk::Disk({}, std::move(links), false, {16 << 20, 65536});
  };
  CHECK_EQ(hint(disk_of(sparse()), VMDK_TARGET_OVA),
           "convert it: vmdk convert SRC DST --target ova");
  CHECK_EQ(hint(disk_of(stream()), VMDK_TARGET_WORKSTATION),
           "convert it: vmdk convert SRC DST --target workstation");
  Made made = sparse();
  made.database = "ddb.adapterType = \"pvscsi\"\n";
  CHECK_EQ(hint(disk_of(made), VMDK_TARGET_FUSION), "set it: vmdk ddb DISK adapterType=lsilogic");
  made = stream();
  made.database = "ddb.adapterType = \"pvscsi\"\n";
  CHECK_EQ(hint(disk_of(made), VMDK_TARGET_OVA), "convert it: vmdk convert SRC DST --target ova");

  vmdk::TargetDisk disk = new_disk(VMDK_TYPE_MONOLITHIC_SPARSE);
  CHECK_HAS(hint(disk, VMDK_TARGET_ESXI), "leave the type");
  disk.adapter = VMDK_ADAPTER_PVSCSI;
  CHECK_HAS(hint(disk, VMDK_TARGET_WORKSTATION), "take lsilogic");
  disk = new_disk(VMDK_TYPE_MONOLITHIC_SPARSE);
  disk.zero_grains = true;
  CHECK_HAS(hint(disk, VMDK_TARGET_VIRTUALBOX), "--zero-grains");
  disk = new_disk(VMDK_TYPE_MONOLITHIC_SPARSE);
  disk.grain_bytes = 1 << 20;
  CHECK_HAS(hint(disk, VMDK_TARGET_FUSION), "64 KiB");
  disk = new_disk(VMDK_TYPE_VMFS);
  disk.capacity = 63 * kTiB;
  CHECK_EQ(hint(disk, VMDK_TARGET_ESXI), "");
}

// ---- The page ----

// Each rule of the page with its products, and the same of what the tests above have seen. Comes
// last.
void test_documented() {
  const char* source = std::getenv("VMDK_SOURCE_DIR");
  if (!CHECK(source != nullptr)) return;
  std::ifstream page(std::string(source) + "/docs/targets.md");
  CHECK(page.good());
  Seen documented;
  std::string text;
  for (std::string line; std::getline(page, line);) {
    text += line + "\n";
    if (!line.starts_with("| T")) continue;
    const std::size_t end = line.find(" |"), next = line.find(" |", end + 2);
    const unit::Row row(line.substr(2, end - 2));
    CHECK(
        documented.emplace(line.substr(2, end - 2), words_of(line.substr(end + 2, next - end - 2)))
            .second);
    const bool sure = line.find("documented") != std::string::npos ||
                      line.find("reported") != std::string::npos ||
                      line.find("concluded") != std::string::npos;
    CHECK(sure);
    CHECK(line.find('[') != std::string::npos);
  }
  CHECK(!documented.empty());
  for (const auto& [rule, targets] : documented) {
    const unit::Row row(rule);
    CHECK_EQ(std::vector<std::string>(seen()[rule].begin(), seen()[rule].end()),
             std::vector<std::string>(targets.begin(), targets.end()));
  }
  for (const auto& [rule, targets] : seen()) {
    const unit::Row row(rule + " in docs/targets.md");
    CHECK(documented.contains(rule));
  }
  // Every number in brackets is a source.
  for (std::size_t at = text.find('['); at != std::string::npos; at = text.find('[', at + 1)) {
    const std::size_t end = text.find(']', at);
    const std::string number = text.substr(at + 1, end - at - 1);
    if (number.find_first_not_of("0123456789") != std::string::npos) continue;
    const unit::Row row("source " + number);
    CHECK(text.find("\n" + number + ". ") != std::string::npos);
  }

  // No rule in the code that no case has met.
  std::ifstream code(std::string(source) + "/src/ops/target.cc");
  CHECK(code.good());
  std::size_t rules = 0;
  for (std::string line; std::getline(code, line);) {
    const std::size_t at = line.find("{\"T");
    if (at == std::string::npos) continue;
    ++rules;
    const std::string rule = line.substr(at + 2, line.find('"', at + 2) - at - 2);
    const unit::Row row(rule + " in target.cc");
    CHECK(seen().contains(rule));
  }
  CHECK_EQ(rules, documented.size());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_choice),       UNIT_TEST(test_new_types),    UNIT_TEST(test_new_options),
      UNIT_TEST(test_new_capacity), UNIT_TEST(test_new_adapters), UNIT_TEST(test_types),
      UNIT_TEST(test_raw),          UNIT_TEST(test_headers),      UNIT_TEST(test_streams),
      UNIT_TEST(test_descriptors),  UNIT_TEST(test_chains),       UNIT_TEST(test_adapters),
      UNIT_TEST(test_hints),        UNIT_TEST(test_documented)};
  return cmocka_run_group_tests_name("target", tests, nullptr, nullptr);
}
