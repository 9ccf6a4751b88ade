// SPDX-License-Identifier: MIT
// Reading the names in a directory.
#ifndef VMDK_IO_LISTING_H
#define VMDK_IO_LISTING_H

#include <dirent.h>

#include <memory>

#include "io/path_policy.h"

namespace vmdk {

struct CloseListing {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Listing = std::unique_ptr<DIR, CloseListing>;  // null: it cannot be listed

inline Listing list_directory(UniqueFd fd) {
  Listing listing(fd.ok() ? ::fdopendir(fd.get()) : nullptr);
  if (listing) fd.release();
  return listing;
}

}  // namespace vmdk

#endif
