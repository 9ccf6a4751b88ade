// SPDX-License-Identifier: MIT
// `vmdk snapshot`: a child that stores what differs from its parent.
#include <vmdk/vmdk.h>

#include <string>

#include "errors.h"
#include "new_disk.h"
#include "options.h"
#include "verbs.h"

namespace vmdk_tool {

int run_snapshot(Arguments arguments) {
  std::string parent;
  std::string child;
  std::string hint;
  NewDiskOptions disk;
  CommonOptions common;
  CommandLine line("snapshot", verb_summary("snapshot"));
  line.argument("PARENT", parent, "The disk to rest on; it must not be written to any more");
  line.argument("CHILD", child, "The disk to create");
  disk.add_to(line, "Kind of CHILD; as fits PARENT if not given");
  line.option("--hint", hint, "TEXT", "Name of PARENT to record; its path from CHILD if not given");
  line.footer("KIND, in any case: monolithicSparse, twoGbMaxExtentSparse, vmfsSparse.");
  common.add_to(line, kTakesPaths);
  line.parse(arguments);
  common.check();
  disk.check();
  if (child.empty()) throw UsageError("the disk to create has no name");

  const vmdk_open_options open = common.open_options();
  vmdk_snapshot_options options = {};
  options.struct_size = sizeof options;
  options.type = disk.type();
  options.grain_bytes = disk.grain_bytes();
  options.flags = disk.flags();
  if (!hint.empty()) options.parent_hint = hint.c_str();
  options.keys = disk.keys();
  options.open = &open;
  const vmdk_status status = vmdk_snapshot(parent.c_str(), child.c_str(), &options);
  if (status != VMDK_OK) throw_library_error(status);
  return kExitDone;
}

}  // namespace vmdk_tool
