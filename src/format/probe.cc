// SPDX-License-Identifier: MIT
#include "format/probe.h"

#include <algorithm>

#include "format/cowd_header.h"
#include "format/descriptor.h"
#include "format/se_header.h"
#include "format/sparse_header.h"
#include "util/checked.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kTrackingMagic = 0xf61972a2;
constexpr std::uint32_t kUnfinishedMagic = 0x766d646b;  // "kdmv"

// Where the header of a sparse extent says that its descriptor is, in bytes; saturated.
struct DescriptorPlace {
  std::uint64_t offset, size;
};

DescriptorPlace descriptor_place(Bytes header) {
  const auto bytes = [&](std::size_t at) {
    return std::min(load_le<std::uint64_t>(header, at), UINT64_MAX / 1024) * kSectorSize;
  };
  return {bytes(28), bytes(36)};
}

// Fills what the text of a descriptor tells. Text that is cut off or damaged tells less.
void probe_text(std::string_view text, vmdk_probe_result& result) {
  result.flags |= VMDK_PROBE_HAS_DESCRIPTOR;
  const Descriptor::Summary summary = Descriptor::summarize(text);
  result.type = summary.type;
  result.capacity = summary.sectors * kSectorSize;
  if (summary.has_parent) result.flags |= VMDK_PROBE_HAS_PARENT;
}

}  // namespace

vmdk_file_kind kind_of(Bytes beginning) noexcept {
  if (beginning.empty()) return VMDK_FILE_KIND_EMPTY;
  if (beginning.size() >= 8) {
    const auto magic = load_le<std::uint32_t>(beginning, 0);
    if (magic == kSparseMagic) return VMDK_FILE_KIND_SPARSE;
    if (magic == kCowdMagic) return VMDK_FILE_KIND_COWD;
    if (load_le<std::uint64_t>(beginning, 0) == kSeMagic) return VMDK_FILE_KIND_SE_SPARSE;
    if (magic == kTrackingMagic) return VMDK_FILE_KIND_TRACKING;
    if (magic == kUnfinishedMagic) return VMDK_FILE_KIND_UNFINISHED;
  }
  if (looks_encrypted(as_text(beginning))) return VMDK_FILE_KIND_ENCRYPTED;
  if (looks_like_descriptor(as_text(beginning))) return VMDK_FILE_KIND_DESCRIPTOR;
  return VMDK_FILE_KIND_UNKNOWN;
}

const char* why_not_a_disk(vmdk_file_kind kind) noexcept {
  switch (kind) {
    case VMDK_FILE_KIND_EMPTY:
      return "is empty";
    case VMDK_FILE_KIND_TRACKING:
      return "is a change-tracking file, not a disk";
    case VMDK_FILE_KIND_UNFINISHED:
      return "was never finished by its writer (its magic number is in lower case): it is "
             "incomplete";
    case VMDK_FILE_KIND_ENCRYPTED:
      return "is the descriptor of an encrypted disk";
    default:
      return "is not a VMDK: neither its first bytes nor a descriptor say so; it may be the raw "
             "data of a flat extent";
  }
}

std::string_view descriptor_text(Bytes beginning) {
  const vmdk_file_kind kind = kind_of(beginning);
  Bytes text;
  if (kind == VMDK_FILE_KIND_DESCRIPTOR || kind == VMDK_FILE_KIND_ENCRYPTED) text = beginning;
  if (kind == VMDK_FILE_KIND_SPARSE && beginning.size() >= kSparseHeaderSize) {
    const auto [offset, size] = descriptor_place(beginning);
    if (offset == 0 || offset >= beginning.size()) return {};
    text = beginning.subspan(offset, std::min<std::uint64_t>(size, beginning.size() - offset));
  }
  const std::string_view all = as_text(text);
  return all.substr(0, all.find('\0'));
}

void probe(Bytes beginning, vmdk_probe_result& result) {
  const vmdk_file_kind kind = kind_of(beginning);
  result.kind = kind;
  result.bytes_needed = std::min<std::uint64_t>(beginning.size(), 512);
  if (kind == VMDK_FILE_KIND_SE_SPARSE && beginning.size() >= 24)
    result.capacity =
        std::min(load_le<std::uint64_t>(beginning, 16), UINT64_MAX / kSectorSize) * kSectorSize;
  if (kind == VMDK_FILE_KIND_COWD && beginning.size() >= 16)
    result.capacity = load_le<std::uint32_t>(beginning, 12) * kSectorSize;
  if (kind == VMDK_FILE_KIND_SPARSE && beginning.size() < kSparseHeaderSize) {
    result.flags |= VMDK_PROBE_INCOMPLETE;
    result.bytes_needed = kSparseHeaderSize;
  } else if (kind == VMDK_FILE_KIND_SPARSE) {
    result.capacity =
        std::min(load_le<std::uint64_t>(beginning, 12), UINT64_MAX / kSectorSize) * kSectorSize;
    if ((load_le<std::uint32_t>(beginning, 8) & SparseHeader::kCompressed) != 0)
      result.flags |= VMDK_PROBE_COMPRESSED;
    const auto [offset, size] = descriptor_place(beginning);
    result.bytes_needed =
        offset == 0 ? kSparseHeaderSize : std::max<std::uint64_t>(offset + size, kSparseHeaderSize);
    if (result.bytes_needed > beginning.size()) result.flags |= VMDK_PROBE_INCOMPLETE;
  }
  const std::string_view text = descriptor_text(beginning);
  if (kind == VMDK_FILE_KIND_DESCRIPTOR) {
    result.bytes_needed = text.size();
    // A text that goes on to the last byte may go on behind it.
    if (text.size() == beginning.size() && beginning.size() >= 4096)
      result.flags |= VMDK_PROBE_INCOMPLETE;
  }
  if (kind != VMDK_FILE_KIND_ENCRYPTED && looks_like_descriptor(text)) probe_text(text, result);
}

}  // namespace vmdk
