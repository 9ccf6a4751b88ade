// SPDX-License-Identifier: MIT
// Opening a file by a name that an untrusted image supplies. The policy holds while the name is
// resolved, not by looking at the string beforehand (CVE-2022-47951 and its like).
#ifndef VMDK_IO_PATH_POLICY_H
#define VMDK_IO_PATH_POLICY_H

#include <cstdint>
#include <string>

namespace vmdk {

// A file descriptor that closes itself.
class UniqueFd final {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  int get() const noexcept { return fd_; }
  bool ok() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// How a name is kept beneath a directory. `automatic` is openat2(RESOLVE_BENEATH), or `walk` where
// the system lacks it; `walk` goes component by component and resolves links by hand. Both follow
// links that stay inside and refuse what leads out.
enum class Resolver { automatic, walk };

// Opens `name` beneath the directory `dir` with `flags` (of open(2); O_PATH for looking only).
// Returns a descriptor or a negative errno value: -EXDEV if the name leads out of `dir`, -ELOOP for
// too many links, -ENOENT if there is no such file. `name` must be relative.
int open_beneath(int dir, const std::string& name, int flags, Resolver resolver);

// Throws VMDK_ERR_PATH_DENIED for names that are refused before any system call: empty, too long,
// with control characters, or ending in a slash.
void check_name(const std::string& from, const std::string& name);

// Does the name begin with a slash?
bool is_absolute(const std::string& name) noexcept;

// Is one of its components ".."?
bool climbs(const std::string& name) noexcept;

// Without "." and "..", by text alone: "/a/../b/./c" is "/b/c". `path` must be absolute.
std::string normalize(const std::string& path);

// If the normalized absolute `path` lies below the normalized absolute `root`: the rest of it.
// Otherwise "".
std::string below(const std::string& root, const std::string& path);

}  // namespace vmdk

#endif
