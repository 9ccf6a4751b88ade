// SPDX-License-Identifier: MIT
// What a file is, by its first bytes.
#ifndef VMDK_FORMAT_PROBE_H
#define VMDK_FORMAT_PROBE_H

#include <vmdk/vmdk.h>

#include <string>
#include <string_view>

#include "util/bytes.h"

namespace vmdk {

// 512 bytes are enough for every kind but a descriptor with long comments before its first key.
vmdk_file_kind kind_of(Bytes beginning) noexcept;

// Why a file of that kind is no disk: "is ...". For kinds that are not opened by themselves.
const char* why_not_a_disk(vmdk_file_kind kind) noexcept;

// Everything vmdk_probe() tells; struct_size is left alone.
void probe(Bytes beginning, vmdk_probe_result& result);

// The text of the descriptor in these bytes: all of them, or the part that the header of a sparse
// extent points to, as far as it is here. Empty if there is none.
std::string_view descriptor_text(Bytes beginning);

}  // namespace vmdk

#endif
