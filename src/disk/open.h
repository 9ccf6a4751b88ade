// SPDX-License-Identifier: MIT
// Opening a disk: descriptor, extents, parents; with limits and path policy.
#ifndef VMDK_DISK_OPEN_H
#define VMDK_DISK_OPEN_H

#include <vmdk/vmdk.h>

#include <memory>
#include <optional>
#include <string>

#include "disk/disk.h"

namespace vmdk {

struct OpenOptions {
  bool write = false;  // the disk, not its parents
  bool open_parents = true;
  bool recover = false;
  unsigned threads = 1;
  std::optional<std::string> encoding;  // overrides what the descriptors say
  std::optional<std::string> member;    // of a tar
  std::uint64_t cache_bytes = 4 << 20;
  std::uint64_t max_table_bytes = 32 << 20;
  std::uint32_t max_chain_length = 128;
  DescriptorLimits descriptor_limits{16 << 20, 65536};
};

// `reporter` takes messages. Throws what vmdk_open() documents.
std::unique_ptr<Disk> open_disk(std::unique_ptr<FileSystem> files,
                                std::unique_ptr<Reporter> reporter, const std::string& path,
                                const OpenOptions& options);

}  // namespace vmdk

#endif
