// SPDX-License-Identifier: MIT
#include "io/callback_file.h"

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "io/path_policy.h"
#include "util/error.h"
#include "util/random.h"
#include "util/text.h"

namespace vmdk {

namespace {

class CallbackFile final : public File {
 public:
  CallbackFile(const vmdk_io& io, std::string name) : io_(io), name_(std::move(name)) {}
  ~CallbackFile() override {
    if (opened_) io_.close(io_.user, handle_);
  }

  // Returns 0 or an errno value. `name` is the one to open it by.
  int open(const std::string& name, std::uint32_t flags) {
    const int error = io_.open(io_.user, name.c_str(), flags, &handle_);
    opened_ = error == 0;
    unsynced_ = (flags & VMDK_FILE_WRITE) != 0;
    return error;
  }

  void learn_size() {
    std::uint64_t size = 0;
    check(io_.get_size(io_.user, handle_, &size), "its size cannot be told");
    size_ = size;
  }

  void read_at(std::uint64_t offset, MutableBytes out) const override {
    check_inside(*this, offset, out.size());
    if (out.empty()) return;
    check(io_.read_at(io_.user, handle_, offset, out.data(), out.size()), "reading failed");
  }

  std::uint64_t size() const override { return size_.load(std::memory_order_relaxed); }
  std::uint64_t stored_bytes() const override { return size(); }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return name_; }

  void write_at(std::uint64_t offset, Bytes in) override {
    if (in.empty()) return;
    unsynced_ = true;
    check(io_.write_at(io_.user, handle_, offset, in.data(), in.size()), "writing failed");
    size_ = std::max<std::uint64_t>(size_, offset + in.size());
  }
  void resize(std::uint64_t size) override {
    unsynced_ = true;
    check(io_.set_size(io_.user, handle_, size), "its size cannot be changed");
    size_ = size;
  }
  void extend(std::uint64_t needed, std::uint64_t wished) override {
    unsynced_ = true;
    if (io_.set_size(io_.user, handle_, wished) != 0) return resize(needed);
    size_ = wished;
  }
  void sync() override {
    if (!unsynced_) return;
    check(io_.sync(io_.user, handle_), "bringing it to stable storage failed");
    unsynced_ = false;
  }
  bool punch(std::uint64_t offset, std::uint64_t size) override {
    if (!io_.punch || size == 0) return size == 0;
    unsynced_ = true;
    const int error = io_.punch(io_.user, handle_, offset, size);
    if (error == EOPNOTSUPP || error == ENOSYS) return false;
    check(error, "making a hole failed");
    return true;
  }

 private:
  void check(int error, const char* what) const {
    if (error != 0) throw_os_error(name_, what, error);
  }

  vmdk_io io_;
  void* handle_ = nullptr;
  std::string name_;
  std::atomic<std::uint64_t> size_{0};
  bool opened_ = false;
  bool unsynced_ = false;
};

// Has its final name from the beginning where the caller's files cannot be renamed.
class CallbackNewFile final : public NewFile {
 public:
  CallbackNewFile(const vmdk_io& io, const std::string& name, bool over)
      : io_(io),
        name_(name),
        over_(over),
        current_(io.rename ? name + ".new-" + hex8(random_number()) : name),
        file_(std::make_unique<CallbackFile>(io_, name_)) {
    const int error = file_->open(current_, VMDK_FILE_WRITE | VMDK_FILE_CREATE);
    if (error != 0) throw_os_error(name_, "cannot be created", error);
    there_ = true;
  }
  ~CallbackNewFile() override {
    file_.reset();
    if (there_) io_.remove(io_.user, current_.c_str());
  }

  File& file() noexcept override { return *file_; }
  void publish() override {
    file_.reset();
    rename(over_ ? VMDK_FILE_REPLACE : 0);
    if (over_) keep();
  }
  void keep() noexcept override { there_ = false; }

  std::unique_ptr<File> take() noexcept { return std::move(file_); }
  void rename(std::uint32_t flags) {
    if (current_ == name_) return;
    const int error = io_.rename(io_.user, current_.c_str(), name_.c_str(), flags);
    if (error != 0) throw_os_error(name_, "cannot be given its name", error);
    current_ = name_;
  }

 private:
  vmdk_io io_;
  std::string name_;
  bool over_;  // replaces a file of its name
  std::string current_;
  std::unique_ptr<CallbackFile> file_;
  bool there_ = false;
};

}  // namespace

CallbackFileSystem::CallbackFileSystem(const vmdk_io& io, bool any_path, FileUse use)
    : io_(io), any_path_(any_path) {
  if (!io_.open || !io_.close || !io_.read_at || !io_.get_size)
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                "vmdk_io: open, close, read_at and get_size must be set");
  if (use == FileUse::write && (!io_.write_at || !io_.set_size || !io_.sync))
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                "vmdk_io: write_at, set_size and sync must be set to write");
}

std::unique_ptr<File> CallbackFileSystem::try_open(const std::string& name, FileUse use) const {
  auto file = std::make_unique<CallbackFile>(io_, name);
  const int error = file->open(name, use == FileUse::write ? VMDK_FILE_WRITE : 0);
  if (error == ENOENT) return nullptr;
  if (error != 0) throw_os_error(name, "cannot be opened", error);
  file->learn_size();
  return file;
}

std::unique_ptr<File> CallbackFileSystem::open(const std::string& name, FileUse use) {
  auto file = try_open(name, use);
  if (!file) throw_os_error(name, "cannot be opened", ENOENT);
  return file;
}

// There are no links here, so that the text of the name decides.
std::unique_ptr<File> CallbackFileSystem::open_named(const File& from, const std::string& name,
                                                     FileUse use) {
  check_name(from.name(), name);
  if (!any_path_ && (is_absolute(name) || climbs(name)))
    throw Error(VMDK_ERR_PATH_DENIED, printable(from.name()) + ": names the file \"" +
                                          printable(name) + "\", which is outside its directory")
        .with_hint("if the image is trusted, open it with VMDK_PATHS_ANY");
  const std::string directory(dir_name(from.name()));
  if (directory.empty() || is_absolute(name)) return try_open(name, use);
  return try_open(directory == "/" ? directory + name : directory + "/" + name, use);
}

std::unique_ptr<NewFile> CallbackFileSystem::create(const std::string& name, Existing existing) {
  if (!io_.remove)
    throw Error(VMDK_ERR_INVALID_ARGUMENT, "vmdk_io: remove must be set to create files");
  const bool over = existing == Existing::replace;
  if (over && !io_.rename)
    throw Error(VMDK_ERR_UNSUPPORTED, name + ": to replace a file, vmdk_io needs to have rename");
  if (!over && io_.rename && try_open(name, FileUse::look))
    throw_os_error(name, "cannot be created", EEXIST);
  return std::make_unique<CallbackNewFile>(io_, name, over);
}

void CallbackFileSystem::replace(std::unique_ptr<File>& file, Bytes content) {
  const std::string name = file->name();
  if (!io_.rename || !io_.remove)
    throw Error(VMDK_ERR_UNSUPPORTED,
                name + ": its length changes, which needs vmdk_io to have rename and remove");
  CallbackNewFile fresh(io_, name, true);
  fresh.file().write_at(0, content);
  fresh.file().sync();
  fresh.rename(VMDK_FILE_REPLACE);
  fresh.keep();
  file = fresh.take();
}

std::string CallbackFileSystem::path_between(const std::string& from, const std::string& to) {
  const std::string home(dir_name(from)), there(dir_name(to));
  if (home == there) return std::string(base_name(to));
  if (is_absolute(from) != is_absolute(to)) return normalize("/" + to);
  const std::string path = below(normalize("/" + home), normalize("/" + to));
  return path.empty() ? normalize("/" + to) : path;
}

std::vector<std::string> CallbackFileSystem::siblings(const File&) { return {}; }

}  // namespace vmdk
