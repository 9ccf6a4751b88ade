// SPDX-License-Identifier: MIT
#include "output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "errors.h"
#include "messages.h"
#include "signals.h"

namespace vmdk_tool {
namespace {

constexpr std::size_t kTextPiece = 64 * 1024;
constexpr std::size_t kZeroPiece = 256 * 1024;
constexpr char kStandardOutput[] = "standard output";

// Decides what follows a write that did not succeed: returns to try again.
void after_failed_write(int fd, const std::string& name, int error) {
  throw_if_cancelled();
  if (error == EINTR) return;
  if (error == EPIPE) throw BrokenPipe{};
  if (error != EAGAIN) throw_system_error(name, "writing", error);
  pollfd ready = {fd, POLLOUT, 0};
  poll(&ready, 1, -1);
}

// A pipe, a device or standard output: written as it comes, zeros too.
class StreamSink final : public Sink {
 public:
  StreamSink(int fd, bool owned, std::string name)
      : fd_(fd), owned_(owned), name_(std::move(name)) {}
  ~StreamSink() override {
    if (owned_) close(fd_);
  }

  void write(std::uint64_t, std::span<const std::byte> data) override {
    write_all(fd_, name_, data);
  }

  void zeros(std::uint64_t, std::uint64_t size) override {
    if (zeros_ == nullptr) zeros_ = std::make_unique<std::byte[]>(kZeroPiece);
    while (size > 0) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, kZeroPiece));
      write(0, {zeros_.get(), n});
      size -= n;
    }
  }

  bool keeps_holes() const override { return false; }

  void finish() override {
    struct stat status = {};
    const bool block_device = fstat(fd_, &status) == 0 && S_ISBLK(status.st_mode);
    if (block_device && fsync(fd_) != 0) throw_system_error(name_, "writing", errno);
    if (!owned_) return;
    owned_ = false;
    if (close(fd_) != 0 && errno != EINTR) throw_system_error(name_, "closing", errno);
  }

 private:
  int fd_;
  bool owned_;
  std::string name_;
  std::unique_ptr<std::byte[]> zeros_;
};

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_name(const std::string& path) {
  constexpr std::size_t kLongestBase = NAME_MAX - 16;
  const std::size_t slash = path.rfind('/');
  const std::size_t base = slash == std::string::npos ? 0 : slash + 1;
  std::uint32_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
    random = static_cast<std::uint32_t>(getpid());
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, ".tmp-%08x", random);
  return path.substr(0, base) + path.substr(base, kLongestBase) + suffix;
}

// A regular file under a temporary name. Zeros are holes in it.
class FileSink final : public Sink {
 public:
  // `mode` is that of the file to be replaced, 0 for a new one.
  FileSink(std::string path, std::uint64_t size, Existing existing, mode_t mode)
      : path_(std::move(path)), name_(printable(path_)), existing_(existing) {
    create();
    // The size first: a file system too small for it says so at once.
    if ((size > 0 && ftruncate(fd_, static_cast<off_t>(size)) != 0) ||
        (mode != 0 && fchmod(fd_, mode & 07777) != 0)) {
      const int error = errno;
      discard();
      throw_system_error(name_, "creating a file of " + std::to_string(size) + " bytes", error);
    }
  }

  ~FileSink() override { discard(); }

  void write(std::uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      throw_if_cancelled();
      const ssize_t n = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (n < 0) {
        after_failed_write(fd_, name_, errno);
        continue;
      }
      offset += static_cast<std::uint64_t>(n);
      data = data.subspan(static_cast<std::size_t>(n));
    }
  }

  void zeros(std::uint64_t, std::uint64_t) override {}
  bool keeps_holes() const override { return true; }

  void finish() override {
    if (fsync(fd_) != 0) throw_system_error(name_, "writing", errno);
    const int fd = fd_;
    fd_ = -1;
    if (close(fd) != 0 && errno != EINTR) throw_system_error(name_, "closing", errno);
    throw_if_cancelled();
    give_name();
    temporary_.clear();
    set_half_made_file({});
    const int directory = open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return;  // A directory that may be written but not read.
    fsync(directory);
    close(directory);
  }

 private:
  void create() {
    for (int tries = 0; fd_ < 0; ++tries) {
      temporary_ = temporary_name(path_);
      fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ < 0 && (errno != EEXIST || tries == 16)) {
        const int error = errno;
        temporary_.clear();
        throw_system_error(name_, "creating", error);
      }
    }
    set_half_made_file(temporary_);
  }

  // In one step, so that a file that appeared meanwhile is safe.
  void give_name() {
    if (existing_ == Existing::refuse) {
      if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0)
        return;
      if (errno != EINVAL && errno != ENOSYS) throw_system_error(name_, "creating", errno);
      // File systems without that call have link(), or neither.
      if (link(temporary_.c_str(), path_.c_str()) == 0) {
        unlink(temporary_.c_str());
        return;
      }
      if (errno != EPERM && errno != EOPNOTSUPP) throw_system_error(name_, "creating", errno);
    }
    if (rename(temporary_.c_str(), path_.c_str()) != 0)
      throw_system_error(name_, "replacing", errno);
  }

  void discard() noexcept {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    if (temporary_.empty()) return;
    unlink(temporary_.c_str());
    temporary_.clear();
    set_half_made_file({});
  }

  std::string path_;
  std::string name_;
  std::string temporary_;
  Existing existing_;
  int fd_ = -1;
};

// The file that a link stands for, so that replacing keeps the link.
std::string resolved(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? path : std::string(real.get());
}

}  // namespace

void write_all(int fd, const std::string& name, std::span<const std::byte> data) {
  while (!data.empty()) {
    // A signal in the middle of a write shows as a short one.
    throw_if_cancelled();
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0)
      after_failed_write(fd, name, errno);
    else
      data = data.subspan(static_cast<std::size_t>(n));
  }
}

std::unique_ptr<Sink> open_sink(const std::string& path, std::uint64_t size, Existing existing) {
  if (path == "-") return std::make_unique<StreamSink>(STDOUT_FILENO, false, kStandardOutput);
  if (path.empty()) throw UsageError("the file to write has no name");
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) throw_system_error(path, "creating", errno);
    return std::make_unique<FileSink>(path, size, existing, 0);
  }
  const bool keeps_data = S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
  if (keeps_data && existing == Existing::refuse)
    throw Failure(printable(path) + ": it exists already", "--force replaces it");
  // Renaming would replace a file that may not be written.
  if (access(path.c_str(), W_OK) != 0) throw_system_error(path, "opening to write", errno);
  if (S_ISREG(status.st_mode))
    return std::make_unique<FileSink>(resolved(path), size, existing, status.st_mode);
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) throw_system_error(path, "opening to write", errno);
  return std::make_unique<StreamSink>(fd, true, printable(path));
}

void TextOutput::write(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= kTextPiece) finish();
}

void TextOutput::print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char* text = nullptr;
  const int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(void*)> owner(text, std::free);
  write({text, static_cast<std::size_t>(length)});
}

void TextOutput::finish() {
  write_all(STDOUT_FILENO, kStandardOutput, std::as_bytes(std::span(pending_)));
  pending_.clear();
}

}  // namespace vmdk_tool
