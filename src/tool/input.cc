// SPDX-License-Identifier: MIT
#include "input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "errors.h"
#include "messages.h"
#include "signals.h"

namespace vmdk_tool {

bool is_stream(const std::string& path) {
  struct stat status = {};
  if (path == "-") return true;
  return stat(path.c_str(), &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode) || S_ISSOCK(status.st_mode));
}

Input::Input(const std::string& path)
    : name_(path == "-" ? "standard input" : printable(path)),
      owned_(path != "-"),
      fd_(owned_ ? open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO) {
  if (fd_ < 0) {
    throw_if_cancelled();
    throw_system_error(path, "opening", errno);
  }
}

Input::~Input() {
  if (owned_) close(fd_);
}

std::optional<std::uint64_t> Input::size() const {
  struct stat status = {};
  if (fstat(fd_, &status) != 0) throw_system_error(name_, "reading its size", errno);
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) return std::nullopt;
  const off_t at = lseek(fd_, 0, SEEK_CUR);
  const off_t end = lseek(fd_, 0, SEEK_END);
  if (at < 0 || end < 0 || lseek(fd_, at, SEEK_SET) < 0)
    throw_system_error(name_, "reading its size", errno);
  return end > at ? static_cast<std::uint64_t>(end - at) : 0;
}

std::size_t Input::read(std::span<std::byte> room) {
  std::size_t filled = 0;
  while (filled < room.size()) {
    throw_if_cancelled();
    const ssize_t n = ::read(fd_, room.data() + filled, room.size() - filled);
    if (n == 0) break;
    if (n > 0)
      filled += static_cast<std::size_t>(n);
    else if (errno != EINTR)
      throw_system_error(name_, "reading", errno);
  }
  return filled;
}

}  // namespace vmdk_tool
