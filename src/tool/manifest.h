// SPDX-License-Identifier: MIT
// The manifest of an OVF package: a line with the digest of each file.
#pragma once

#include <string>
#include <vector>

#include "digests.h"
#include "options.h"

namespace vmdk_tool {

// The last component of a path.
std::string base_name(const std::string& path);

// Lines such as `SHA256(disk.vmdk)= 0a1b...`, one for each digest.
std::string manifest_lines(const std::string& name, const std::vector<Digests::Result>& results);

// The lines for every file of the disk that was written to `path`, which are read.
std::string manifest_of_files(const std::string& path, const std::vector<const nettle_hash*>& which,
                              const CommonOptions& common);

}  // namespace vmdk_tool
