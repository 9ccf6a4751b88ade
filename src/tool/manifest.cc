// SPDX-License-Identifier: MIT
#include "manifest.h"

#include <algorithm>
#include <cctype>

#include "progress.h"
#include "source.h"

namespace vmdk_tool {
namespace {

// The descriptor first, then the extents in their order.
std::vector<std::string> files_of(const std::string& path) {
  CommonOptions plain;
  plain.check();
  const DiskHandle disk(path, plain, Work::tables);
  std::vector<std::string> files = {path};
  const std::uint32_t extents = disk.info().extent_count;
  for (std::uint32_t i = 0; i < extents; ++i) {
    const std::string file = disk.extent_file(0, i);
    if (!file.empty() && base_name(file) != base_name(path)) files.push_back(file);
  }
  return files;
}

}  // namespace

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string manifest_lines(const std::string& name, const std::vector<Digests::Result>& results) {
  std::string lines;
  for (const Digests::Result& result : results) {
    std::string algorithm = result.algorithm;
    std::transform(algorithm.begin(), algorithm.end(), algorithm.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    lines.append(algorithm).append("(").append(name).append(")= ").append(result.hex).append("\n");
  }
  return lines;
}

std::string manifest_of_files(const std::string& path, const std::vector<const nettle_hash*>& which,
                              const CommonOptions& common) {
  std::string lines;
  for (const std::string& file : files_of(path)) {
    const auto source = open_raw_source(file);
    Digests digests(which);
    Progress progress(common.progress(), "manifest", source->size());
    digests.add_source(*source, common.threads(), progress);
    lines += manifest_lines(base_name(file), digests.results());
  }
  return lines;
}

}  // namespace vmdk_tool
