// SPDX-License-Identifier: MIT
// Changing a descriptor: the new text, which is the old one byte for byte but for what changes.
#ifndef VMDK_FORMAT_DESCRIPTOR_EDIT_H
#define VMDK_FORMAT_DESCRIPTOR_EDIT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/descriptor.h"

namespace vmdk {

// With a key of the disk database set, or removed for no value. `encoding` is the code page of the
// descriptor, "" where it is not said. Throws VMDK_ERR_INVALID_ARGUMENT for what cannot stand
// there.
std::string text_with_key(const Descriptor& descriptor, std::string_view encoding,
                          std::string_view key, std::optional<std::string_view> value);

// With another content ID, made from the random number, also in the long content ID if there is
// one. The length stays the same where the old one has five digits or more.
std::string text_with_content_id(const Descriptor& descriptor, std::uint32_t random);

// Can this be a key of the disk database, and this its value?
bool is_ddb_key(std::string_view key) noexcept;
bool is_ddb_value(std::string_view value) noexcept;

}  // namespace vmdk

#endif
