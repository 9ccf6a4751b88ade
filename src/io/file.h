// SPDX-License-Identifier: MIT
// Where bytes come from: the port between the library and files. Implementations read local files,
// members of a tar, and whatever the caller's vmdk_io reaches.
#ifndef VMDK_IO_FILE_H
#define VMDK_IO_FILE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "util/bytes.h"

namespace vmdk {

// An open file. All access is by position; there is no current offset. Every function may be called
// from any number of threads at once.
class File {
 public:
  virtual ~File() = default;

  // Fills all of `out`. Throws VMDK_ERR_CORRUPT if the file ends inside it.
  virtual void read_at(std::uint64_t offset, MutableBytes out) const = 0;

  // Size when it was opened. What lies beyond is never read.
  virtual std::uint64_t size() const = 0;

  // Space it takes on the host, or size() where that is not known.
  virtual std::uint64_t stored_bytes() const = 0;

  // As the caller or a descriptor gave it, joined with its directory; for messages.
  virtual const std::string& name() const = 0;

  // The same text for the same file, however it was named.
  virtual std::string identity() const = 0;
};

// Throws VMDK_ERR_CORRUPT unless `size` bytes at `offset` are inside the file.
void check_inside(const File& file, std::uint64_t offset, std::uint64_t size);

// Which files an image may lead to. One thread at a time; outlives the files it opens.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens a file that the caller named. Throws if it is not there.
  virtual std::unique_ptr<File> open(const std::string& name) = 0;

  // Opens a file that `from`, an untrusted image opened here, names. The path policy is enforced
  // while opening: VMDK_ERR_PATH_DENIED. Returns null if there is no such file.
  virtual std::unique_ptr<File> open_named(const File& from, const std::string& name) = 0;

  // Names of the files in the directory of `from`, at most kMaxSiblings of them, sorted; empty
  // where that cannot be told.
  virtual std::vector<std::string> siblings(const File& from) = 0;
  static constexpr std::size_t kMaxSiblings = 65536;
};

}  // namespace vmdk

#endif
