// SPDX-License-Identifier: MIT
// Tells data that deflating cannot make smaller, such as what is compressed or encrypted already,
// at many times the speed of finding out by deflating it.
#ifndef VMDK_UTIL_SHRINK_PROBE_H
#define VMDK_UTIL_SHRINK_PROBE_H

#include "util/bytes.h"

namespace vmdk {

// True only where deflating would save next to nothing; false where that is not certain.
bool cannot_shrink(Bytes in) noexcept;

}  // namespace vmdk

#endif
