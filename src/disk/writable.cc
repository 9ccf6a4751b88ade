// SPDX-License-Identifier: MIT
#include "disk/writable.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error(VMDK_ERR_READ_ONLY, name + ": cannot be written: " + why).with_hint(kSnapshotHint);
}

// What is written to an extent must not show up in another one.
void check_shared_bytes(const Link& link) {
  struct Range {
    const File* file;
    std::uint64_t begin, end;
    bool written;
  };
  std::vector<Range> ranges;
  for (const Link::Slot& slot : link.slots)
    if (slot.extent->kind() == VMDK_EXTENT_FLAT && slot.extent->size() != 0)
      ranges.push_back({slot.extent->file(), slot.extent->file_offset(),
                        slot.extent->file_offset() + slot.extent->size(),
                        slot.access == VMDK_ACCESS_READ_WRITE});
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::less<>()(a.file, b.file) || (a.file == b.file && a.begin < b.begin);
  });
  std::uint64_t end = 0, written_end = 0;  // of what was seen of the file
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (i == 0 || ranges[i].file != ranges[i - 1].file) end = written_end = 0;
    if (ranges[i].begin < (ranges[i].written ? end : written_end))
      refuse(ranges[i].file->name(), "more than one extent of " + link.files[0]->name() +
                                         " has the bytes from " + std::to_string(ranges[i].begin) +
                                         " on");
    end = std::max(end, ranges[i].end);
    if (ranges[i].written) written_end = std::max(written_end, ranges[i].end);
  }
}

}  // namespace

void check_writable(const Link& link, bool with_parents, Reporter& reporter) {
  const std::string& name = link.files[0]->name();
  if (link.descriptor.find("changeTrackPath"))
    refuse(name,
           "its changes are tracked in a file of their own, which would miss what is written here");
  if (!with_parents && link.descriptor.has_parent())
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                name + ": has a parent, without which it cannot be written (VMDK_OPEN_NO_PARENT)");
  if (const auto filters = link.descriptor.find("ddb.iofilters"); filters && !filters->empty())
    reporter.warn(name + ": belongs to I/O filters of vSphere (" + printable(*filters) +
                  "), which will not know of what is written");
  check_shared_bytes(link);
  const char* why = nullptr;
  for (const Link::Slot& slot : link.slots) {
    if (slot.extent->size() == 0) continue;
    const char* reason = slot.access != VMDK_ACCESS_READ_WRITE
                             ? "its extents are RDONLY or NOACCESS"
                             : slot.extent->why_read_only();
    if (reason == nullptr) return;
    if (why == nullptr) why = reason;
  }
  if (why != nullptr) refuse(name, why);
}

}  // namespace vmdk
