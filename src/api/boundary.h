// SPDX-License-Identifier: MIT
// Where exceptions end and C begins.
#ifndef VMDK_API_BOUNDARY_H
#define VMDK_API_BOUNDARY_H

#include <vmdk/vmdk.h>

#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

#include "util/error.h"

namespace vmdk {

// Keeps the detail of a failure for vmdk_last_error() and returns its status. The one for
// exceptions of ours gets all there is to say.
vmdk_status report(const Error& error) noexcept;
vmdk_status report(vmdk_status status, const char* message) noexcept;

// Runs the body of a C function; no exception gets past it.
template <class Body>
vmdk_status guard(Body&& body) noexcept {
  try {
    body();
    return VMDK_OK;
  } catch (const Error& error) {
    return report(error);
  } catch (const std::bad_alloc&) {
    return report(VMDK_ERR_NO_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return report(VMDK_ERR_INTERNAL, error.what());
  } catch (...) {
    return report(VMDK_ERR_INTERNAL, "unknown exception");
  }
}

inline void require(bool condition, const char* what) {
  if (!condition) throw Error(VMDK_ERR_INVALID_ARGUMENT, what);
}

// Takes a structure from a caller compiled with an older or newer header; null is all defaults.
template <class T>
T copy_options(const T* in) {
  static_assert(std::is_trivially_copyable_v<T>);
  T out{};
  if (in == nullptr) return out;
  const std::size_t size = in->struct_size;
  require(size >= sizeof in->struct_size, "struct_size of the options is not set");
  const auto* bytes = reinterpret_cast<const unsigned char*>(in);
  for (std::size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0)
      throw Error(VMDK_ERR_UNSUPPORTED, "the options are of a newer version than this library");
  std::memcpy(&out, in, size < sizeof(T) ? size : sizeof(T));
  return out;
}

// Checks that a structure to be filled says how large it is.
template <class T>
void require_sized(const T* out) {
  require(out != nullptr, "the structure to fill is NULL");
  require(out->struct_size >= sizeof out->struct_size,
          "struct_size of the structure to fill is not set");
}

// Gives a filled structure to a caller compiled with an older or newer header. Its struct_size
// stays.
template <class T>
void give(T* to, const T& from) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::uint32_t size = to->struct_size;
  std::memset(static_cast<void*>(to), 0, size);
  std::memcpy(static_cast<void*>(to), &from, size < sizeof(T) ? size : sizeof(T));
  to->struct_size = size;
}

// The two-call way of giving a text: `out_size` gets the room needed, NUL included.
void give_text(std::string_view text, char* buffer, std::size_t size, std::size_t* out_size);

}  // namespace vmdk

#endif
