// SPDX-License-Identifier: MIT
// `vmdk info`: what is known of a disk without reading its data.
#include <cinttypes>
#include <optional>
#include <string>
#include <vector>

#include "describe.h"
#include "errors.h"
#include "info_report.h"
#include "messages.h"
#include "new_disk.h"
#include "output.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

constexpr int kLabelColumns = 10;

void print_line(TextOutput& out, const char* label, const std::string& text) {
  out.print("%-*s  %s\n", kLabelColumns, label, text.c_str());
}

// 1 of something, or several: "1 extent", "3 extents".
std::string count_of(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string kind_text(const LinkReport& link) {
  std::string text = type_name(link.info.type);
  if (link.info.type == VMDK_TYPE_RAW) return text;
  if (!link.create_type.empty()) text = printable(link.create_type);
  if (link.info.header_version != 0)
    text += ", header version " + std::to_string(link.info.header_version);
  return text + ", descriptor version " + std::to_string(link.info.descriptor_version);
}

std::string stored_text(const vmdk_info& info) {
  return human_size(info.stored_bytes) + " in files of " + exact_size(info.file_bytes) + ", " +
         count_of(info.extent_count, "extent");
}

std::string flags_text(std::uint32_t flags) {
  std::string text;
  for (const FlagName& flag : info_flags()) {
    if ((flags & flag.flag) == 0) continue;
    if (!text.empty()) text += ", ";
    text += flag.text;
  }
  return text;
}

std::string geometry_text(std::uint32_t cylinders, std::uint32_t heads, std::uint32_t sectors) {
  return count_of(cylinders, "cylinder") + ", " + count_of(heads, "head") + ", " +
         count_of(sectors, "sector");
}

void print_hardware(TextOutput& out, const vmdk_info& info) {
  if (info.adapter != VMDK_ADAPTER_UNKNOWN) print_line(out, "adapter", adapter_name(info.adapter));
  if (info.hardware_version != 0)
    print_line(out, "hardware", "version " + std::to_string(info.hardware_version));
  if (info.cylinders != 0 || info.heads != 0 || info.sectors != 0)
    print_line(out, "geometry", geometry_text(info.cylinders, info.heads, info.sectors));
  if (info.bios_cylinders != 0 || info.bios_heads != 0 || info.bios_sectors != 0)
    print_line(out, "BIOS", geometry_text(info.bios_cylinders, info.bios_heads, info.bios_sectors));
  if (info.logical_sector_bytes != 512 || info.physical_sector_bytes != 512)
    print_line(out, "sectors",
               std::to_string(info.logical_sector_bytes) + " bytes logical, " +
                   std::to_string(info.physical_sector_bytes) + " physical");
}

void print_extents(TextOutput& out, const LinkReport& link) {
  out.write("extents\n");
  out.print("  %5s %16s %16s  %-8s  %-8s  %s\n", "#", "OFFSET", "SIZE", "KIND", "ACCESS", "FILE");
  for (std::size_t i = 0; i < link.extents.size(); ++i) {
    const ExtentReport& extent = link.extents[i];
    out.print("  %5zu %16" PRIu64 " %16" PRIu64 "  %-8s  %-8s  %s", i, extent.info.offset,
              extent.info.size, extent_kind_name(extent.info.kind), access_name(extent.info.access),
              extent.file.empty() ? "-" : printable(extent.file).c_str());
    if (extent.info.file_offset != 0) out.print(" from %" PRIu64, extent.info.file_offset);
    out.write("\n");
  }
}

void print_keys(TextOutput& out, const LinkReport& link) {
  out.write("keys\n");
  for (const auto& [key, value] : link.keys)
    out.print("  %s = %s\n", printable(key).c_str(), printable(value).c_str());
}

void print_link(TextOutput& out, const LinkReport& link, const InfoParts& parts) {
  const vmdk_info& info = link.info;
  print_line(out, "file", printable(link.path));
  print_line(out, "kind", kind_text(link));
  print_line(out, "capacity", exact_size(info.capacity));
  print_line(out, "stored", stored_text(info));
  if (info.grain_bytes != 0) print_line(out, "grain", human_size(info.grain_bytes));
  if (info.type != VMDK_TYPE_RAW) print_line(out, "CID", cid_text(info.cid));
  if ((info.flags & VMDK_INFO_HAS_PARENT) != 0) {
    const std::string hint = link.parent_hint.empty() ? "not named" : printable(link.parent_hint);
    print_line(out, "parent", hint + ", CID " + cid_text(info.parent_cid));
  }
  if (info.chain_length > 1) print_line(out, "chain", count_of(info.chain_length, "disk"));
  print_hardware(out, info);
  if (info.flags != 0) print_line(out, "flags", flags_text(info.flags));
  if (info.recovered_tables != 0)
    print_line(out, "recovered",
               "a table was read from its copy " + count_of(info.recovered_tables, "time"));
  if (parts.extents) print_extents(out, link);
  if (parts.keys) print_keys(out, link);
}

void print_target(TextOutput& out, const TargetReport& target) {
  const std::string name = target_name(target.target);
  if (target.reasons.empty()) return print_line(out, "target", name + " accepts it");
  print_line(out, "target", name + " refuses it");
  for (const TargetReport::Reason& reason : target.reasons) {
    print_line(out, "because", printable(reason.text));
    if (!reason.hint.empty()) print_line(out, "hint", printable(reason.hint));
  }
}

}  // namespace

int run_info(Arguments arguments) {
  std::string file;
  std::string target_text;
  bool json = false;
  InfoParts parts;
  CommonOptions common;
  CommandLine line("info", verb_summary("info"));
  line.argument("FILE", file, "The disk");
  line.flag("--json", json, "Print a JSON document");
  line.flag("--chain", parts.chain, "Every disk of the chain, not only the first");
  line.flag("--extents", parts.extents, "The extents and their files");
  line.flag("--keys", parts.keys, "Every key of the descriptor");
  line.option("--target", target_text, "NAME",
              "Whether it takes the disk: workstation, fusion, esxi, virtualbox, qemu, ova, aws");
  line.footer("Exit status with --target: 0 accepted, 1 refused.");
  common.add_to(line, kTakesAll | kTakesFrom);
  line.parse(arguments);
  common.check();
  const std::uint32_t target = target_text.empty() ? 0 : parse_target(target_text);

  const DiskHandle disk(file, common, Work::tables);
  std::vector<LinkReport> links;
  const std::uint32_t count = parts.chain ? disk.info().chain_length : 1;
  for (std::uint32_t i = 0; i < count; ++i) links.push_back(read_link(disk, i, parts));
  std::optional<TargetReport> verdict;
  if (target != VMDK_TARGET_NONE) verdict = check_target(disk, target);

  TextOutput out;
  if (json) {
    out.write(info_json(file, links, parts, verdict ? &*verdict : nullptr));
  } else {
    for (const LinkReport& link : links) {
      if (&link != &links.front()) out.write("\n");
      if (parts.chain) print_line(out, "link", std::to_string(&link - links.data()));
      print_link(out, link, parts);
    }
    if (verdict) print_target(out, *verdict);
  }
  out.finish();
  return verdict && !verdict->reasons.empty() ? kExitFailed : kExitDone;
}

}  // namespace vmdk_tool
