// SPDX-License-Identifier: MIT
// What the verbs that make a new disk have in common on their command lines.
#pragma once

#include <vmdk/vmdk.h>

#include <cstdint>
#include <string>
#include <vector>

#include "command_line.h"

namespace vmdk_tool {

// "adapterType" and "ddb.adapterType" are the same key of the disk database.
// Throws UsageError for what cannot be one.
std::string database_key(const std::string& name);

class NewDiskOptions {
 public:
  NewDiskOptions() = default;
  NewDiskOptions(const NewDiskOptions&) = delete;
  NewDiskOptions& operator=(const NewDiskOptions&) = delete;

  // Adds them to a verb's command line.
  void add_to(CommandLine& line, const char* kind_help);
  // Looks at the values once the line is parsed; throws UsageError.
  void check();

  std::uint32_t type() const { return type_; }                // 0: not said
  std::uint64_t grain_bytes() const { return grain_bytes_; }  // 0: not said
  std::uint32_t flags() const { return zero_grains_ ? VMDK_CREATE_ZERO_GRAINS : 0U; }
  // As the library takes them; points into this object.
  const char* const* keys() const { return keys_.data(); }

 private:
  std::string kind_text_;
  std::string grain_text_;
  std::vector<std::string> set_;
  bool zero_grains_ = false;
  std::uint32_t type_ = 0;
  std::uint64_t grain_bytes_ = 0;
  std::vector<std::string> key_texts_;  // name, value, name, value, ...
  std::vector<const char*> keys_;
};

}  // namespace vmdk_tool
