// SPDX-License-Identifier: MIT
// Words for the numbers of <vmdk/vmdk.h>, the same in text and in JSON, and on
// the command line.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace vmdk_tool {

// The createType a VMDK_TYPE value stands for; "unknown" for 0 and new ones.
const char* type_name(std::uint32_t type);
// ddb.adapterType for a VMDK_ADAPTER value; "unknown" likewise.
const char* adapter_name(std::uint32_t adapter);
// The word for a VMDK_TARGET value.
const char* target_name(std::uint32_t target);
// The value that stands for a name, in any case; 0 for none.
std::uint32_t type_by_name(const std::string& name);
std::uint32_t adapter_by_name(const std::string& name);
std::uint32_t target_by_name(const std::string& name);
// "flat", "sparse", "stream", "cowd", "seSparse", "zero".
const char* extent_kind_name(std::uint32_t kind);
// "RW", "RDONLY", "NOACCESS".
const char* access_name(std::uint32_t access);
// "data", "zero", "absent".
const char* run_kind_name(std::uint32_t kind);

// A content ID as descriptors write it: eight hexadecimal digits.
std::string cid_text(std::uint32_t cid);

struct FlagName {
  std::uint32_t flag;
  const char* key;   // in JSON
  const char* text;  // for people
};
// The VMDK_INFO flags.
std::span<const FlagName> info_flags();

}  // namespace vmdk_tool
