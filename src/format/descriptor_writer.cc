// SPDX-License-Identifier: MIT
#include "format/descriptor_writer.h"

#include <algorithm>

#include "util/text.h"

namespace vmdk {

namespace {

std::string_view keyword_of(ExtentType type) noexcept {
  switch (type) {
    case ExtentType::flat:
      return "FLAT";
    case ExtentType::sparse:
      return "SPARSE";
    case ExtentType::zero:
      return "ZERO";
    case ExtentType::vmfs:
      return "VMFS";
    case ExtentType::vmfs_sparse:
      return "VMFSSPARSE";
    case ExtentType::vmfs_rdm:
      return "VMFSRDM";
    case ExtentType::vmfs_raw:
      return "VMFSRAW";
    case ExtentType::se_sparse:
      return "SESPARSE";
  }
  return {};
}

std::string_view keyword_of(vmdk_access access) noexcept {
  return access == VMDK_ACCESS_READ_WRITE  ? "RW"
         : access == VMDK_ACCESS_READ_ONLY ? "RDONLY"
                                           : "NOACCESS";
}

std::string extent_line(const ExtentLine& extent) {
  std::string line(keyword_of(extent.access));
  line += ' ';
  line += std::to_string(extent.sectors);
  line += ' ';
  line += keyword_of(extent.type);
  if (extent.type != ExtentType::zero) line += " \"" + extent.file + "\"";
  // qemu wants an offset here and refuses one anywhere else.
  if (extent.type == ExtentType::flat) line += " " + std::to_string(extent.file_sector);
  return line + "\n";
}

}  // namespace

void Database::set(std::string_view key, std::string_view value) {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), fold_case(key),
      [](const auto& entry, const std::string& wanted) { return fold_case(entry.first) < wanted; });
  if (at != entries_.end() && equals_nocase(at->first, key))
    at->second = value;
  else
    entries_.emplace(at, key, value);
}

std::string write_descriptor(const NewDescriptor& descriptor) {
  // qemu knows a descriptor by its first key, libyal by its section comments.
  std::string text = "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\n";
  text += "CID=" + hex8(descriptor.cid) + "\n";
  text += "parentCID=" + hex8(descriptor.parent_cid) + "\n";
  text += "createType=\"" + descriptor.create_type + "\"\n";
  if (descriptor.parent_cid != kNoParent)
    text += "parentFileNameHint=\"" + descriptor.parent_hint + "\"\n";
  else
    text += "\n";
  // No blank line from here to the last extent: qemu would count the extent behind it twice.
  text += "# Extent description\n";
  for (const ExtentLine& extent : descriptor.extents) text += extent_line(extent);
  text += "\n# The Disk Data Base\n#DDB\n\n";
  for (const auto& [key, value] : descriptor.database.entries())
    text.append(key).append(" = \"").append(value).append("\"\n");
  return text;
}

bool is_quotable(std::string_view text) noexcept {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"') return false;
  return is_utf8(text);
}

}  // namespace vmdk
