// SPDX-License-Identifier: MIT
// Files behind the caller's vmdk_io.
#ifndef VMDK_IO_CALLBACK_FILE_H
#define VMDK_IO_CALLBACK_FILE_H

#include <vmdk/vmdk.h>

#include "io/file.h"

namespace vmdk {

class CallbackFileSystem final : public FileSystem {
 public:
  // Throws VMDK_ERR_INVALID_ARGUMENT if a function needed for `use` is missing.
  CallbackFileSystem(const vmdk_io& io, bool any_path, FileUse use);

  std::unique_ptr<File> open(const std::string& name, FileUse use) override;
  std::unique_ptr<File> open_named(const File& from, const std::string& name, FileUse use) override;
  std::unique_ptr<NewFile> create(const std::string& name, Existing existing) override;
  void replace(std::unique_ptr<File>& file, Bytes content) override;
  std::string path_between(const std::string& from, const std::string& to) override;
  std::vector<std::string> siblings(const File& from) override;

 private:
  std::unique_ptr<File> try_open(const std::string& name, FileUse use) const;

  vmdk_io io_;
  bool any_path_;
};

}  // namespace vmdk

#endif
