// SPDX-License-Identifier: MIT
// What the guest sees: a chain of links, each a descriptor and its extents.
#ifndef VMDK_DISK_DISK_H
#define VMDK_DISK_DISK_H

#include <cstdint>
#include <memory>
#include <optional>
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
    bool in_use = false;  // it was made ready to be written
  };

  Descriptor descriptor;
  std::string encoding;  // code page of the descriptor; "" = not said
  bool embedded = false;
  std::uint64_t text_offset = 0;                 // of the first byte of the descriptor in its file
  std::uint64_t text_sector = 0, text_room = 0;  // embedded: its room, of so many bytes
  bool member = false;                           // of a tar
  std::vector<std::unique_ptr<File>> files;      // [0] holds the descriptor
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

// Const functions may be called from any number of threads at once; beside the others nothing may
// run.
class Disk final {
 public:
  enum class Zeroing { keep, give_back };

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

  // `links` is not empty; its first one is the disk that was opened. What edits its descriptor
  // keeps within `limits`.
  Disk(Parts parts, std::vector<Link> links, bool writable, const DescriptorLimits& limits)
      : parts_(std::move(parts)),
        links_(std::move(links)),
        memo_(links_),
        writable_(writable),
        limits_(limits) {}

  std::uint64_t capacity() const noexcept { return links_.front().capacity; }
  const std::vector<Link>& links() const noexcept { return links_; }

  // Throw VMDK_ERR_OUT_OF_RANGE if the range goes beyond the capacity.
  void read(std::uint64_t offset, MutableBytes out) const;
  DiskRun map(std::uint64_t offset, std::uint64_t size) const;

  // The value of a key in a link, as UTF-8; ddb keys are looked up along the chain. Returns false
  // if there is none.
  bool find_text(std::size_t link, std::string_view key, std::string& out) const;

  bool writable() const noexcept { return writable_; }

  // Throw what vmdk_write_at(), vmdk_zero_at(), vmdk_flush(), vmdk_close() and vmdk_set_text()
  // document. What is not closed is neither flushed nor marked as clean.
  void write(std::uint64_t offset, Bytes in);
  void zero(std::uint64_t offset, std::uint64_t size, Zeroing how);
  void flush();
  void close();
  void set_text(std::string_view key, std::optional<std::string_view> value);

 private:
  class Walk;
  class BelowSlot;

  void check_range(std::uint64_t offset, std::uint64_t size) const;
  void read_from(std::size_t first_link, std::uint64_t offset, MutableBytes out) const;
  bool has_data_below(std::uint64_t offset, std::uint64_t size) const;

  void check_writable() const;
  void begin_change(std::uint64_t offset, std::uint64_t size, Bytes in);
  void renew_content_id();
  void edit_text(const std::string& text, bool content_id_only);
  void zero_piece(std::uint64_t offset, std::uint64_t size, Zeroing how);
  void limit_changes();
  void save();
  void save_tables(void (Extent::*step)());
  void sync(File& file);
  void sync_files();

  Parts parts_;  // outlives the links
  std::vector<Link> links_;
  mutable ChainMemo memo_;

  bool writable_;
  DescriptorLimits limits_;
  bool marked_ = false;    // the content ID is a new one
  bool unsaved_ = false;   // something was written since the last flush
  bool poisoned_ = false;  // it is not known what is on stable storage
  std::vector<Link::Slot*> in_use_;
};

// Bytes of a descriptor as UTF-8: converted from its code page (where none is said, and they are
// not UTF-8: windows-1252), or as they stand where that fails.
std::string descriptor_utf8(const Link& link, std::string_view text);

}  // namespace vmdk

#endif
