// SPDX-License-Identifier: MIT
#include "disk/names.h"

#include <algorithm>

#include "util/text.h"

namespace vmdk {

namespace {

bool has_drive(std::string_view name) noexcept {
  return name.size() >= 2 && name[1] == ':' && to_lower(name[0]) >= 'a' && to_lower(name[0]) <= 'z';
}

bool climbs_out(std::string_view name) noexcept {
  return name == ".." || name.starts_with("../") || name.find("/../") != std::string_view::npos;
}

void add(std::vector<std::string>& names, std::string name) {
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
    names.push_back(std::move(name));
}

// "../DIR/NAME" for ".../DIR/NAME": a folder that was moved together with the one beside it.
std::string beside(const std::string& name) {
  const std::string_view directory = base_name(dir_name(name));
  if (directory.empty() || directory == "." || directory == "..") return {};
  return "../" + std::string(directory) + "/" + std::string(base_name(name));
}

void add_forms(std::vector<std::string>& names, const std::string& name, NameUse use) {
  // A path of Windows means nothing here but by its last component.
  if (!has_drive(name)) add(names, name);
  std::string slashed = name;
  std::replace(slashed.begin(), slashed.end(), '\\', '/');
  if (!has_drive(name)) add(names, slashed);
  // What was to lie above the directory is not looked for in it, unless a content ID will tell.
  if (use == NameUse::parent || !climbs_out(slashed)) add(names, std::string(base_name(slashed)));
  if (use == NameUse::parent) add(names, beside(slashed));
}

bool all_digits(std::string_view text) noexcept {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::vector<std::string> candidate_names(const std::string& utf8, std::string_view raw,
                                         NameUse use) {
  std::vector<std::string> names;
  add_forms(names, utf8, use);
  if (raw != utf8) add_forms(names, std::string(raw), use);
  return names;
}

bool is_object_name(std::string_view name) noexcept {
  return starts_with_nocase(name, "vsan://") || starts_with_nocase(name, "vvol://") ||
         starts_with_nocase(name, "objid://");
}

std::string descriptor_of_data_file(std::string_view name) {
  constexpr std::string_view kSuffix = ".vmdk";
  if (name.size() < kSuffix.size() ||
      !equals_nocase(name.substr(name.size() - kSuffix.size()), kSuffix))
    return {};
  const std::string_view stem = name.substr(0, name.size() - kSuffix.size());
  const std::size_t dash = stem.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return {};
  const std::string_view part = stem.substr(dash + 1);
  const bool numbered = part.size() > 1 && (to_lower(part[0]) == 's' || to_lower(part[0]) == 'f') &&
                        all_digits(part.substr(1));
  bool known = numbered;
  for (const std::string_view word : {"flat", "delta", "sesparse", "rdm", "rdmp", "pt"})
    known = known || equals_nocase(part, word);
  return known ? std::string(stem.substr(0, dash)) + std::string(kSuffix) : std::string();
}

}  // namespace vmdk
