// SPDX-License-Identifier: MIT
// What the guest sees: a chain of links, each a descriptor and its extents.
#ifndef VMDK_DISK_DISK_H
#define VMDK_DISK_DISK_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "disk/chain_memo.h"
#include "extent/extent.h"
#include "extent/grain_cache.h"
#include "extent/table_cache.h"
#include "format/descriptor.h"
#include "io/file.h"
#include "util/reporter.h"
#include "util/worker_pool.h"

namespace vmdk {

// One disk of a chain: a descriptor and its extents in order of offset.
struct Link {
  struct Slot {
    std::uint64_t begin;  // on the disk
    vmdk_access access;
    std::unique_ptr<Extent> extent;
  };

  Descriptor descriptor;
  std::string encoding;  // code page of the descriptor; "" = not said
  bool embedded = false;
  bool member = false;                       // of a tar
  std::vector<std::unique_ptr<File>> files;  // [0] holds the descriptor
  std::vector<Slot> slots;
  std::uint64_t capacity = 0;

  // Number of the slot that `offset`, less than the capacity, lies in. Slots of size 0 are never
  // found.
  std::size_t slot_at(std::uint64_t offset) const noexcept;
};

// A piece of the disk that is stored in one way.
struct DiskRun {
  Run run;  // offset counts from the beginning of the extent
  std::uint32_t link = UINT32_MAX, extent = UINT32_MAX;  // UINT32_MAX: absent in the whole chain
};

// All const functions may be called from any number of threads at once.
class Disk final {
 public:
  // What belongs to the chain as a whole, made before its links.
  struct Parts {
    std::unique_ptr<FileSystem>
        outer_files;  // where the tar lies that `files` shows the members of
    std::unique_ptr<FileSystem> files;
    std::unique_ptr<Reporter> reporter;
    std::unique_ptr<TableCache> tables;
    std::unique_ptr<GrainCache> grains;
    std::unique_ptr<InflateStates> states;
    std::unique_ptr<GrainBuffers> buffers;
    std::unique_ptr<WorkerPool> pool;  // null: the reading thread alone
  };

  // `links` is not empty; its first one is the disk that was opened.
  Disk(Parts parts, std::vector<Link> links)
      : parts_(std::move(parts)), links_(std::move(links)), memo_(links_) {}

  std::uint64_t capacity() const noexcept { return links_.front().capacity; }
  const std::vector<Link>& links() const noexcept { return links_; }

  // Throw VMDK_ERR_OUT_OF_RANGE if the range goes beyond the capacity.
  void read(std::uint64_t offset, MutableBytes out) const;
  DiskRun map(std::uint64_t offset, std::uint64_t size) const;

  // The value of a key in a link, as UTF-8; ddb keys are looked up along the chain. Returns false
  // if there is none.
  bool find_text(std::size_t link, std::string_view key, std::string& out) const;

 private:
  class Walk;

  void check_range(std::uint64_t offset, std::uint64_t size) const;

  Parts parts_;  // outlives the links
  std::vector<Link> links_;
  mutable ChainMemo memo_;
};

// Bytes of a descriptor as UTF-8: converted from its code page (where none is said, and they are
// not UTF-8: windows-1252), or as they stand where that fails.
std::string descriptor_utf8(const Link& link, std::string_view text);

}  // namespace vmdk

#endif
