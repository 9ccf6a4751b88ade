// SPDX-License-Identifier: MIT
// Functions that need no disk: version, names of statuses, looking at bytes.
#include <vmdk/vmdk.h>

#include "api/boundary.h"
#include "disk/disk.h"
#include "format/descriptor.h"
#include "format/probe.h"
#include "io/tar_file.h"
#include "util/text.h"

namespace vmdk {

namespace {

#define VMDK_TEXT_(x) #x
#define VMDK_TEXT(x) VMDK_TEXT_(x)
constexpr const char kVersion[] = VMDK_TEXT(VMDK_VERSION_MAJOR) "." VMDK_TEXT(
    VMDK_VERSION_MINOR) "." VMDK_TEXT(VMDK_VERSION_PATCH);
#undef VMDK_TEXT
#undef VMDK_TEXT_

Bytes bytes_of(const void* bytes, std::size_t size) {
  return {static_cast<const std::byte*>(bytes), size};
}

void list_references(Bytes bytes, vmdk_reference_fn fn, void* user) {
  const std::string_view text = descriptor_text(bytes);
  if (looks_encrypted(text)) throw Error(VMDK_ERR_ENCRYPTED, "the descriptor is encrypted");
  if (!looks_like_descriptor(text)) throw Error(VMDK_ERR_NOT_VMDK, "the bytes hold no descriptor");
  Link link;
  link.descriptor = Descriptor::parse("descriptor", text, {16 << 20, 65536});
  link.encoding = link.descriptor.encoding();
  const auto give = [&](vmdk_reference_kind kind, std::string_view name) {
    if (name.empty()) return;
    if (fn(user, kind, descriptor_utf8(link, name).c_str()) != 0)
      throw Error(VMDK_ERR_CANCELLED, "the callback asked to stop");
  };
  if (link.descriptor.has_parent())
    give(VMDK_REFERENCE_PARENT, link.descriptor.find("parentFileNameHint").value_or(""));
  for (const ExtentLine& line : link.descriptor.extents) give(VMDK_REFERENCE_EXTENT, line.file);
  give(VMDK_REFERENCE_TRACKING, link.descriptor.find("changeTrackPath").value_or(""));
}

}  // namespace

}  // namespace vmdk

extern "C" {

const char* vmdk_version_string(void) { return vmdk::kVersion; }

uint32_t vmdk_version_number(void) {
  return VMDK_VERSION_MAJOR * 1000000u + VMDK_VERSION_MINOR * 1000u + VMDK_VERSION_PATCH;
}

const char* vmdk_status_string(vmdk_status status) {
  switch (status) {
    case VMDK_OK:
      return "success";
    case VMDK_ERR_INVALID_ARGUMENT:
      return "invalid argument";
    case VMDK_ERR_OUT_OF_RANGE:
      return "out of range";
    case VMDK_ERR_NO_MEMORY:
      return "out of memory";
    case VMDK_ERR_NOT_FOUND:
      return "not found";
    case VMDK_ERR_EXISTS:
      return "file exists";
    case VMDK_ERR_ACCESS:
      return "access denied by the system";
    case VMDK_ERR_LOCKED:
      return "locked by another process";
    case VMDK_ERR_IO:
      return "input/output error";
    case VMDK_ERR_NO_SPACE:
      return "no space left";
    case VMDK_ERR_NOT_VMDK:
      return "not a VMDK";
    case VMDK_ERR_CORRUPT:
      return "corrupt image";
    case VMDK_ERR_UNSUPPORTED:
      return "not supported";
    case VMDK_ERR_PATH_DENIED:
      return "path not allowed";
    case VMDK_ERR_LIMIT:
      return "limit exceeded";
    case VMDK_ERR_PARENT_MISSING:
      return "parent disk missing";
    case VMDK_ERR_PARENT_CHANGED:
      return "parent disk changed (content ID mismatch)";
    case VMDK_ERR_READ_ONLY:
      return "read only";
    case VMDK_ERR_CANCELLED:
      return "cancelled";
    case VMDK_ERR_POISONED:
      return "disabled by an earlier write error";
    case VMDK_ERR_ENCRYPTED:
      return "encrypted disk";
    case VMDK_ERR_INTERNAL:
      return "internal error";
    default:
      return "unknown status";
  }
}

vmdk_status vmdk_probe(const void* bytes, size_t size, vmdk_probe_result* out_result) {
  return vmdk::guard([&] {
    vmdk::require(bytes != nullptr || size == 0, "bytes is NULL");
    vmdk::require_sized(out_result);
    vmdk_probe_result result{};
    const vmdk::Bytes beginning = vmdk::bytes_of(bytes, size);
    vmdk::probe(beginning, result);
    if (result.kind == VMDK_FILE_KIND_UNKNOWN && vmdk::is_tar(beginning))
      result.kind = VMDK_FILE_KIND_TAR;
    vmdk::give(out_result, result);
  });
}

vmdk_status vmdk_list_references(const void* bytes, size_t size, vmdk_reference_fn fn, void* user) {
  return vmdk::guard([&] {
    vmdk::require(bytes != nullptr || size == 0, "bytes is NULL");
    vmdk::require(fn != nullptr, "fn is NULL");
    vmdk::list_references(vmdk::bytes_of(bytes, size), fn, user);
  });
}

}  // extern "C"
