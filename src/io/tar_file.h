// SPDX-License-Identifier: MIT
// Members of a tar, such as the disks of an OVA, as files: ustar, GNU and pax headers.
#ifndef VMDK_IO_TAR_FILE_H
#define VMDK_IO_TAR_FILE_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"

namespace vmdk {

struct TarMember {
  std::string name;
  std::uint64_t offset;  // of its content in the tar
  std::uint64_t size;
};

// Does a file that begins with these bytes look like a tar? Needs 512 of them.
bool is_tar(Bytes beginning) noexcept;

// The regular files in a tar, in order. Throws VMDK_ERR_CORRUPT for a damaged header.
std::vector<TarMember> list_tar(const File& tar);

// Names in the image lead to other members of the same tar, and nowhere else.
class TarFileSystem final : public FileSystem {
 public:
  explicit TarFileSystem(std::unique_ptr<File> tar);

  const std::vector<TarMember>& members() const noexcept { return members_; }
  const File& tar() const noexcept { return *tar_; }

  // `name` is that of a member, or its last component where only one member has it.
  std::unique_ptr<File> open(const std::string& name, FileUse use) override;
  std::unique_ptr<File> open_named(const File& from, const std::string& name, FileUse use) override;
  std::vector<std::string> siblings(const File& from) override;

 private:
  std::unique_ptr<File> open_member(const TarMember& member) const;
  std::string directory_of(const File& from) const;

  std::unique_ptr<File> tar_;
  std::vector<TarMember> members_;
  std::map<std::string, const TarMember*> by_path_;  // the first of each
};

}  // namespace vmdk

#endif
