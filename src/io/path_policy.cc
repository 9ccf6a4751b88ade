// SPDX-License-Identifier: MIT
#include "io/path_policy.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <string_view>
#include <vector>

#include "util/error.h"
#include "util/text.h"

namespace vmdk {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int UniqueFd::release() noexcept {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

constexpr int kMaxLinks = 40;
constexpr std::size_t kMaxName = 4095, kMaxComponent = 255;

// The components, "." among them: behind another one it says that this is a directory, as a slash
// at the end does.
std::deque<std::string> split(std::string_view path) {
  std::deque<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.emplace_back(path.substr(0, slash));
    if (slash + 1 == path.size()) parts.emplace_back(".");
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// The walk keeps the open directories from `dir` down to where it is, so that ".." in a link is a
// step back on that stack and never asks the file system what lies above.
class Walk final {
 public:
  Walk(int dir, const std::string& name) : dir_(dir), todo_(split(name)) {}

  int open(int flags) {
    while (!todo_.empty()) {
      const std::string part = std::move(todo_.front());
      todo_.pop_front();
      const bool last = todo_.empty();
      if (part == "." || part == "..") {
        if (part == "..") {
          if (stack_.empty()) return -EXDEV;
          stack_.pop_back();
        }
        if (last) return reopen(".", flags, UniqueFd(::openat(here(), ".", O_PATH | O_CLOEXEC)));
        continue;
      }
      // O_PATH | O_NOFOLLOW opens a link itself, and nothing else can act on being opened.
      UniqueFd at(::openat(here(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!at.ok()) return -errno;
      struct stat st {};
      if (::fstat(at.get(), &st) != 0) return -errno;
      if (S_ISLNK(st.st_mode)) {
        const int result = follow(at.get());
        if (result != 0) return result;
        continue;
      }
      if (last) return reopen(part, flags, std::move(at));
      if (!S_ISDIR(st.st_mode)) return -ENOTDIR;
      stack_.push_back(std::move(at));
    }
    return -ENOENT;
  }

 private:
  int here() const { return stack_.empty() ? dir_ : stack_.back().get(); }

  int follow(int link) {
    if (++links_ > kMaxLinks) return -ELOOP;
    std::array<char, PATH_MAX> target;
    const ssize_t length = ::readlinkat(link, "", target.data(), target.size());
    if (length < 0) return -errno;
    const std::string_view path(target.data(), static_cast<std::size_t>(length));
    if (path.empty() || path.front() == '/') return -EXDEV;
    const auto parts = split(path);
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
    return 0;
  }

  int reopen(const std::string& part, int flags, UniqueFd at) const {
    if ((flags & O_PATH) != 0) return at.release();
    const int fd = ::openat(here(), part.c_str(), flags | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
  }

  int dir_;
  int links_ = 0;
  std::vector<UniqueFd> stack_;
  std::deque<std::string> todo_;
};

}  // namespace

int open_beneath(int dir, const std::string& name, int flags, Resolver resolver) {
  if (is_absolute(name)) return -EXDEV;
  if (resolver == Resolver::automatic) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: a directory on the way was renamed meanwhile.
    for (int tries = 0; tries < 16; ++tries) {
      const long fd = ::syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how);
      if (fd >= 0) return static_cast<int>(fd);
      if (errno == EAGAIN || errno == EINTR) continue;
      // Kernels before 5.6, and filters that do not know the call.
      if (errno == ENOSYS || errno == EPERM) break;
      return -errno;
    }
  }
  return Walk(dir, name).open(flags);
}

void check_name(const std::string& from, const std::string& name) {
  const auto deny = [&](const char* why) {
    const std::string shown = printable(std::string_view(name).substr(0, 200));
    throw Error(VMDK_ERR_PATH_DENIED, from + ": names the file \"" + shown +
                                          (name.size() > 200 ? "...\"" : "\"") + ", which " + why);
  };
  if (name.size() > kMaxName) deny("is longer than 4095 bytes");
  bool any = false;  // is there a component that is one?
  std::size_t length = 0;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) deny("contains a control character");
    length = c == '/' ? 0 : length + 1;
    if (length > kMaxComponent) deny("has a component longer than 255 bytes");
    any = any || (c != '/' && c != '.');
  }
  if (!any) deny("is no name of a file");
  if (name.back() == '/') deny("ends in a slash");
}

bool is_absolute(const std::string& name) noexcept { return !name.empty() && name.front() == '/'; }

bool climbs(const std::string& name) noexcept {
  std::string_view rest = name;
  while (true) {
    const std::size_t slash = rest.find('/');
    if (rest.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    rest.remove_prefix(slash + 1);
  }
}

std::string normalize(const std::string& path) {
  std::vector<std::string> parts;
  for (std::string& part : split(path)) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != ".") {
      parts.push_back(std::move(part));
    }
  }
  std::string out;
  for (const std::string& part : parts) out += "/" + part;
  return out.empty() ? "/" : out;
}

std::string below(const std::string& root, const std::string& path) {
  if (root == "/") return path.substr(1);
  if (path.size() > root.size() + 1 && path.starts_with(root) && path[root.size()] == '/')
    return path.substr(root.size() + 1);
  return {};
}

}  // namespace vmdk
