// SPDX-License-Identifier: MIT
// What is behind a vmdk_disk, and who may use it when.
#ifndef VMDK_API_HANDLE_H
#define VMDK_API_HANDLE_H

#include <vmdk/vmdk.h>

#include <memory>
#include <mutex>
#include <shared_mutex>

#include "api/boundary.h"
#include "disk/disk.h"
#include "util/turn_mutex.h"

struct vmdk_disk {
  std::unique_ptr<vmdk::Disk> disk;
  vmdk::TurnMutex mutex;  // of disks that can be written
};

namespace vmdk {

// The disk, shared with other readers as long as this lives. Where nothing can be written there is
// nothing to wait for.
class Reading final {
 public:
  explicit Reading(vmdk_disk* handle) {
    require(handle != nullptr, "disk is NULL");
    disk_ = handle->disk.get();
    if (disk_->writable()) lock_ = std::shared_lock(handle->mutex);
  }
  const Disk& operator*() const noexcept { return *disk_; }
  const Disk* operator->() const noexcept { return disk_; }

 private:
  const Disk* disk_;
  std::shared_lock<TurnMutex> lock_;
};

// The disk, alone.
class Writing final {
 public:
  explicit Writing(vmdk_disk* handle) {
    require(handle != nullptr, "disk is NULL");
    disk_ = handle->disk.get();
    lock_ = std::unique_lock(handle->mutex);
  }
  Disk* operator->() const noexcept { return disk_; }

 private:
  Disk* disk_;
  std::unique_lock<TurnMutex> lock_;
};

}  // namespace vmdk

#endif
