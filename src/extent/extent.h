// SPDX-License-Identifier: MIT
// An extent: a part of a disk, mostly kept in one file. Each kind is a class of its own behind this
// interface.
#ifndef VMDK_EXTENT_EXTENT_H
#define VMDK_EXTENT_EXTENT_H

#include <vmdk/vmdk.h>

#include <cstdint>

#include "io/file.h"
#include "util/bytes.h"

namespace vmdk {

// The hint where something is only read.
inline constexpr const char* kSnapshotHint = "take a snapshot (vmdk snapshot) and write to that";

enum class RunKind { data, zero, absent };

// A piece of an extent that is stored in one way.
struct Run {
  RunKind kind = RunKind::absent;
  bool compressed = false;
  std::uint64_t offset = 0;  // where it begins in the extent
  std::uint64_t size = 0;    // at least 1
  std::uint64_t file_offset =
      UINT64_MAX;  // plain data: of its first byte; compressed: of the first grain's record
};

// What lies below a link of a chain, seen from an extent: its parents, or zeros. Sizes may be 0.
class Below {
 public:
  virtual ~Below() = default;
  // Is there anything in the range that may be other than zeros?
  virtual bool has_data(std::uint64_t offset, std::uint64_t size) const = 0;
  virtual void read(std::uint64_t offset, MutableBytes out) const = 0;
};

class NothingBelow final : public Below {
 public:
  bool has_data(std::uint64_t, std::uint64_t) const override { return false; }
  void read(std::uint64_t, MutableBytes out) const override {
    std::memset(out.data(), 0, out.size());
  }
};

// Offsets count from the beginning of the extent. Const functions may be called from any number of
// threads at once; beside the others nothing may run.
class Extent {
 public:
  virtual ~Extent() = default;

  virtual vmdk_extent_kind kind() const noexcept = 0;
  virtual std::uint64_t size() const noexcept = 0;
  virtual std::uint64_t grain_bytes() const noexcept { return 0; }
  virtual std::uint32_t header_version() const noexcept { return 0; }
  virtual bool unclean() const noexcept { return false; }
  // Times a redundant directory or table entry was read in place of a damaged one.
  virtual std::uint64_t recovered() const noexcept { return 0; }
  // Null for extents without one.
  virtual const File* file() const noexcept = 0;
  // Where its data begins in the file, if it is flat.
  virtual std::uint64_t file_offset() const noexcept { return 0; }

  // How it is stored from `offset` on, at most `size` bytes of it, at least one. Whoever asks for
  // zero or absent data decides what that means: a parent, or zeros.
  virtual Run map(std::uint64_t offset, std::uint64_t size) const = 0;

  // Reads from `offset` on, all of it inside `run`, which map() gave and which is data.
  virtual void read(const Run& run, std::uint64_t offset, MutableBytes out) const {
    file()->read_at(run.file_offset + (offset - run.offset), out);
  }

  // -- To write, in this order: prepare(), write() or zero(); to save, before_sync(), the files are
  // synced, write_tables(), synced again, write_last_tables(), synced if there were any, saved();
  // when all is saved, finish(), synced.

  // Why it cannot be written; null if it can.
  virtual const char* why_read_only() const noexcept { return "its kind is only read"; }

  // Throws VMDK_ERR_READ_ONLY or VMDK_ERR_CORRUPT if this cannot be written. Nothing is changed.
  virtual void prepare();
  // What of a grain is not in `in` and was not stored comes from `below`.
  virtual void write(std::uint64_t offset, Bytes in, const Below& below);
  // Makes a range read as zero; with `give_back` whole grains are freed if they can be.
  virtual void zero(std::uint64_t offset, std::uint64_t size, const Below& below, bool give_back);

  // Are there changes that are not in the file?
  virtual bool has_changes() const noexcept { return false; }
  virtual void before_sync() {}
  virtual void write_tables() {}
  virtual bool has_last_tables() const noexcept { return false; }
  virtual void write_last_tables() {}
  virtual void saved() {}
  // Takes off the mark that it is in use.
  virtual void finish() {}
};

// Makes bytes of a file read as zero: a hole if `give_back`, else by clearing, else by writing
// zeros.
void zero_file(File& file, std::uint64_t offset, std::uint64_t size, bool give_back);

}  // namespace vmdk

#endif
