// SPDX-License-Identifier: MIT
#include "util/error.h"

#include <cerrno>
#include <system_error>

namespace vmdk {

void Error::add_place(std::uint32_t link, std::uint32_t extent, std::uint64_t offset) noexcept {
  if (link_ == UINT32_MAX) link_ = link;
  if (extent_ == UINT32_MAX) extent_ = extent;
  if (offset_ == UINT64_MAX) offset_ = offset;
}

vmdk_status status_of(int os_error) noexcept {
  switch (os_error) {
    case ENOENT:
    case ENOTDIR:
      return VMDK_ERR_NOT_FOUND;
    case EEXIST:
      return VMDK_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
      return VMDK_ERR_ACCESS;
    case ENOMEM:
      return VMDK_ERR_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return VMDK_ERR_NO_SPACE;
    case EAGAIN:
      return VMDK_ERR_LOCKED;
    case ECANCELED:
      return VMDK_ERR_CANCELLED;
    default:
      return VMDK_ERR_IO;
  }
}

// std::generic_category is the thread-safe way to the text.
std::string text_of_errno(int os_error) { return std::generic_category().message(os_error); }

void throw_os_error(const std::string& file, const char* what, int os_error) {
  throw Error(status_of(os_error), file + ": " + what + ": " + text_of_errno(os_error), os_error);
}

}  // namespace vmdk
