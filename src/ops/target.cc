// SPDX-License-Identifier: MIT
#include "ops/target.h"

#include <algorithm>
#include <array>
#include <bit>

#include "format/geometry.h"
#include "util/text.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;
constexpr std::uint64_t kUsualGrain = 64 << 10;
constexpr std::uint64_t kLeastGrain = 4 << 10;  // of VirtualBox
constexpr std::size_t kVirtualBoxLines = 1100;  // of a descriptor
constexpr std::uint32_t kHardware = 4;          // obsolete since ESX 4: what everyone writes

// -- What there is to be judged, of new disks and of those that are there alike

enum class StreamEnd { marked, missing, padded };  // by the end-of-stream marker

struct Part {
  vmdk_extent_kind kind = VMDK_EXTENT_FLAT;
  ExtentType line = ExtentType::flat;
  vmdk_access access = VMDK_ACCESS_READ_WRITE;
  std::uint64_t grain_bytes = 0;
  std::uint32_t version = 0;  // of its header
  StreamEnd end = StreamEnd::marked;
};

// A link of a chain.
struct Layer {
  vmdk_type type = VMDK_TYPE_UNKNOWN;
  std::string create_type;    // "" for a new disk
  std::uint32_t version = 1;  // of the descriptor
  std::size_t lines = 0;      // of the descriptor
  bool embedded = false;
  bool has_parent = false, has_parent_uuid = false;
  std::vector<Part> parts;
};

struct Facts {
  bool is_new = false;
  std::uint64_t capacity = 0;
  vmdk_adapter adapter = VMDK_ADAPTER_UNKNOWN;
  std::string adapter_text;   // "" if it is not said
  std::vector<Layer> layers;  // the disk, then its parents

  const Layer& top() const { return layers.front(); }
};

template <class Test>
const Part* find_part(const Layer& layer, Test&& test) {
  const auto at = std::find_if(layer.parts.begin(), layer.parts.end(), test);
  return at == layer.parts.end() ? nullptr : &*at;
}

// In the disk or below it.
template <class Test>
const Part* find_part(const Facts& facts, Test&& test) {
  for (const Layer& layer : facts.layers)
    if (const Part* part = find_part(layer, test)) return part;
  return nullptr;
}

template <class Test>
const Layer* find_layer(const Facts& facts, Test&& test) {
  const auto at = std::find_if(facts.layers.begin(), facts.layers.end(), test);
  return at == facts.layers.end() ? nullptr : &*at;
}

bool is_hosted(const Part& part) {
  return part.kind == VMDK_EXTENT_SPARSE || part.kind == VMDK_EXTENT_STREAM;
}

bool is_stream(const Layer& layer) {
  return !layer.parts.empty() &&
         !find_part(layer, [](const Part& part) { return part.kind != VMDK_EXTENT_STREAM; });
}

Part part_of(const TargetDisk& disk) {
  Part part;
  part.grain_bytes = disk.grain_bytes != 0 ? disk.grain_bytes : kUsualGrain;
  switch (disk.type) {
    case VMDK_TYPE_MONOLITHIC_SPARSE:
    case VMDK_TYPE_SPLIT_SPARSE:
      part.kind = VMDK_EXTENT_SPARSE;
      part.line = ExtentType::sparse;
      part.version = disk.zero_grains ? 2 : 1;
      break;
    case VMDK_TYPE_STREAM_OPTIMIZED:
      part.kind = VMDK_EXTENT_STREAM;
      part.line = ExtentType::sparse;
      part.version = 3;
      break;
    case VMDK_TYPE_VMFS_SPARSE:
      part.kind = VMDK_EXTENT_COWD;
      part.line = ExtentType::vmfs_sparse;
      break;
    case VMDK_TYPE_VMFS:
    case VMDK_TYPE_VMFS_THIN:
    case VMDK_TYPE_VMFS_PREALLOCATED:
    case VMDK_TYPE_VMFS_EAGER_ZEROED:
      part.line = ExtentType::vmfs;
      break;
    default:  // flat; what is none of these is not created
      break;
  }
  return part;
}

Facts facts_of(const TargetDisk& disk) {
  Facts facts;
  facts.is_new = true;
  facts.capacity = disk.capacity;
  facts.adapter = disk.adapter;
  facts.adapter_text = adapter_name(disk.adapter);
  Layer layer;
  layer.type = disk.type;
  layer.embedded =
      disk.type == VMDK_TYPE_MONOLITHIC_SPARSE || disk.type == VMDK_TYPE_STREAM_OPTIMIZED;
  layer.has_parent = disk.has_parent;
  layer.parts.push_back(part_of(disk));
  facts.layers.push_back(std::move(layer));
  return facts;
}

// The marker is one sector of zeros, and what is before it is none: a footer, or a grain.
StreamEnd end_of(const File& file) {
  std::array<std::byte, 2 * kSectorSize> tail;
  if (file.size() < tail.size()) return StreamEnd::missing;
  file.read_at(file.size() - tail.size(), tail);
  if (!is_zero(Bytes(tail).subspan(kSectorSize))) return StreamEnd::missing;
  return is_zero(Bytes(tail).first(kSectorSize)) ? StreamEnd::padded : StreamEnd::marked;
}

Layer layer_of(const Link& link, bool is_top) {
  const Descriptor& descriptor = link.descriptor;
  Layer layer;
  layer.type = descriptor.type;
  layer.create_type = descriptor_utf8(link, descriptor.find("createType").value_or(""));
  layer.version = descriptor.version;
  layer.lines =
      static_cast<std::size_t>(std::count(descriptor.text.begin(), descriptor.text.end(), '\n'));
  layer.embedded = link.embedded;
  layer.has_parent = descriptor.has_parent();
  // VirtualBox gives every disk this key; of zeros where there is none.
  const std::string_view uuid = descriptor.find("ddb.uuid.parent").value_or("");
  layer.has_parent_uuid = uuid.find_first_not_of("0-") != std::string_view::npos;
  for (std::size_t i = 0; i < link.slots.size(); ++i) {
    const Extent& extent = *link.slots[i].extent;
    if (extent.size() == 0) continue;
    Part part;
    part.kind = extent.kind();
    part.line = descriptor.extents[i].type;
    part.access = link.slots[i].access;
    part.grain_bytes = extent.grain_bytes();
    part.version = extent.header_version();
    if (is_top && part.kind == VMDK_EXTENT_STREAM) part.end = end_of(*extent.file());
    layer.parts.push_back(part);
  }
  return layer;
}

Facts facts_of(const Disk& disk) {
  Facts facts;
  facts.capacity = disk.capacity();
  if (disk.find_text(0, "ddb.adapterType", facts.adapter_text))
    facts.adapter = adapter_of(facts.adapter_text);
  for (const Link& link : disk.links())
    facts.layers.push_back(layer_of(link, facts.layers.empty()));
  return facts;
}

// -- Products

constexpr unsigned bit(vmdk_target target) noexcept { return 1u << target; }

constexpr unsigned kWorkstation = bit(VMDK_TARGET_WORKSTATION), kFusion = bit(VMDK_TARGET_FUSION),
                   kEsxi = bit(VMDK_TARGET_ESXI), kVirtualBox = bit(VMDK_TARGET_VIRTUALBOX),
                   kQemu = bit(VMDK_TARGET_QEMU), kOva = bit(VMDK_TARGET_OVA),
                   kAws = bit(VMDK_TARGET_AWS);

struct Product {
  const char* option;  // what the command calls it
  const char* name;
  vmdk_type type;
};

constexpr Product kProducts[] = {
    {"", "", VMDK_TYPE_UNKNOWN},
    {"workstation", "Workstation", VMDK_TYPE_MONOLITHIC_SPARSE},
    {"fusion", "Fusion", VMDK_TYPE_MONOLITHIC_SPARSE},
    {"esxi", "ESXi", VMDK_TYPE_VMFS},
    {"virtualbox", "VirtualBox", VMDK_TYPE_MONOLITHIC_SPARSE},
    {"qemu", "QEMU", VMDK_TYPE_MONOLITHIC_SPARSE},
    {"ova", "an importer of OVAs", VMDK_TYPE_STREAM_OPTIMIZED},
    {"aws", "AWS", VMDK_TYPE_STREAM_OPTIMIZED},
};

std::string name_of(vmdk_target target) { return kProducts[target].name; }

// -- Rules: each tells why the disk is refused, or ""

std::string more_than(const Facts& facts, std::uint64_t most, const std::string& whose) {
  if (facts.capacity <= most) return "";
  return "it has " + std::to_string(facts.capacity) + " bytes, more than the " +
         std::to_string(most / kTiB) + " TiB of " + whose;
}

std::string hosted_sparse(const Facts& facts, vmdk_target) {
  if (!find_part(facts, [](const Part& part) { return part.kind == VMDK_EXTENT_SPARSE; }))
    return "";
  return "its extents are hosted sparse ones, and ESXi does not power on a machine with them";
}

std::string compressed(const Facts& facts, vmdk_target target) {
  if (!find_part(facts.top(), [](const Part& part) { return part.kind == VMDK_EXTENT_STREAM; }))
    return "";
  return "its grains are compressed and written once only, so " + name_of(target) +
         " can import it but no machine can run from it";
}

std::string no_stream(const Facts& facts, vmdk_target) {
  if (is_stream(facts.top())) return "";
  return "it is not streamOptimized, the one type that all importers of OVAs take";
}

std::string no_stream_nor_raw(const Facts& facts, vmdk_target) {
  if (is_stream(facts.top()) || facts.top().type == VMDK_TYPE_RAW) return "";
  return "it is not streamOptimized, the one type of VMDK that AWS imports";
}

std::string raw(const Facts& facts, vmdk_target target) {
  if (facts.top().type != VMDK_TYPE_RAW) return "";
  return "it is raw, and " + name_of(target) + " takes a file for a disk by its descriptor";
}

std::string foreign_lines(const Facts& facts, vmdk_target) {
  const auto foreign = [](const Part& part) {
    return part.line != ExtentType::sparse && part.line != ExtentType::flat &&
           part.line != ExtentType::zero && part.line != ExtentType::vmfs;
  };
  if (!find_part(facts, foreign)) return "";
  return "its extents are of a kind of ESXi's own, of which VirtualBox knows VMFS alone";
}

std::string se_sparse(const Facts& facts, vmdk_target target) {
  if (!find_part(facts, [](const Part& part) { return part.kind == VMDK_EXTENT_SE_SPARSE; }))
    return "";
  return "its extents are seSparse, a kind for datastores of ESXi that " + name_of(target) +
         " does not have";
}

std::string esx_device(const Facts& facts, vmdk_target target) {
  const auto mapped = [](const Part& part) {
    return part.line == ExtentType::vmfs_rdm || part.line == ExtentType::vmfs_raw;
  };
  if (!find_part(facts, mapped)) return "";
  return "it stands for a device of an ESXi host, which " + name_of(target) + " does not have";
}

std::string hosted_device(const Facts& facts, vmdk_target) {
  const auto device = [](const Layer& layer) {
    return layer.type == VMDK_TYPE_FULL_DEVICE || layer.type == VMDK_TYPE_PARTITIONED_DEVICE;
  };
  if (!find_layer(facts, device)) return "";
  return "it stands for a device of the computer it was made on, which ESXi has no disks of";
}

// Looked at only where the descriptor is a file of its own.
std::string create_type(const Facts& facts, vmdk_target) {
  struct Known {
    vmdk_type type;
    std::string_view name;
  };
  static constexpr Known kKnown[] = {
      {VMDK_TYPE_MONOLITHIC_FLAT, "monolithicFlat"},
      {VMDK_TYPE_VMFS, "vmfs"},
      {VMDK_TYPE_VMFS_SPARSE, "vmfsSparse"},
      {VMDK_TYPE_SE_SPARSE, "seSparse"},
      {VMDK_TYPE_SPLIT_SPARSE, "twoGbMaxExtentSparse"},
      {VMDK_TYPE_SPLIT_FLAT, "twoGbMaxExtentFlat"},
  };
  const auto unknown = [&](const Layer& layer) {
    return !layer.embedded && layer.type != VMDK_TYPE_RAW &&
           std::none_of(std::begin(kKnown), std::end(kKnown), [&](const Known& known) {
             return facts.is_new ? known.type == layer.type : known.name == layer.create_type;
           });
  };
  const Layer* layer = find_layer(facts, unknown);
  if (layer == nullptr) return "";
  if (layer->create_type.empty()) return "its createType is none that QEMU opens";
  return "its createType \"" + printable(layer->create_type) + "\" is none that QEMU opens";
}

std::string lines_left_out(const Facts& facts, vmdk_target) {
  const auto left_out = [](const Part& part) {
    return part.access != VMDK_ACCESS_READ_WRITE || part.line == ExtentType::zero;
  };
  const auto affected = [&](const Layer& layer) {
    return !layer.embedded && layer.type != VMDK_TYPE_RAW && find_part(layer, left_out) != nullptr;
  };
  if (!find_layer(facts, affected)) return "";
  return "it has extents that are ZERO or not RW: QEMU leaves them out, and what follows moves "
         "down";
}

std::string plain_version_3(const Facts& facts, vmdk_target) {
  const auto plain = [](const Part& part) {
    return part.kind == VMDK_EXTENT_SPARSE && part.version == 3;
  };
  if (!find_part(facts.top(), plain)) return "";
  return "its header has version 3 without compression, which QEMU opens to read only";
}

std::string se_sparse_to_read(const Facts& facts, vmdk_target) {
  if (!find_part(facts.top(), [](const Part& part) { return part.kind == VMDK_EXTENT_SE_SPARSE; }))
    return "";
  return "its extents are seSparse, which QEMU opens to read only";
}

std::string header_version(const Facts& facts, vmdk_target) {
  const auto unknown = [](const Part& part) {
    return is_hosted(part) && part.version != 1 && part.version != 3;
  };
  const Part* part = find_part(facts, unknown);
  if (part == nullptr) return "";
  return "its header has version " + std::to_string(part->version) +
         ", of which VirtualBox knows 1 and 3";
}

std::string descriptor_version(const Facts& facts, vmdk_target) {
  const Layer* layer = find_layer(facts, [](const Layer& each) { return each.version != 1; });
  if (layer == nullptr || layer->type == VMDK_TYPE_RAW) return "";
  return "its descriptor has version " + std::to_string(layer->version) +
         ", of which VirtualBox knows 1";
}

std::string descriptor_lines(const Facts& facts, vmdk_target) {
  const Layer* layer =
      find_layer(facts, [](const Layer& each) { return each.lines > kVirtualBoxLines; });
  if (layer == nullptr) return "";
  return "its descriptor has " + std::to_string(layer->lines) +
         " lines, more than the 1100 that VirtualBox has room for";
}

std::string parent_by_cid(const Facts& facts, vmdk_target) {
  const auto lost = [](const Layer& layer) { return layer.has_parent && !layer.has_parent_uuid; };
  if (!find_layer(facts, lost)) return "";
  return "it rests on a parent that it does not name by ddb.uuid.parent, as VirtualBox wants it";
}

std::string small_grains(const Facts& facts, vmdk_target) {
  const auto odd = [](const Part& part) {
    return is_hosted(part) &&
           (!std::has_single_bit(part.grain_bytes) || part.grain_bytes < kLeastGrain);
  };
  const Part* part = find_part(facts, odd);
  if (part == nullptr) return "";
  return "its grains have " + std::to_string(part->grain_bytes) +
         " bytes, and VirtualBox takes powers of two from 4096";
}

std::string large_grains(const Facts& facts, vmdk_target) {
  const auto odd = [](const Part& part) {
    return is_hosted(part) &&
           (!std::has_single_bit(part.grain_bytes) || part.grain_bytes > kUsualGrain);
  };
  const Part* part = find_part(facts, odd);
  if (part == nullptr) return "";
  return "its grains have " + std::to_string(part->grain_bytes) +
         " bytes, and VMware's programs take powers of two up to 65536";
}

std::string alone(const Facts& facts, vmdk_target target) {
  if (!facts.top().has_parent) return "";
  return "it rests on a parent, and " + name_of(target) + " gets one file";
}

std::string several_extents(const Facts& facts, vmdk_target target) {
  const Layer& top = facts.top();
  if (!is_stream(top) || top.parts.size() == 1) return "";
  return "it has " + std::to_string(top.parts.size()) + " extents, and " + name_of(target) +
         " gets one file";
}

std::string old_stream(const Facts& facts, vmdk_target) {
  const auto old = [](const Part& part) {
    return part.kind == VMDK_EXTENT_STREAM && part.version < 3;
  };
  const Part* part = find_part(facts.top(), old);
  if (part == nullptr) return "";
  return "its header has version " + std::to_string(part->version) +
         ", and ESXi takes streams from version 3";
}

std::string stream_end(const Facts& facts, vmdk_target) {
  const auto bad = [](const Part& part) { return part.end != StreamEnd::marked; };
  const Part* part = find_part(facts.top(), bad);
  if (part == nullptr) return "";
  if (part->end == StreamEnd::missing)
    return "it does not end with an end-of-stream marker, which those who read it in order wait "
           "for";
  return "it goes on behind its end-of-stream marker, as qemu-img makes it: who reads it in order "
         "stops there and finds another digest than the manifest's";
}

std::string over_8_tib(const Facts& facts, vmdk_target target) {
  return more_than(facts, 8 * kTiB, name_of(target));
}

std::string over_62_tib(const Facts& facts, vmdk_target) {
  return more_than(facts, 62 * kTiB, "ESXi");
}

std::string over_64_tib(const Facts& facts, vmdk_target) {
  return more_than(facts, 64 * kTiB, "a volume of AWS");
}

std::string buslogic(const Facts& facts, vmdk_target) {
  if (facts.adapter != VMDK_ADAPTER_BUSLOGIC) return "";
  return more_than(facts, 2 * kTiB, "a disk at a BusLogic adapter");
}

std::string adapter(const Facts& facts, vmdk_target target) {
  if (facts.adapter_text.empty() || (facts.adapter != VMDK_ADAPTER_UNKNOWN &&
                                     adapter_for(target, facts.adapter) == facts.adapter))
    return "";
  return "its ddb.adapterType is \"" + printable(facts.adapter_text) +
         "\", and VMware knows ide, buslogic, lsilogic and legacyESX";
}

// What to do about a refusal.
enum class Cure { type, zero_grains, grain, adapter, convert, none };

struct Rule {
  const char* id;
  std::string (*check)(const Facts&, vmdk_target);
  unsigned targets;
  Cure cure;
};

// docs/targets.md has the sources.
constexpr Rule kRules[] = {
    {"T1", hosted_sparse, kEsxi, Cure::type},
    {"T2", compressed, kWorkstation | kFusion | kEsxi | kVirtualBox | kQemu, Cure::type},
    {"T3", no_stream, kOva, Cure::type},
    {"T4", no_stream_nor_raw, kAws, Cure::type},
    {"T5", raw, kWorkstation | kFusion | kEsxi | kVirtualBox, Cure::type},
    {"T6", foreign_lines, kVirtualBox, Cure::type},
    {"T7", se_sparse, kWorkstation | kFusion, Cure::type},
    {"T8", esx_device, kWorkstation | kFusion, Cure::type},
    {"T9", hosted_device, kEsxi, Cure::type},
    {"T10", create_type, kQemu, Cure::type},
    {"T11", lines_left_out, kQemu, Cure::convert},
    {"T12", plain_version_3, kQemu, Cure::convert},
    {"T13", se_sparse_to_read, kQemu, Cure::type},
    {"T14", header_version, kVirtualBox, Cure::zero_grains},
    {"T15", descriptor_version, kVirtualBox, Cure::convert},
    {"T16", descriptor_lines, kVirtualBox, Cure::convert},
    {"T17", parent_by_cid, kVirtualBox, Cure::convert},
    {"T18", small_grains, kVirtualBox, Cure::grain},
    {"T19", large_grains, kWorkstation | kFusion | kOva, Cure::grain},
    {"T20", alone, kOva | kAws, Cure::convert},
    {"T21", several_extents, kOva | kAws, Cure::convert},
    {"T22", old_stream, kOva, Cure::convert},
    {"T23", stream_end, kOva, Cure::convert},
    {"T24", over_8_tib, kWorkstation | kFusion, Cure::none},
    {"T25", over_62_tib, kEsxi | kOva, Cure::none},
    {"T26", over_64_tib, kAws, Cure::none},
    {"T27", buslogic, kWorkstation | kFusion, Cure::adapter},
    {"T28", adapter, kWorkstation | kFusion | kEsxi | kOva, Cure::adapter},
};

std::string hint_for(const Facts& facts, vmdk_target target, Cure cure) {
  if (cure == Cure::none) return "";
  // What is compressed has no key changed in place.
  if (!facts.is_new && (cure != Cure::adapter || is_stream(facts.top())))
    return std::string("convert it: vmdk convert SRC DST --target ") + kProducts[target].option;
  switch (cure) {
    case Cure::type:
      return "leave the type to the target, which has one that fits";
    case Cure::zero_grains:
      return "leave out --zero-grains (VMDK_CREATE_ZERO_GRAINS)";
    case Cure::grain:
      return "leave out the size of a grain: it is 64 KiB then";
    case Cure::adapter:
      return facts.is_new ? "take lsilogic, which stands for all that is neither IDE nor BusLogic"
                          : "set it: vmdk ddb DISK adapterType=lsilogic";
    default:
      return "";
  }
}

std::vector<Refusal> judge(vmdk_target target, const Facts& facts) {
  std::vector<Refusal> refusals;
  for (const Rule& rule : kRules) {
    if ((rule.targets & bit(target)) == 0) continue;
    std::string reason = rule.check(facts, target);
    if (!reason.empty())
      refusals.push_back({rule.id, std::move(reason), hint_for(facts, target, rule.cure)});
  }
  return refusals;
}

}  // namespace

void choose_for(vmdk_target target, TargetDisk& disk) {
  if (target == VMDK_TARGET_NONE) return;
  if (disk.type == VMDK_TYPE_UNKNOWN) disk.type = kProducts[target].type;
  if (disk.adapter == VMDK_ADAPTER_UNKNOWN) disk.adapter = VMDK_ADAPTER_LSILOGIC;
  if (disk.hardware_version == 0) disk.hardware_version = kHardware;
}

vmdk_adapter adapter_for(vmdk_target target, vmdk_adapter original) noexcept {
  if ((bit(target) & (kWorkstation | kFusion | kEsxi | kOva)) == 0) return original;
  return original > VMDK_ADAPTER_LEGACY_ESX ? VMDK_ADAPTER_LSILOGIC : original;
}

std::vector<Refusal> refusals_of(vmdk_target target, const TargetDisk& disk) {
  return judge(target, facts_of(disk));
}

std::vector<Refusal> refusals_of(vmdk_target target, const Disk& disk) {
  return judge(target, facts_of(disk));
}

}  // namespace vmdk
