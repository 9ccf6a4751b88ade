// SPDX-License-Identifier: MIT
// An open local file. Of many files only some keep their descriptor; the others take turns.
#ifndef VMDK_IO_POSIX_FILE_H
#define VMDK_IO_POSIX_FILE_H

#include <sys/types.h>

#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <set>
#include <string>

#include "io/file.h"
#include "io/path_policy.h"

namespace vmdk {

// What the system tells of an open file.
struct FileFacts {
  dev_t device = 0;
  ino_t inode = 0;
  mode_t mode = 0;
  std::uint64_t size = 0, stored_bytes = 0;
  // When it was made, as inode numbers are used again; zero where the file system does not tell.
  std::array<std::int64_t, 2> birth{};

  bool is_device() const noexcept;
  // The same text for the same file.
  std::string identity() const;
};

// Returns 0 or an errno value.
int get_facts(int fd, FileFacts& facts) noexcept;

// A directory that names are resolved in: held open, so that it stays the same one.
struct PosixDirectory {
  UniqueFd fd;
  std::string path;       // as named; for messages
  std::string real_path;  // absolute, without links
};

// How a file is reached again after its descriptor was closed.
struct PosixWay {
  const PosixDirectory* directory;
  std::string name;
  bool beneath;  // resolved beneath the directory

  // Returns a descriptor or a negative errno value.
  int open(int flags, Resolver resolver) const;
};

class PosixFile;

// The descriptors of the files of one disk. The first half of max_open files keep theirs; the
// others take turns with as many. Any number of threads.
class DescriptorPool final {
 public:
  DescriptorPool(std::size_t max_open, Resolver resolver);

  // Will the next file keep its descriptor?
  bool has_room();
  // Does one of the files hold a lock on that one? A second lock of ours would stand against it.
  bool is_locked(dev_t device, ino_t inode);

 private:
  friend class PosixFile;

  std::size_t most_;
  Resolver resolver_;
  std::mutex mutex_;
  std::size_t resident_ = 0;
  std::list<const PosixFile*> open_;  // those that take turns; the front was used last
  std::set<std::pair<dev_t, ino_t>> locked_;
};

class PosixFile final : public File {
 public:
  // `fd` is what `way` leads to, of which `facts` tell.
  PosixFile(DescriptorPool& pool, PosixWay way, std::string name, UniqueFd fd,
            const FileFacts& facts, FileUse use);
  ~PosixFile() override;

  void read_at(std::uint64_t offset, MutableBytes out) const override;
  std::uint64_t size() const override { return size_.load(std::memory_order_relaxed); }
  std::uint64_t stored_bytes() const override;
  const std::string& name() const override { return name_; }
  std::string identity() const override { return facts_.identity(); }
  std::uint64_t next_data(std::uint64_t offset) const override;
  std::uint64_t next_hole(std::uint64_t offset) const override;

  void write_at(std::uint64_t offset, Bytes in) override;
  void resize(std::uint64_t size) override;
  void extend(std::uint64_t needed, std::uint64_t wished) override;
  void sync() override;
  bool punch(std::uint64_t offset, std::uint64_t size) override;
  bool clear(std::uint64_t offset, std::uint64_t size) override;
  bool reserve(std::uint64_t size) override;
  bool copy_from(const File& from, std::uint64_t from_offset, std::uint64_t offset,
                 std::uint64_t size) override;

  const PosixWay& way() const noexcept { return way_; }
  FileUse use() const noexcept { return use_; }
  // The path by which the system knows it now; "" if it does not tell.
  std::string real_path() const;
  // Its descriptor holds a lock.
  void note_lock();
  // Gives up the descriptor, to be the file no more.
  UniqueFd release();

 private:
  class Pin;

  bool is_same(int fd) const noexcept;
  UniqueFd reopen() const;
  static void make_room(DescriptorPool& pool);
  bool allocate(int mode, const char* what, std::uint64_t offset, std::uint64_t size);

  DescriptorPool& pool_;
  PosixWay way_;
  std::string name_;
  mutable UniqueFd fd_;   // guarded by the mutex of the pool unless resident
  mutable int pins_ = 0;  // guarded by the mutex of the pool
  FileFacts facts_;       // when it was opened
  std::atomic<std::uint64_t> size_;
  FileUse use_;
  bool unsynced_;
  bool resident_ = false;
  bool locked_ = false;
  unsigned refused_ = 0;  // ways of allocate() and copy_from() that the file system does not have
};

}  // namespace vmdk

#endif
