// SPDX-License-Identifier: MIT
// vmdk_open_options as the library takes them.
#ifndef VMDK_API_OPEN_REQUEST_H
#define VMDK_API_OPEN_REQUEST_H

#include <vmdk/vmdk.h>

#include <memory>

#include "disk/open.h"
#include "io/file.h"
#include "util/reporter.h"

namespace vmdk {

struct Request {
  OpenOptions options;
  bool raw = false;  // the file is no VMDK
  std::unique_ptr<FileSystem> files;
  std::unique_ptr<Reporter> reporter;
};

// Throws VMDK_ERR_INVALID_ARGUMENT or VMDK_ERR_UNSUPPORTED for options that mean nothing here; null
// is all defaults.
Request read_options(const vmdk_open_options* in);

}  // namespace vmdk

#endif
