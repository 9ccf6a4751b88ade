// SPDX-License-Identifier: MIT
#include "io/callback_file.h"

#include <cerrno>

#include "io/path_policy.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

class CallbackFile final : public File {
 public:
  CallbackFile(const vmdk_io& io, void* handle, std::string name)
      : io_(io), handle_(handle), name_(std::move(name)) {}
  ~CallbackFile() override { io_.close(io_.user, handle_); }

  void learn_size() {
    if (const int error = io_.get_size(io_.user, handle_, &size_); error != 0)
      throw_os_error(name_, "its size cannot be told", error);
  }

  void read_at(std::uint64_t offset, MutableBytes out) const override {
    check_inside(*this, offset, out.size());
    if (out.empty()) return;
    if (const int error = io_.read_at(io_.user, handle_, offset, out.data(), out.size());
        error != 0)
      throw_os_error(name_, "reading failed", error);
  }

  std::uint64_t size() const override { return size_; }
  std::uint64_t stored_bytes() const override { return size_; }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return name_; }

 private:
  vmdk_io io_;
  void* handle_;
  std::string name_;
  std::uint64_t size_ = 0;
};

}  // namespace

CallbackFileSystem::CallbackFileSystem(const vmdk_io& io, bool any_path)
    : io_(io), any_path_(any_path) {
  if (!io_.open || !io_.close || !io_.read_at || !io_.get_size)
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                "vmdk_io: open, close, read_at and get_size must be set");
}

std::unique_ptr<File> CallbackFileSystem::try_open(const std::string& name) const {
  void* handle = nullptr;
  const int error = io_.open(io_.user, name.c_str(), 0, &handle);
  if (error == ENOENT) return nullptr;
  if (error != 0) throw_os_error(name, "cannot be opened", error);
  auto file = std::make_unique<CallbackFile>(io_, handle, name);
  file->learn_size();
  return file;
}

std::unique_ptr<File> CallbackFileSystem::open(const std::string& name) {
  auto file = try_open(name);
  if (!file) throw_os_error(name, "cannot be opened", ENOENT);
  return file;
}

// There are no links here, so that the text of the name decides.
std::unique_ptr<File> CallbackFileSystem::open_named(const File& from, const std::string& name) {
  check_name(from.name(), name);
  if (!any_path_ && (is_absolute(name) || climbs(name)))
    throw Error(VMDK_ERR_PATH_DENIED, printable(from.name()) + ": names the file \"" +
                                          printable(name) + "\", which is outside its directory")
        .with_hint("if the image is trusted, open it with VMDK_PATHS_ANY");
  const std::string directory(dir_name(from.name()));
  if (directory.empty() || is_absolute(name)) return try_open(name);
  return try_open(directory == "/" ? directory + name : directory + "/" + name);
}

std::vector<std::string> CallbackFileSystem::siblings(const File&) { return {}; }

}  // namespace vmdk
