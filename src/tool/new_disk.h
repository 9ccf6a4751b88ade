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

// The VMDK_TARGET value that `text` names; throws UsageError for none.
std::uint32_t parse_target(const std::string& text);

class NewDiskOptions {
 public:
  NewDiskOptions() = default;
  NewDiskOptions(const NewDiskOptions&) = delete;
  NewDiskOptions& operator=(const NewDiskOptions&) = delete;

  // Adds them to a verb's command line: those that every new disk has, and those of
  // a disk that has no parent.
  void add_to(CommandLine& line, const char* kind_help);
  void add_details_to(CommandLine& line);
  // Looks at the values once the line is parsed; throws UsageError.
  void check();

  std::uint32_t type() const { return type_; }                // 0: not said
  std::uint32_t target() const { return target_; }            // 0: not said
  std::uint64_t grain_bytes() const { return grain_bytes_; }  // 0: not said
  std::uint32_t flags() const { return zero_grains_ ? VMDK_CREATE_ZERO_GRAINS : 0U; }
  // As the library takes them; points into this object.
  const char* const* keys() const { return keys_.data(); }

  // What is said but the capacity. Points into this object.
  vmdk_create_options create_options() const;
  // Where SOURCE_DATE_EPOCH is set the content ID and what else would be random follows from it,
  // from the base name of `path` and from `capacity`, unless it is said. Throws UsageError if it
  // is set to what is no time.
  void make_reproducible(const std::string& path, std::uint64_t capacity);

 private:
  bool sets(const char* key) const;
  void add_key(const char* name, const std::string& value);
  void point_to_keys();

  std::string kind_text_;
  std::string grain_text_;
  std::string split_text_;
  std::string adapter_text_;
  std::string hardware_version_text_;
  std::string preallocate_text_;
  std::string cid_text_;
  std::string target_text_;
  std::vector<std::string> set_;
  bool zero_grains_ = false;
  std::uint32_t type_ = 0;
  std::uint64_t grain_bytes_ = 0;
  std::uint64_t split_bytes_ = 0;
  std::uint32_t adapter_ = 0;
  std::uint32_t hardware_version_ = 0;
  std::uint32_t preallocate_ = 0;
  std::uint32_t cid_ = 0;
  std::uint32_t target_ = 0;
  std::vector<std::string> key_texts_;  // name, value, name, value, ...
  std::vector<const char*> keys_;
};

}  // namespace vmdk_tool
