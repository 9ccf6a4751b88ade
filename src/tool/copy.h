// SPDX-License-Identifier: MIT
// Copies a part of what the guest sees to a file or a pipe, for `vmdk read`
// and `vmdk convert`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "output.h"
#include "progress.h"
#include "source.h"

namespace vmdk_tool {

// Whether all of `data` is zero.
bool is_zero(std::span<const std::byte> data);

// Copies `size` bytes from `offset` on to the beginning of `sink`, which is
// not finished. Where the sink keeps holes, aligned blocks of 4 KiB that hold only zeros become
// holes. With more than one thread, one reads while the other writes.
void copy_guest(Source& source, std::uint64_t offset, std::uint64_t size, Sink& sink,
                std::uint32_t threads, Progress& progress);

}  // namespace vmdk_tool
