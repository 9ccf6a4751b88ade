// SPDX-License-Identifier: MIT
// Takes messages of a disk to the caller, one at a time.
#ifndef VMDK_UTIL_REPORTER_H
#define VMDK_UTIL_REPORTER_H

#include <vmdk/vmdk.h>

#include <mutex>
#include <string>

#include "util/text.h"

namespace vmdk {

class Reporter final {
 public:
  Reporter(vmdk_message_fn fn, void* user) : fn_(fn), user_(user) {}

  void note(const std::string& message) { say(VMDK_LEVEL_NOTE, message); }
  void warn(const std::string& message) { say(VMDK_LEVEL_WARNING, message); }

 private:
  void say(vmdk_level level, const std::string& message) {
    if (fn_ == nullptr) return;
    const std::lock_guard lock(mutex_);
    fn_(user_, level, printable(message).c_str());
  }

  vmdk_message_fn fn_;
  void* user_;
  std::mutex mutex_;
};

}  // namespace vmdk

#endif
