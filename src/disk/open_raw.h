// SPDX-License-Identifier: MIT
// A file that is no VMDK as a disk: its bytes are those of the disk.
#ifndef VMDK_DISK_OPEN_RAW_H
#define VMDK_DISK_OPEN_RAW_H

#include <memory>
#include <string>

#include "disk/disk.h"

namespace vmdk {

// To read. Throws VMDK_ERR_NOT_FOUND, VMDK_ERR_ACCESS, VMDK_ERR_IO, or VMDK_ERR_NOT_VMDK for what
// is neither a file nor a block device.
std::unique_ptr<Disk> open_raw_disk(std::unique_ptr<FileSystem> files,
                                    std::unique_ptr<Reporter> reporter, const std::string& path);

// `file` as a disk of whole sectors: what the last one lacks is zeros.
Link raw_link(std::unique_ptr<File> file);

}  // namespace vmdk

#endif
