// SPDX-License-Identifier: MIT
#include "info_report.h"

#include <new>
#include <utility>

#include "describe.h"
#include "errors.h"
#include "json.h"

namespace vmdk_tool {
namespace {

// null where the number says that there is nothing to say.
Json unless_zero(std::uint64_t number) { return number == 0 ? Json(nullptr) : Json(number); }

Json geometry(std::uint32_t cylinders, std::uint32_t heads, std::uint32_t sectors) {
  if (cylinders == 0 && heads == 0 && sectors == 0) return nullptr;
  return {{"cylinders", cylinders}, {"heads", heads}, {"sectors", sectors}};
}

Json flags(std::uint32_t set) {
  Json json = Json::object();
  for (const FlagName& flag : info_flags()) json[flag.key] = (set & flag.flag) != 0;
  return json;
}

Json extents(const LinkReport& link) {
  Json json = Json::array();
  for (const ExtentReport& extent : link.extents) {
    const vmdk_extent_info& info = extent.info;
    json.push_back({{"kind", extent_kind_name(info.kind)},
                    {"access", access_name(info.access)},
                    {"offset", info.offset},
                    {"size", info.size},
                    {"file", extent.file.empty() ? Json(nullptr) : Json(extent.file)},
                    {"file_offset", info.file_offset},
                    {"file_bytes", info.file_bytes},
                    {"grain_bytes", unless_zero(info.grain_bytes)},
                    {"flags", flags(info.flags)}});
  }
  return json;
}

Json keys(const LinkReport& link) {
  // Appended, not looked up: the library names each key once, and there may be
  // a great many.
  Json json = Json::object();
  auto& fields = json.get_ref<Json::object_t&>();
  for (const auto& [key, value] : link.keys) fields.emplace_back(key, value);
  return json;
}

Json target_json(const TargetReport& target) {
  Json reasons = Json::array();
  for (const TargetReport::Reason& reason : target.reasons)
    reasons.push_back({{"reason", reason.text},
                       {"hint", reason.hint.empty() ? Json(nullptr) : Json(reason.hint)}});
  return {{"name", target_name(target.target)},
          {"accepted", target.reasons.empty()},
          {"reasons", std::move(reasons)}};
}

// A vmdk_refusal_fn; `user` is a TargetReport.
int add_reason(void* user, const char* reason, const char* hint) noexcept {
  try {
    static_cast<TargetReport*>(user)->reasons.push_back({reason, hint});
    return 0;
  } catch (...) {
    return 1;
  }
}

void add_link(Json& json, const LinkReport& link, const InfoParts& parts) {
  const vmdk_info& info = link.info;
  const bool has_parent = (info.flags & VMDK_INFO_HAS_PARENT) != 0;
  json["path"] = link.path;
  json["type"] = type_name(info.type);
  json["create_type"] = link.create_type.empty() ? Json(nullptr) : Json(link.create_type);
  json["capacity"] = info.capacity;
  json["stored_bytes"] = info.stored_bytes;
  json["file_bytes"] = info.file_bytes;
  json["grain_bytes"] = unless_zero(info.grain_bytes);
  const bool raw = info.type == VMDK_TYPE_RAW;
  json["cid"] = raw ? Json(nullptr) : Json(cid_text(info.cid));
  json["parent_cid"] = has_parent ? Json(cid_text(info.parent_cid)) : Json(nullptr);
  json["parent_hint"] = link.parent_hint.empty() ? Json(nullptr) : Json(link.parent_hint);
  json["chain_length"] = info.chain_length;
  json["extent_count"] = info.extent_count;
  json["descriptor_version"] = raw ? Json(nullptr) : Json(info.descriptor_version);
  json["header_version"] = unless_zero(info.header_version);
  json["adapter"] =
      info.adapter == VMDK_ADAPTER_UNKNOWN ? Json(nullptr) : Json(adapter_name(info.adapter));
  json["hardware_version"] = unless_zero(info.hardware_version);
  json["geometry"] = geometry(info.cylinders, info.heads, info.sectors);
  json["bios_geometry"] = geometry(info.bios_cylinders, info.bios_heads, info.bios_sectors);
  json["logical_sector_bytes"] = info.logical_sector_bytes;
  json["physical_sector_bytes"] = info.physical_sector_bytes;
  json["recovered_tables"] = info.recovered_tables;
  json["flags"] = flags(info.flags);
  if (parts.extents) json["extents"] = extents(link);
  if (parts.keys) json["keys"] = keys(link);
}

}  // namespace

LinkReport read_link(const DiskHandle& disk, std::uint32_t link, const InfoParts& parts) {
  LinkReport report;
  report.info = disk.info(link);
  report.path = disk.text(link, "@path").value_or("");
  report.create_type = disk.text(link, "createType").value_or("");
  report.parent_hint = disk.text(link, "parentFileNameHint").value_or("");
  if (parts.extents) {
    for (std::uint32_t i = 0; i < report.info.extent_count; ++i)
      report.extents.push_back({disk.extent(link, i), disk.extent_file(link, i)});
  }
  if (parts.keys) {
    for (std::uint32_t i = 0; i < report.info.key_count; ++i) {
      std::string key = disk.key(link, i);
      std::string value = disk.text(link, key).value_or("");
      report.keys.emplace_back(std::move(key), std::move(value));
    }
  }
  return report;
}

TargetReport check_target(const DiskHandle& disk, std::uint32_t target) {
  TargetReport report;
  report.target = target;
  const vmdk_status status = vmdk_check_target(disk.get(), target, add_reason, &report);
  if (status == VMDK_ERR_CANCELLED) throw std::bad_alloc();
  if (status != VMDK_OK) throw_library_error(status);
  return report;
}

std::string info_json(const std::string& file, std::span<const LinkReport> links,
                      const InfoParts& parts, const TargetReport* target) {
  Json json;
  json["file"] = file;
  add_link(json, links.front(), parts);
  if (parts.chain) {
    Json chain = Json::array();
    for (const LinkReport& link : links) {
      Json element;
      element["link"] = chain.size();
      add_link(element, link, parts);
      chain.push_back(std::move(element));
    }
    json["chain"] = std::move(chain);
  }
  if (target != nullptr) json["target"] = target_json(*target);
  return json_document(json);
}

}  // namespace vmdk_tool
