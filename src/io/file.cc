// SPDX-License-Identifier: MIT
#include "io/file.h"

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

void check_inside(const File& file, std::uint64_t offset, std::uint64_t size) {
  if (in_bounds(offset, size, file.size())) return;
  throw_corrupt(file.name(), std::to_string(size) + " bytes at offset " + std::to_string(offset) +
                                 " lie beyond the end of the file (" + std::to_string(file.size()) +
                                 " bytes): it is truncated or damaged");
}

void File::write_at(std::uint64_t, Bytes) {
  throw Error(VMDK_ERR_READ_ONLY, name() + ": was opened to read");
}

void File::resize(std::uint64_t) {
  throw Error(VMDK_ERR_READ_ONLY, name() + ": was opened to read");
}

bool File::copy_from(const File&, std::uint64_t, std::uint64_t, std::uint64_t) { return false; }

std::unique_ptr<NewFile> FileSystem::create(const std::string& name, Existing) {
  throw Error(VMDK_ERR_READ_ONLY, name + ": no files can be created there");
}

void FileSystem::replace(std::unique_ptr<File>& file, Bytes) {
  throw Error(VMDK_ERR_READ_ONLY, file->name() + ": cannot be replaced there");
}

void FileSystem::sync_directory(const std::string&) {}

std::string FileSystem::path_between(const std::string&, const std::string& to) { return to; }

}  // namespace vmdk
