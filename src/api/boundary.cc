// SPDX-License-Identifier: MIT
#include "api/boundary.h"

#include <algorithm>

#include "util/text.h"

namespace vmdk {

namespace {

// Plain bytes with a trivial destructor: works out of memory, and does not keep the library from
// being unloaded.
thread_local constinit vmdk_error last_error{
    sizeof(vmdk_error), VMDK_OK, 0, UINT32_MAX, UINT32_MAX, 0, UINT64_MAX, {0}, {0}};

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view text) noexcept {
  std::size_t size = std::min(text.size(), N - 1);
  // Not in the middle of a character.
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

}  // namespace

vmdk_status report(const Error& error) noexcept {
  report(error.status(), error.what());
  last_error.os_error = error.os_error();
  last_error.link = error.link();
  last_error.extent = error.extent();
  last_error.offset = error.offset();
  copy_text(last_error.hint, error.hint());
  try {
    copy_text(last_error.message, printable(error.what()));
    copy_text(last_error.hint, printable(error.hint()));
  } catch (const std::bad_alloc&) {
    // The text as it is will do.
  }
  return error.status();
}

vmdk_status report(vmdk_status status, const char* message) noexcept {
  last_error = {sizeof(vmdk_error), status, 0, UINT32_MAX, UINT32_MAX, 0, UINT64_MAX, {0}, {0}};
  copy_text(last_error.message, message);
  return status;
}

void give_text(std::string_view text, char* buffer, std::size_t size, std::size_t* out_size) {
  *out_size = text.size() + 1;
  if (size == 0) return;
  require(buffer != nullptr, "the buffer is NULL");
  if (size < text.size() + 1)
    throw Error(VMDK_ERR_OUT_OF_RANGE, "the buffer of " + std::to_string(size) +
                                           " bytes is too small for " +
                                           std::to_string(text.size() + 1));
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
}

}  // namespace vmdk

extern "C" const vmdk_error* vmdk_last_error(void) { return &vmdk::last_error; }
