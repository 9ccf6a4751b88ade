// SPDX-License-Identifier: MIT
// Locks on open files in the way of QEMU, so that its programs and this library see each other:
// shared OFD locks on single bytes say what a holder does and what it does not let others do.
#ifndef VMDK_IO_FILE_LOCK_H
#define VMDK_IO_FILE_LOCK_H

#include <string>

#include "io/file.h"

namespace vmdk {

// Locks the file for `use`, which is not `look`, until its descriptor is closed. Throws
// VMDK_ERR_LOCKED, naming the holder where the system tells; nothing is locked then. Returns false
// if the file system has no locks.
bool lock_file(int fd, const std::string& name, FileUse use);

}  // namespace vmdk

#endif
