// SPDX-License-Identifier: MIT
// Bringing a changed descriptor to its file, or to its place inside an extent.
#ifndef VMDK_DISK_DESCRIPTOR_FILE_H
#define VMDK_DISK_DESCRIPTOR_FILE_H

#include <cstdint>
#include <optional>
#include <string>

#include "disk/disk.h"
#include "format/descriptor.h"
#include "io/file.h"

namespace vmdk {

// What is to be known after a failure.
struct TextWrite {
  bool in_doubt = false;  // it is not known what is on stable storage
  std::optional<std::uint64_t>
      cut;  // the file is to be cut off here: bytes may be left behind its end
};

// Gives the link this text. A content ID alone is written in place and not synced: whatever part of
// its digits a crash leaves is another content ID. Every other change is on stable storage at once
// or not at all: a text file is replaced; in an extent a change inside one sector is written in
// place, for a larger one the header points to a copy at the end of the file while the text is
// rewritten.
void write_descriptor(FileSystem& files, Link& link, const std::string& text,
                      const DescriptorLimits& limits, bool content_id_only, TextWrite& state);

}  // namespace vmdk

#endif
