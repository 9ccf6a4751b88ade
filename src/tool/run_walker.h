// SPDX-License-Identifier: MIT
// Walks how a disk is stored from beginning to end, in runs as long as they
// really are: the library may split them.
#pragma once

#include <cstdint>
#include <optional>

#include "options.h"

namespace vmdk_tool {

// One thread. `disk` must outlive it.
class RunWalker {
 public:
  explicit RunWalker(const DiskHandle& disk) : disk_(disk), capacity_(disk.info().capacity) {}

  std::uint64_t capacity() const { return capacity_; }
  // The next run; nothing at the end. Of joined compressed runs, file_offset
  // is where the first begins.
  std::optional<vmdk_run> next();

 private:
  std::optional<vmdk_run> fetch();

  const DiskHandle& disk_;
  std::uint64_t capacity_;
  std::uint64_t position_ = 0;
  std::optional<vmdk_run> ahead_;
};

}  // namespace vmdk_tool
