// SPDX-License-Identifier: MIT
// A lock that readers share and writers have alone, in which neither can starve the other: whoever
// waits at the door keeps those behind from going in. (std::shared_mutex lets readers pass a
// waiting writer for ever.)
#ifndef VMDK_UTIL_TURN_MUTEX_H
#define VMDK_UTIL_TURN_MUTEX_H

#include <mutex>
#include <shared_mutex>

namespace vmdk {

// Used with std::unique_lock and std::shared_lock.
class TurnMutex final {
 public:
  void lock() {
    const std::lock_guard door(door_);
    room_.lock();
  }
  void unlock() { room_.unlock(); }
  void lock_shared() {
    const std::lock_guard door(door_);
    room_.lock_shared();
  }
  void unlock_shared() { room_.unlock_shared(); }

 private:
  std::mutex door_;
  std::shared_mutex room_;
};

}  // namespace vmdk

#endif
