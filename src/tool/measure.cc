// SPDX-License-Identifier: MIT
// `vmdk measure`: what a conversion will need.
#include <vmdk/vmdk.h>

#include <string>

#include "convert_options.h"
#include "errors.h"
#include "json.h"
#include "messages.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

// A vmdk_progress_fn; `user` is a LibraryProgress.
int report(void* user, std::uint64_t done, std::uint64_t total) noexcept {
  return static_cast<LibraryProgress*>(user)->report(done, total) ? 0 : 1;
}

vmdk_measure_result measure(const DiskHandle& disk, const ConvertOptions& options, bool exact,
                            const CommonOptions& common) {
  const vmdk_create_options create = options.create_options(options.type());
  LibraryProgress progress(common.progress(), "measure");
  vmdk_convert_options convert = {};
  convert.struct_size = sizeof convert;
  convert.flags = exact ? VMDK_CONVERT_EXACT : 0U;
  convert.compression = options.compression();
  convert.threads = common.threads();
  convert.create = &create;
  convert.on_progress = report;
  convert.user = &progress;
  vmdk_measure_result result = {};
  result.struct_size = sizeof result;
  const vmdk_status status = vmdk_measure(disk.get(), &convert, &result);
  if (status != VMDK_OK) throw_library_error(status);
  progress.complete();
  return result;
}

}  // namespace

int run_measure(Arguments arguments) {
  std::string file;
  bool exact = false;
  bool json = false;
  ConvertOptions options;
  CommonOptions common;
  CommandLine line("measure", verb_summary("measure"));
  line.argument("SRC", file, "The disk");
  options.add_to(line, "Kind of the new disk; as --target wants it if not given");
  line.flag("--exact", exact, "Read all data, and compress it, to know it to the byte");
  line.flag("--json", json, "Print a JSON document");
  common.add_to(line, kTakesAll | kTakesFrom);
  line.parse(arguments);
  common.check();
  options.check();
  if (options.disk().type() == VMDK_TYPE_UNKNOWN && options.disk().target() == VMDK_TARGET_NONE)
    throw UsageError("the kind of the new disk must be said: -O KIND or --target NAME");

  const DiskHandle disk(file, common, Work::tables);
  const vmdk_measure_result result = measure(disk, options, exact, common);
  TextOutput out;
  if (json) {
    Json document;
    document["file"] = file;
    document["needed"] = result.needed;
    document["exact"] = result.exact != 0;
    document["most"] = result.most;
    out.write(json_document(document));
  } else {
    out.print("needed  %s%s\n", result.exact != 0 ? "" : "at most ",
              exact_size(result.needed).c_str());
    out.print("most    %s\n", exact_size(result.most).c_str());
  }
  out.finish();
  return kExitDone;
}

}  // namespace vmdk_tool
