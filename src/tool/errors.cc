// SPDX-License-Identifier: MIT
#include "errors.h"

#include <system_error>

#include "messages.h"

namespace vmdk_tool {
namespace {

std::string place_of(const vmdk_error& error) {
  std::string place = vmdk_status_string(error.status);
  if (error.link != UINT32_MAX) place += "; link " + std::to_string(error.link);
  if (error.extent != UINT32_MAX) place += "; extent " + std::to_string(error.extent);
  if (error.offset != UINT64_MAX) place += "; guest offset " + std::to_string(error.offset);
  if (error.os_error != 0) place += "; errno " + std::to_string(error.os_error);
  return place;
}

}  // namespace

void throw_library_error(vmdk_status status) {
  const vmdk_error* const error = vmdk_last_error();
  if (status == VMDK_ERR_CANCELLED) throw Cancelled{};
  std::string message = printable(error->message);
  if (message.empty()) message = vmdk_status_string(status);
  Failure failure(message, printable(error->hint), status);
  failure.set_place(place_of(*error));
  throw failure;
}

void throw_system_error(const std::string& file, const std::string& what, int os_error) {
  throw Failure(printable(file) + ": " + what + ": " + std::generic_category().message(os_error));
}

}  // namespace vmdk_tool
