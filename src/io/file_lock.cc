// SPDX-License-Identifier: MIT
#include "io/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>

#include "io/listing.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

// Byte 100 + n says "I do n", byte 200 + n says "nobody else may do n". What there is to do: 0 read
// consistently, 1 write, 3 resize.
constexpr std::array<int, 3> kHeldToRead = {100, 201, 203};
constexpr std::array<int, 5> kHeldToWrite = {100, 101, 103, 201, 203};
// What others hold that does not go with it.
constexpr std::array<int, 3> kRefusedToRead = {101, 103, 200};
constexpr std::array<int, 5> kRefusedToWrite = {101, 103, 200, 201, 203};

struct flock range_lock(short type, int first, int last) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = last - first + 1;
  return lock;
}

int set_lock(int fd, short type, int at) {
  struct flock lock = range_lock(type, at, at);
  while (::fcntl(fd, F_OFD_SETLK, &lock) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

bool is_held_by_others(int fd, int first, int last) {
  struct flock lock = range_lock(F_WRLCK, first, last);
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::string read_small(const std::string& path) {
  std::array<char, 4096> text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return {};
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  return {text.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

// Does this process hold a lock on the file? The lines to look for end in "MAJOR:MINOR:INODE START
// END".
bool holds_lock(const std::string& process, const std::string& file) {
  const Listing infos(::opendir((process + "/fdinfo").c_str()));
  if (!infos) return false;
  while (const dirent* entry = ::readdir(infos.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string info = read_small(process + "/fdinfo/" + entry->d_name);
    for (std::size_t at = info.find("lock:"); at != std::string::npos;
         at = info.find("lock:", at + 1))
      if (info.substr(at, info.find('\n', at) - at).find(file) != std::string::npos) return true;
  }
  return false;
}

// The processes that hold locks on the file, as far as the system lets us see: " by NAME (PID)".
std::string holder_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return {};
  std::array<char, 64> needle;
  std::snprintf(needle.data(), needle.size(), " %02x:%02x:%llu ", major(st.st_dev),
                minor(st.st_dev), static_cast<unsigned long long>(st.st_ino));
  const Listing processes(::opendir("/proc"));
  if (!processes) return {};
  const std::string self = std::to_string(::getpid());
  while (const dirent* entry = ::readdir(processes.get())) {
    if (!parse_decimal(entry->d_name)) continue;
    const std::string process = std::string("/proc/") + entry->d_name;
    if (entry->d_name == self || !holds_lock(process, needle.data())) continue;
    std::string name = read_small(process + "/comm");
    if (!name.empty() && name.back() == '\n') name.pop_back();
    return " by " + (name.empty() ? "a process" : printable(name)) + " (process " + entry->d_name +
           ")";
  }
  // This process holds a lock anyway when it has it open twice.
  return {};
}

}  // namespace

bool lock_file(int fd, const std::string& name, FileUse use) {
  const bool write = use == FileUse::write;
  const std::span<const int> held = write ? std::span<const int>(kHeldToWrite) : kHeldToRead;
  const std::span<const int> refused =
      write ? std::span<const int>(kRefusedToWrite) : kRefusedToRead;
  const auto deny = [&] {
    const std::string holder = holder_of(fd);
    for (const int at : held) set_lock(fd, F_UNLCK, at);
    throw Error(VMDK_ERR_LOCKED,
                name + ": is in use" + holder +
                    (write ? "; to write, nobody else may have it open" : ", which writes to it"))
        .with_hint(write ? "close it there first"
                         : "close it there first, or read it as it stands with --no-lock "
                           "(VMDK_OPEN_NO_LOCK)");
  };
  // First taken, then looked: of two that try at the same time both may be refused, but never do
  // both go on.
  for (const int at : held) {
    const int error = set_lock(fd, F_RDLCK, at);
    if (error == EAGAIN || error == EACCES) deny();
    if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS || error == EINVAL) return false;
    if (error != 0) throw_os_error(name, "cannot be locked", error);
  }
  // Mostly nobody is there, and one question is enough.
  if (!is_held_by_others(fd, refused.front(), refused.back())) return true;
  for (const int at : refused)
    if (is_held_by_others(fd, at, at)) deny();
  return true;
}

}  // namespace vmdk
