// SPDX-License-Identifier: MIT
#include "run_walker.h"

#include "signals.h"

namespace vmdk_tool {
namespace {

// Whether `next`, which begins where `run` ends on the disk, continues it.
bool continues(const vmdk_run& run, const vmdk_run& next) {
  if (run.kind != next.kind || run.link != next.link || run.extent != next.extent ||
      run.flags != next.flags)
    return false;
  const bool plain_data = run.kind == VMDK_RUN_DATA && (run.flags & VMDK_RUN_COMPRESSED) == 0;
  return !plain_data || run.file_offset + run.size == next.file_offset;
}

}  // namespace

std::optional<vmdk_run> RunWalker::fetch() {
  throw_if_cancelled();
  if (position_ >= capacity_) return std::nullopt;
  const vmdk_run run = disk_.map(position_, capacity_ - position_);
  position_ += run.size;
  return run;
}

std::optional<vmdk_run> RunWalker::next() {
  std::optional<vmdk_run> run = ahead_ ? ahead_ : fetch();
  ahead_.reset();
  if (!run) return run;
  while ((ahead_ = fetch()) && continues(*run, *ahead_)) run->size += ahead_->size;
  return run;
}

}  // namespace vmdk_tool
