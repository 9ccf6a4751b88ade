// SPDX-License-Identifier: MIT
// `vmdk map`: how a disk is stored, as lines, as JSON or as a picture.
#include <array>
#include <cinttypes>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "describe.h"
#include "errors.h"
#include "json.h"
#include "messages.h"
#include "output.h"
#include "run_walker.h"
#include "svg.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

// Takes the runs of a disk, one after the other.
class RunPrinter {
 public:
  RunPrinter(const DiskHandle& disk, TextOutput& out, bool json)
      : disk_(disk), out_(out), json_(json) {}

  void begin(const std::string& file, std::uint64_t capacity) {
    if (json_)
      out_.print("{\n  \"file\": %s,\n  \"capacity\": %" PRIu64 ",\n  \"runs\": [",
                 json_string(file).c_str(), capacity);
    else
      out_.print("%16s %16s  %-10s %5s %6s %16s  %s\n", "OFFSET", "LENGTH", "KIND", "LINK",
                 "EXTENT", "FILE OFFSET", "FILE");
  }

  void add(const vmdk_run& run) {
    if (run.kind < totals_.size()) totals_[run.kind] += run.size;
    if (json_)
      print_json(run);
    else
      print_text(run);
    ++count_;
  }

  void end() {
    if (!json_) return;
    out_.print("%s],\n  \"totals\": {\"data\": %" PRIu64 ", \"zero\": %" PRIu64
               ", \"absent\": %" PRIu64 "}\n}\n",
               count_ == 0 ? "" : "\n  ", totals_[VMDK_RUN_DATA], totals_[VMDK_RUN_ZERO],
               totals_[VMDK_RUN_ABSENT]);
  }

 private:
  void print_json(const vmdk_run& run) {
    const bool data = run.kind == VMDK_RUN_DATA;
    out_.print("%s\n    {\"offset\": %" PRIu64 ", \"length\": %" PRIu64
               ", \"kind\": \"%s\", \"link\": %s, \"extent\": %s, \"compressed\": %s, "
               "\"file\": %s, \"file_offset\": %s}",
               count_ == 0 ? "" : ",", run.offset, run.size, run_kind_name(run.kind),
               run.link == UINT32_MAX ? "null" : std::to_string(run.link).c_str(),
               run.extent == UINT32_MAX ? "null" : std::to_string(run.extent).c_str(),
               (run.flags & VMDK_RUN_COMPRESSED) != 0 ? "true" : "false",
               data ? file_of(run).c_str() : "null",
               data ? std::to_string(run.file_offset).c_str() : "null");
  }

  void print_text(const vmdk_run& run) {
    const bool compressed = (run.flags & VMDK_RUN_COMPRESSED) != 0;
    const char* const kind = compressed ? "compressed" : run_kind_name(run.kind);
    const bool held = run.link != UINT32_MAX;
    out_.print("%16" PRIu64 " %16" PRIu64 "  %-*s", run.offset, run.size, held ? 10 : 0, kind);
    if (held) out_.print(" %5u %6u", run.link, run.extent);
    if (run.kind == VMDK_RUN_DATA)
      out_.print(" %16" PRIu64 "  %s", run.file_offset, file_of(run).c_str());
    out_.write("\n");
  }

  // The file of the run's extent, made ready for printing once.
  const std::string& file_of(const vmdk_run& run) {
    const auto [entry, is_new] = files_.try_emplace({run.link, run.extent});
    if (is_new) {
      const std::string file = disk_.extent_file(run.link, run.extent);
      entry->second = json_ ? json_string(file) : printable(file);
    }
    return entry->second;
  }

  const DiskHandle& disk_;
  TextOutput& out_;
  bool json_;
  std::uint64_t count_ = 0;
  std::array<std::uint64_t, 3> totals_ = {};
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> files_;
};

void write_picture(const DiskHandle& disk, SvgMap& svg, const std::string& path) {
  std::vector<std::string> names;
  const std::uint32_t links = disk.info().chain_length;
  for (std::uint32_t link = 0; link < links; ++link)
    names.push_back(disk.text(link, "@path").value_or(""));
  const std::string picture = svg.finish(disk.path(), names);
  refuse_own_file(disk, path);
  const auto sink = open_sink(path, 0, Existing::replace);
  sink->write(0, std::as_bytes(std::span(picture)));
  sink->finish();
}

}  // namespace

int run_map(Arguments arguments) {
  std::string file;
  std::string svg_path;
  bool json = false;
  CommonOptions common;
  CommandLine line("map", verb_summary("map"));
  line.argument("FILE", file, "The disk");
  line.flag("--json", json, "Print a JSON document");
  line.option("--svg", svg_path, "OUT", "Draw a picture of the whole chain; - is standard output");
  common.add_to(line, kTakesAll | kTakesFrom);
  line.parse(arguments);
  common.check();
  if (json && svg_path == "-") throw UsageError("--json and --svg - both want the standard output");

  const DiskHandle disk(file, common, Work::tables);
  RunWalker walker(disk);
  TextOutput out;
  RunPrinter printer(disk, out, json);
  SvgMap svg(walker.capacity());
  const bool draw = !svg_path.empty();
  const bool print = json || !draw;
  if (print) printer.begin(file, walker.capacity());
  while (const auto run = walker.next()) {
    if (print) printer.add(*run);
    if (draw) svg.add(*run);
  }
  if (print) printer.end();
  out.finish();
  if (draw) write_picture(disk, svg, svg_path);
  return kExitDone;
}

}  // namespace vmdk_tool
