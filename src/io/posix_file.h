// SPDX-License-Identifier: MIT
// Local files. Names that come out of images are kept beneath their directory or the roots the
// caller allows; only regular files are opened, block devices where any path is allowed.
#ifndef VMDK_IO_POSIX_FILE_H
#define VMDK_IO_POSIX_FILE_H

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/path_policy.h"

struct stat;

namespace vmdk {

struct PathPolicy {
  bool any_path = false;
  std::vector<std::string> roots;  // further directories that may be named
  std::size_t max_open_files = 128;
  Resolver resolver = Resolver::automatic;
};

class PosixFile;

class PosixFileSystem final : public FileSystem {
 public:
  explicit PosixFileSystem(PathPolicy policy);
  ~PosixFileSystem() override;

  std::unique_ptr<File> open(const std::string& name) override;
  std::unique_ptr<File> open_named(const File& from, const std::string& name) override;
  std::vector<std::string> siblings(const File& from) override;

 private:
  friend class PosixFile;

  // A directory that names are resolved in: held open, so that it stays the same one.
  struct Directory {
    UniqueFd fd;
    std::string path;       // as named; for messages
    std::string real_path;  // absolute, without links
  };

  // How a file is reached again after its descriptor was closed.
  struct Way {
    const Directory* directory;
    std::string name;
    bool beneath;  // resolved beneath the directory
  };

  const Directory& add_directory(UniqueFd fd, std::string path);
  const Directory& directory_of(const PosixFile& file);
  std::unique_ptr<File> open_way(Way way, std::string shown, bool trusted);
  std::unique_ptr<File> open_outside(const File& from, const Directory& home,
                                     const std::string& name);
  int open_fd(const Way& way, int flags) const;
  int look_at(const Way& way, struct stat& seen) const;
  UniqueFd reopen(const PosixFile& file) const;

  PathPolicy policy_;
  std::list<Directory> directories_;
  std::vector<const Directory*> roots_;

  // The first max_open_files / 2 files keep their descriptor; the others take turns with as many.
  // The front of the list was used last.
  mutable std::mutex mutex_;
  mutable std::size_t resident_ = 0;
  mutable std::list<const PosixFile*> open_;
};

}  // namespace vmdk

#endif
