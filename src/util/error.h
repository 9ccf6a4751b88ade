// SPDX-License-Identifier: MIT
// The one exception of the library. It is thrown anywhere below api/ and turned into a status and a
// vmdk_error there. Its message is one line: "file: what, where, why".
#ifndef VMDK_UTIL_ERROR_H
#define VMDK_UTIL_ERROR_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <exception>
#include <string>

namespace vmdk {

class Error final : public std::exception {
 public:
  Error(vmdk_status status, std::string message, int os_error = 0)
      : status_(status), os_error_(os_error), message_(std::move(message)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  vmdk_status status() const noexcept { return status_; }
  int os_error() const noexcept { return os_error_; }
  const std::string& hint() const noexcept { return hint_; }
  std::uint32_t link() const noexcept { return link_; }
  std::uint32_t extent() const noexcept { return extent_; }
  std::uint64_t offset() const noexcept { return offset_; }

  // What the caller can do about it.
  Error&& with_hint(std::string hint) && {
    hint_ = std::move(hint);
    return std::move(*this);
  }
  // Where on the disk it happened, as far as that is not known yet.
  void add_place(std::uint32_t link, std::uint32_t extent, std::uint64_t offset) noexcept;

 private:
  vmdk_status status_;
  int os_error_;
  std::uint32_t link_ = UINT32_MAX;
  std::uint32_t extent_ = UINT32_MAX;
  std::uint64_t offset_ = UINT64_MAX;
  std::string message_;
  std::string hint_;
};

// Throws for a failed system call: "file: what: text of the error".
[[noreturn]] void throw_os_error(const std::string& file, const char* what, int os_error);

// What the system says of an errno value.
std::string text_of_errno(int os_error);

// Status that stands for an errno value.
vmdk_status status_of(int os_error) noexcept;

[[noreturn]] inline void throw_corrupt(const std::string& file, const std::string& why) {
  throw Error(VMDK_ERR_CORRUPT, file + ": " + why);
}

}  // namespace vmdk

#endif
