// SPDX-License-Identifier: MIT
// What `vmdk convert` and `vmdk measure` are told of the new disk.
#pragma once

#include <vmdk/vmdk.h>

#include <cstdint>
#include <string>

#include "command_line.h"
#include "new_disk.h"

namespace vmdk_tool {

class ConvertOptions {
 public:
  void add_to(CommandLine& line, const char* kind_help);
  // Looks at the values once the line is parsed; throws UsageError.
  void check();

  NewDiskOptions& disk() { return disk_; }
  const NewDiskOptions& disk() const { return disk_; }
  // 0: as the source.
  std::uint64_t capacity() const { return capacity_; }
  // As the library takes it.
  std::uint32_t compression() const { return compression_; }
  // The kind of the new disk where it can be told from these options; else 0.
  std::uint32_t type() const;
  // What is said of the disk; points into this object. `type` is the kind where none is said.
  vmdk_create_options create_options(std::uint32_t type) const;

 private:
  NewDiskOptions disk_;
  std::string capacity_text_;
  std::string level_text_;
  std::uint64_t capacity_ = 0;
  std::uint32_t compression_ = 0;
};

// Whether a kind is one file that is written from its first byte to its last.
bool is_written_in_order(std::uint32_t type);

}  // namespace vmdk_tool
