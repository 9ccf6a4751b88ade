// SPDX-License-Identifier: MIT
// The text of a new descriptor.
#ifndef VMDK_FORMAT_DESCRIPTOR_WRITER_H
#define VMDK_FORMAT_DESCRIPTOR_WRITER_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/descriptor.h"

namespace vmdk {

// A disk database: keys with "ddb.", each once whatever its case, in the order of VMware: sorted.
class Database final {
 public:
  // A key that is there keeps its spelling and gets the value.
  void set(std::string_view key, std::string_view value);

  const std::vector<std::pair<std::string, std::string>>& entries() const noexcept {
    return entries_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

struct NewDescriptor {
  std::uint32_t cid = 0, parent_cid = kNoParent;
  std::string create_type;
  std::string parent_hint;  // of a child
  std::vector<ExtentLine> extents;
  Database database;
};

// Names and hint must be quotable, keys and values good by descriptor_edit.h.
std::string write_descriptor(const NewDescriptor& descriptor);

// Can the text stand between quotes in a descriptor that is UTF-8, to be read as it is by others,
// too? Not with control characters or double quotes.
bool is_quotable(std::string_view text) noexcept;

}  // namespace vmdk

#endif
