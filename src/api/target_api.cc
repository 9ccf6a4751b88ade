// SPDX-License-Identifier: MIT
// Telling what a product would refuse a disk for.
#include <vmdk/vmdk.h>

#include "api/handle.h"
#include "ops/target.h"

namespace vmdk {

namespace {

// The caller is not kept from writing while it is told.
void check_target(vmdk_disk* disk, std::uint32_t target, vmdk_refusal_fn fn, void* user) {
  const auto refusals = [&] {
    const Reading reading(disk);
    require(target > VMDK_TARGET_NONE && target <= VMDK_TARGET_AWS,
            "target is no VMDK_TARGET value other than VMDK_TARGET_NONE");
    require(fn != nullptr, "fn is NULL");
    return refusals_of(static_cast<vmdk_target>(target), *reading);
  }();
  for (const Refusal& refusal : refusals)
    if (fn(user, refusal.reason.c_str(), refusal.hint.c_str()) != 0)
      throw Error(VMDK_ERR_CANCELLED, "the callback asked to stop");
}

}  // namespace

}  // namespace vmdk

extern "C" {

vmdk_status vmdk_check_target(vmdk_disk* disk, uint32_t target, vmdk_refusal_fn fn, void* user) {
  return vmdk::guard([&] { vmdk::check_target(disk, target, fn, user); });
}

}  // extern "C"
