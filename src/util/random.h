// SPDX-License-Identifier: MIT
// Random numbers for content IDs, UUIDs and names of temporary files.
#ifndef VMDK_UTIL_RANDOM_H
#define VMDK_UTIL_RANDOM_H

#include <cstdint>
#include <random>

namespace vmdk {

// From the system's generator. Any number of threads.
inline std::uint32_t random_number() { return std::random_device{}(); }

}  // namespace vmdk

#endif
