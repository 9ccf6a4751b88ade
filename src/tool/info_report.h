// SPDX-License-Identifier: MIT
// What `vmdk info` shows, as values, and as the JSON document of docs/json.md.
#pragma once

#include <vmdk/vmdk.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "options.h"

namespace vmdk_tool {

// Which parts are asked for.
struct InfoParts {
  bool chain = false;
  bool extents = false;
  bool keys = false;
};

struct ExtentReport {
  vmdk_extent_info info = {};
  std::string file;
};

// One disk of a chain.
struct LinkReport {
  vmdk_info info = {};
  std::string path;
  std::string create_type;  // as the descriptor spells it; may be empty
  std::string parent_hint;
  std::vector<ExtentReport> extents;                      // if asked for
  std::vector<std::pair<std::string, std::string>> keys;  // if asked for
};

// What a product would refuse the disk for.
struct TargetReport {
  struct Reason {
    std::string text;
    std::string hint;  // may be empty
  };
  std::uint32_t target = 0;
  std::vector<Reason> reasons;  // none: it is accepted
};

LinkReport read_link(const DiskHandle& disk, std::uint32_t link, const InfoParts& parts);

TargetReport check_target(const DiskHandle& disk, std::uint32_t target);

// The document for the disk in `file`; `links` holds at least the first disk. `target` may be null.
std::string info_json(const std::string& file, std::span<const LinkReport> links,
                      const InfoParts& parts, const TargetReport* target);

}  // namespace vmdk_tool
