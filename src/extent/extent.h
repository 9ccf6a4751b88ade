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

// Offsets count from the beginning of the extent. Every function may be called from any number of
// threads at once.
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
};

}  // namespace vmdk

#endif
