// SPDX-License-Identifier: MIT
// `vmdk read`: bytes as the guest sees them.
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>

#include "copy.h"
#include "errors.h"
#include "messages.h"
#include "output.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

struct Part {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// What is asked for, which must lie on the disk. Without a length it is all the
// rest.
Part part_of(const std::string& file, std::uint64_t capacity, std::uint64_t offset,
             std::optional<std::uint64_t> length) {
  if (offset > capacity || (length && *length > capacity - offset))
    throw Failure(printable(file) + ": the part asked for ends beyond the disk, which has " +
                      std::to_string(capacity) + " bytes",
                  "", VMDK_ERR_OUT_OF_RANGE);
  return {offset, length.value_or(capacity - offset)};
}

}  // namespace

int run_read(Arguments arguments) {
  std::string file;
  std::optional<std::string> offset_text;
  std::optional<std::string> length_text;
  std::string output = "-";
  CommonOptions common;
  CommandLine line("read", verb_summary("read"));
  line.argument("FILE", file, "The disk");
  line.argument("OFFSET", offset_text, "Where to begin: 512, 64k, 10M");
  line.argument("LENGTH", length_text, "How much; all the rest if not given");
  line.option("-o,--output", output, "OUT", "Write to OUT, not to standard output");
  common.add_to(line);
  line.parse(arguments);
  common.check();
  const std::uint64_t offset = parse_size(offset_text.value_or("0"), "OFFSET");
  std::optional<std::uint64_t> length;
  if (length_text) length = parse_size(*length_text, "LENGTH");

  const DiskHandle disk(file, common, Work::data);
  const auto source = make_disk_source(disk);
  const Part part = part_of(file, source->size(), offset, length);
  refuse_own_file(disk, output);
  const auto sink = open_sink(output, part.size, Existing::replace);
  const bool on_screen = output == "-" && isatty(STDOUT_FILENO) == 1;
  {
    Progress progress(on_screen ? ProgressMode::none : common.progress(), "read", part.size);
    copy_guest(*source, part.offset, part.size, *sink, common.threads(), progress);
  }
  sink->finish();
  return kExitDone;
}

}  // namespace vmdk_tool
