// SPDX-License-Identifier: MIT
// `vmdk create`: an empty disk.
#include <vmdk/vmdk.h>

#include <cstdint>
#include <string>

#include "errors.h"
#include "new_disk.h"
#include "options.h"
#include "progress.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

// A vmdk_progress_fn; `user` is a LibraryProgress. Without zeros to write nothing is said.
int report(void* user, std::uint64_t done, std::uint64_t total) noexcept {
  return static_cast<LibraryProgress*>(user)->report(done, total) ? 0 : 1;
}

}  // namespace

int run_create(Arguments arguments) {
  std::string file;
  std::string size;
  NewDiskOptions disk;
  CommonOptions common;
  CommandLine line("create", verb_summary("create"));
  line.argument("FILE", file, "The disk to create; its other files stand beside it");
  line.argument("SIZE", size, "What the guest sees: 512, 64k, 10M, 2G, 62T");
  disk.add_to(line, "Kind of the disk: monolithicSparse (if not given), vmfs, ...");
  disk.add_details_to(line);
  line.footer(
      "KIND, in any case: monolithicSparse, monolithicFlat, twoGbMaxExtentSparse,\n"
      "twoGbMaxExtentFlat, vmfs, vmfsThin, vmfsPreallocated, vmfsEagerZeroedThick,\n"
      "vmfsSparse.");
  common.add_to(line, kTakesProgress);
  line.parse(arguments);
  common.check();
  disk.check();
  if (file.empty()) throw UsageError("the disk to create has no name");

  const std::uint64_t capacity = parse_size(size, "SIZE");
  if (capacity == 0) throw UsageError("SIZE: a disk has at least one byte");
  disk.make_reproducible(file, capacity);
  vmdk_create_options options = disk.create_options();
  options.capacity = capacity;
  LibraryProgress progress(common.progress(), "create");
  options.on_progress = report;
  options.user = &progress;
  const vmdk_status status = vmdk_create(file.c_str(), &options);
  if (status != VMDK_OK) throw_library_error(status);
  return kExitDone;
}

}  // namespace vmdk_tool
