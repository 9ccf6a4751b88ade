// SPDX-License-Identifier: MIT
// Whether a disk as a whole may be written.
#ifndef VMDK_DISK_WRITABLE_H
#define VMDK_DISK_WRITABLE_H

#include "disk/disk.h"
#include "util/reporter.h"

namespace vmdk {

// Throws VMDK_ERR_READ_ONLY if nothing of it can be, or something else would go wrong by it;
// VMDK_ERR_INVALID_ARGUMENT for a child without its parents.
void check_writable(const Link& link, bool with_parents, Reporter& reporter);

}  // namespace vmdk

#endif
