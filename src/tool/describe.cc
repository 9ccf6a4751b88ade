// SPDX-License-Identifier: MIT
#include "describe.h"

#include <strings.h>
#include <vmdk/vmdk.h>

#include <cstddef>
#include <cstdio>

namespace vmdk_tool {
namespace {

template <std::size_t N>
const char* name_at(const char* const (&names)[N], std::uint32_t index) {
  return index < N ? names[index] : "unknown";
}

// The first name stands for what is unknown.
template <std::size_t N>
std::uint32_t index_of(const char* const (&names)[N], const std::string& name) {
  for (std::size_t i = 1; i < N; ++i)
    if (strcasecmp(names[i], name.c_str()) == 0) return static_cast<std::uint32_t>(i);
  return 0;
}

constexpr const char* kTypes[] = {"unknown",
                                  "monolithicSparse",
                                  "monolithicFlat",
                                  "twoGbMaxExtentSparse",
                                  "twoGbMaxExtentFlat",
                                  "streamOptimized",
                                  "vmfs",
                                  "vmfsSparse",
                                  "seSparse",
                                  "vmfsThin",
                                  "vmfsPreallocated",
                                  "vmfsEagerZeroedThick",
                                  "vmfsRaw",
                                  "vmfsRDM",
                                  "vmfsRDMP",
                                  "fullDevice",
                                  "partitionedDevice",
                                  "custom",
                                  "raw"};

constexpr const char* kAdapters[] = {"unknown", "ide",        "buslogic", "lsilogic", "legacyESX",
                                     "pvscsi",  "lsisas1068", "sata",     "nvme"};

constexpr const char* kTargets[] = {"none",       "workstation", "fusion", "esxi",
                                    "virtualbox", "qemu",        "ova",    "aws"};

constexpr FlagName kInfoFlags[] = {
    {VMDK_INFO_UNCLEAN, "unclean", "not closed cleanly"},
    {VMDK_INFO_COMPRESSED, "compressed", "compressed"},
    {VMDK_INFO_EMBEDDED, "embedded", "descriptor inside"},
    {VMDK_INFO_HAS_PARENT, "has_parent", "child"},
    {VMDK_INFO_RECOVERED, "recovered", "recovered"},
    {VMDK_INFO_TRACKED, "tracked", "changes tracked"},
    {VMDK_INFO_MEMBER, "member", "member of an archive"},
};

}  // namespace

const char* type_name(std::uint32_t type) { return name_at(kTypes, type); }

const char* adapter_name(std::uint32_t adapter) { return name_at(kAdapters, adapter); }

std::uint32_t type_by_name(const std::string& name) { return index_of(kTypes, name); }

std::uint32_t adapter_by_name(const std::string& name) { return index_of(kAdapters, name); }

const char* target_name(std::uint32_t target) { return name_at(kTargets, target); }

std::uint32_t target_by_name(const std::string& name) { return index_of(kTargets, name); }

const char* extent_kind_name(std::uint32_t kind) {
  static constexpr const char* kNames[] = {"flat", "sparse", "stream", "cowd", "seSparse", "zero"};
  return name_at(kNames, kind);
}

const char* access_name(std::uint32_t access) {
  static constexpr const char* kNames[] = {"RW", "RDONLY", "NOACCESS"};
  return name_at(kNames, access);
}

const char* run_kind_name(std::uint32_t kind) {
  static constexpr const char* kNames[] = {"data", "zero", "absent"};
  return name_at(kNames, kind);
}

std::string cid_text(std::uint32_t cid) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", cid);
  return text;
}

std::span<const FlagName> info_flags() { return kInfoFlags; }

}  // namespace vmdk_tool
