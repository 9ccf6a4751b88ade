// SPDX-License-Identifier: MIT
// Local files by name. Names that come out of images are kept beneath their directory or the roots
// the caller allows; only regular files are opened, block devices where any path is allowed.
#ifndef VMDK_IO_POSIX_FILE_SYSTEM_H
#define VMDK_IO_POSIX_FILE_SYSTEM_H

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/path_policy.h"
#include "io/posix_file.h"

struct stat;

namespace vmdk {

struct PathPolicy {
  bool any_path = false;
  std::vector<std::string> roots;  // further directories that may be named
  std::size_t max_open_files = 128;
  Resolver resolver = Resolver::automatic;
  bool locks = true;
  bool unnamed_files = true;  // new files have no name until they get theirs, where the host can
};

class PosixFileSystem final : public FileSystem {
 public:
  explicit PosixFileSystem(PathPolicy policy);
  ~PosixFileSystem() override;

  std::unique_ptr<File> open(const std::string& name, FileUse use) override;
  std::unique_ptr<File> open_named(const File& from, const std::string& name, FileUse use) override;
  std::unique_ptr<NewFile> create(const std::string& name, Existing existing) override;
  void replace(std::unique_ptr<File>& file, Bytes content) override;
  void sync_directory(const std::string& name) override;
  std::string path_between(const std::string& from, const std::string& to) override;
  std::vector<std::string> siblings(const File& from) override;

 private:
  class New;

  std::unique_ptr<NewFile> create_over(const std::string& name);

  const PosixDirectory& add_directory(UniqueFd fd, std::string path);
  const PosixDirectory& home_of(const std::string& name);
  const PosixDirectory& directory_of(const PosixFile& file);
  std::unique_ptr<File> open_way(PosixWay way, std::string shown, FileUse use, bool trusted);
  std::unique_ptr<File> open_outside(const File& from, const PosixDirectory& home,
                                     const std::string& name, FileUse use);
  int look_at(const PosixWay& way, struct stat& seen) const;
  bool lock(int fd, const struct stat& st, const PosixWay& way, const std::string& shown,
            FileUse use);
  void respect_vmware(const PosixWay& way, const std::string& shown) const;

  PathPolicy policy_;
  std::list<PosixDirectory> directories_;
  std::vector<const PosixDirectory*> roots_;
  DescriptorPool pool_;
};

}  // namespace vmdk

#endif
