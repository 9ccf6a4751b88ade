// SPDX-License-Identifier: MIT
// `vmdk convert`: a disk as a raw image, holes kept.
#include <algorithm>
#include <cctype>
#include <string>

#include "copy.h"
#include "errors.h"
#include "messages.h"
#include "output.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Raw is what is written if nothing is said, but not under the name of a VMDK.
void check_kind(const std::string& kind, const std::string& to) {
  if (!kind.empty() && lower_case(kind) != "raw")
    throw UsageError("-O " + printable(kind) + ": this version converts to raw only",
                     UsageError::See::nothing);
  if (kind.empty() && lower_case(to).ends_with(".vmdk"))
    throw UsageError(
        printable(to) +
            ": this version converts to raw only; say -O raw if raw bytes are to have this name",
        UsageError::See::nothing);
}

}  // namespace

int run_convert(Arguments arguments) {
  std::string from;
  std::string to;
  std::string kind;
  bool force = false;
  CommonOptions common;
  CommandLine line("convert", verb_summary("convert"));
  line.argument("SRC", from, "The disk");
  line.argument("DST", to, "The file to write; - is standard output");
  line.option("-O,--output-kind", kind, "KIND", "Kind of DST: raw (if not given)");
  line.flag("--force", force, "Replace DST if it is there");
  common.add_to(line);
  line.parse(arguments);
  common.check();
  check_kind(kind, to);

  const DiskHandle disk(from, common, Work::data);
  const auto source = make_disk_source(disk);
  refuse_own_file(disk, to);
  const auto sink = open_sink(to, source->size(), force ? Existing::replace : Existing::refuse);
  {
    Progress progress(common.progress(), "convert", source->size());
    copy_guest(*source, 0, source->size(), *sink, common.threads(), progress);
  }
  sink->finish();
  return kExitDone;
}

}  // namespace vmdk_tool
