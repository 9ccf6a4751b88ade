// SPDX-License-Identifier: MIT
// From a name in a descriptor to the file it means: names were written on other systems, in other
// code pages, and before the disk was moved.
#ifndef VMDK_DISK_NAMES_H
#define VMDK_DISK_NAMES_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"

namespace vmdk {

enum class NameUse { extent, parent };

// The names to try for one that stands in a descriptor, the most literal first. `utf8` is the name
// converted from the code page of the descriptor, `raw` as it stands.
std::vector<std::string> candidate_names(const std::string& utf8, std::string_view raw,
                                         NameUse use);

// Does the name stand for an object of a datastore, which is no file anywhere?
bool is_object_name(std::string_view name) noexcept;

// "x.vmdk" for the data files "x-flat.vmdk", "x-s001.vmdk", "x-000001-delta.vmdk" and the like; ""
// if the name is not of that form.
std::string descriptor_of_data_file(std::string_view name);

}  // namespace vmdk

#endif
