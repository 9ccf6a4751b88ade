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

// What a file is opened for: `look` reads it as it stands, `read` keeps writers away meanwhile,
// `write` everyone. Throws VMDK_ERR_LOCKED if someone else uses it in a way that does not go with
// that.
enum class FileUse { look, read, write };

// An open file. All access is by position; there is no current offset. Const functions may be
// called from any number of threads at once; beside the others nothing may run.
class File {
 public:
  virtual ~File() = default;

  // Fills all of `out`. Throws VMDK_ERR_CORRUPT if the file ends inside it.
  virtual void read_at(std::uint64_t offset, MutableBytes out) const = 0;

  // Size when it was opened, or since we changed it. What lies beyond is never read.
  virtual std::uint64_t size() const = 0;

  // Space it takes on the host, or size() where that is not known.
  virtual std::uint64_t stored_bytes() const = 0;

  // As the caller or a descriptor gave it, joined with its directory; for messages.
  virtual const std::string& name() const = 0;

  // The same text for the same file, however it was named.
  virtual std::string identity() const = 0;

  // The first byte from `offset` on that is perhaps not zero because it was never written; size()
  // if there is none.
  virtual std::uint64_t next_data(std::uint64_t offset) const { return offset; }

  // Where a hole begins behind `offset`, which next_data() gave; size() if that is not known.
  virtual std::uint64_t next_hole(std::uint64_t) const { return size(); }

  // The rest is for files opened to write; others throw VMDK_ERR_READ_ONLY.

  // Extends the file where needed. On failure any part may be written, and the file may be longer.
  virtual void write_at(std::uint64_t offset, Bytes in);
  // Extends with zeros or cuts off.
  virtual void resize(std::uint64_t size);
  // Extends with zeros to `wished` bytes, or where that is too much to `needed`.
  virtual void extend(std::uint64_t needed, std::uint64_t) { resize(needed); }
  // Returns when all that was written is on stable storage: by us, and the first time by others
  // before us, whose writes a crash of theirs may have left in the system's memory. Costs nothing
  // if nothing was written since the last time.
  virtual void sync() {}
  // Makes bytes inside the file read as zero: `punch` gives their space back, `clear` keeps it.
  // Both return false, and have done nothing, where the host cannot do it so.
  virtual bool punch(std::uint64_t, std::uint64_t) { return false; }
  virtual bool clear(std::uint64_t, std::uint64_t) { return false; }
  // Reserves the space of the first `size` bytes, which extends the file; false as above.
  virtual bool reserve(std::uint64_t) { return false; }
  // Has the host copy bytes of another file to `offset`, sharing them where it can. False if not
  // all of them are there now.
  virtual bool copy_from(const File& from, std::uint64_t from_offset, std::uint64_t offset,
                         std::uint64_t size);
};

// Throws VMDK_ERR_CORRUPT unless `size` bytes at `offset` are inside the file.
void check_inside(const File& file, std::uint64_t offset, std::uint64_t size);

// A file in the making, open to write. It is removed with this object unless it was kept.
class NewFile {
 public:
  virtual ~NewFile() = default;
  virtual File& file() noexcept = 0;
  // Gives it the name asked for, under which it may not be found before, and closes it. Throws
  // VMDK_ERR_EXISTS if that is taken meanwhile; one that replaces another is kept from then on. It
  // is to be synced before; file() is gone afterwards.
  virtual void publish() = 0;
  virtual void keep() noexcept = 0;
};

// Which files an image may lead to. One thread at a time; outlives the files it opens.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens a file that the caller named. Throws if it is not there.
  virtual std::unique_ptr<File> open(const std::string& name, FileUse use) = 0;

  // Opens a file that `from`, an untrusted image opened here, names. The path policy is enforced
  // while opening: VMDK_ERR_PATH_DENIED. Returns null if there is no such file.
  virtual std::unique_ptr<File> open_named(const File& from, const std::string& name,
                                           FileUse use) = 0;

  // The rest changes the file system; where that cannot be done it throws VMDK_ERR_READ_ONLY.

  // Creates a file that the caller named. Throws VMDK_ERR_EXISTS if it is there and not to be
  // replaced when the new one is published.
  enum class Existing { refuse, replace };
  virtual std::unique_ptr<NewFile> create(const std::string& name, Existing existing);

  // Puts another file with this content in the place of `file`, opened here to write, at once and
  // for good; `file` is the new one then. On failure both are as before, unless the status is
  // VMDK_ERR_POISONED: then either may be found after a crash.
  virtual void replace(std::unique_ptr<File>& file, Bytes content);

  // Returns when the names of files that were made in the directory of `name` are on stable
  // storage.
  virtual void sync_directory(const std::string& name);

  // The path that leads from the directory of the file `from` to the file `to`, both named by the
  // caller: relative if `to` lies at or below that directory, else absolute.
  virtual std::string path_between(const std::string& from, const std::string& to);

  // Names of the files in the directory of `from`, at most kMaxSiblings of them, sorted; empty
  // where that cannot be told.
  virtual std::vector<std::string> siblings(const File& from) = 0;
  static constexpr std::size_t kMaxSiblings = 65536;
};

}  // namespace vmdk

#endif
