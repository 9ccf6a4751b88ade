// SPDX-License-Identifier: MIT
// `vmdk convert`: a disk as one of another kind, from a file or a pipe to a file or a pipe.
#include <strings.h>
#include <sys/stat.h>
#include <vmdk/vmdk.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conversion.h"
#include "convert_options.h"
#include "digests.h"
#include "errors.h"
#include "input.h"
#include "manifest.h"
#include "messages.h"
#include "output.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

constexpr char kStreamName[] = "disk.vmdk";  // of a disk that goes to standard output

struct Request {
  std::string from;
  std::string to;
  std::string manifest;  // where it goes; empty: nowhere
  std::string manifest_name;
  std::string digest;  // where it goes; empty: nowhere
  bool sha1 = false;
  bool salvage = false;
  bool force = false;
  ConvertOptions disk;
  CommonOptions common;
};

bool has_suffix(const std::string& name, const char* suffix) {
  const std::size_t length = std::char_traits<char>::length(suffix);
  return name.size() >= length && strcasecmp(name.c_str() + name.size() - length, suffix) == 0;
}

// Pipes and devices take bytes in their order and cannot be made beforehand.
bool goes_to_sink(const std::string& path) {
  struct stat status = {};
  if (path == "-") return true;
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

// The kind of the new disk; 0 where the library chooses it for the target.
std::uint32_t kind_of(const Request& request) {
  if (const std::uint32_t type = request.disk.type()) return type;
  if (request.disk.disk().target() != VMDK_TARGET_NONE) return VMDK_TYPE_UNKNOWN;
  if (request.to == "-")
    throw UsageError("what goes to standard output must be said: -O raw or -O streamOptimized");
  return has_suffix(request.to, ".vmdk") ? VMDK_TYPE_MONOLITHIC_SPARSE : VMDK_TYPE_RAW;
}

void check_results(const Request& request) {
  if (request.to.empty()) throw UsageError("the disk to write has no name");
  if (request.manifest.empty() && (request.sha1 || !request.manifest_name.empty()))
    throw UsageError("--sha1 and --manifest-name are about a --manifest");
  if (request.to == "-" && (request.manifest == "-" || request.digest == "-"))
    throw UsageError("standard output takes the disk: --manifest and --digest need a file");
  if (request.to != "-" && (request.manifest == request.to || request.digest == request.to))
    throw UsageError("--manifest and --digest need a file of their own");
}

std::vector<const nettle_hash*> manifest_algorithms(const Request& request) {
  std::vector<const nettle_hash*> which = {&nettle_sha256};
  if (request.sha1) which.push_back(&nettle_sha1);
  return which;
}

// A line or two about the new disk. Its file is opened beforehand, so that a job of hours does not
// fail for it.
class Note {
 public:
  // `path` may be empty: the note is written nowhere.
  explicit Note(const std::string& path)
      : sink_(path.empty() ? nullptr : open_sink(path, 0, Existing::replace)) {}

  explicit operator bool() const { return sink_ != nullptr; }
  void write(const std::string& text) {
    sink_->write(0, std::as_bytes(std::span(text)));
    sink_->finish();
  }

 private:
  std::unique_ptr<Sink> sink_;
};

// Moves the data. One of `disk` and `input` is null.
void convert(const Request& request, const DiskHandle* disk, Input* input, Conversion& conversion) {
  if (goes_to_sink(request.to)) {
    const auto sink =
        open_sink(request.to, 0, request.force ? Existing::replace : Existing::refuse);
    if (disk != nullptr)
      conversion.run(*disk, *sink);
    else
      conversion.run(*input, *sink);
    sink->finish();
    return;
  }
  if (request.force) conversion.options().flags |= VMDK_CONVERT_REPLACE;
  try {
    if (disk != nullptr)
      conversion.run(*disk, request.to);
    else
      conversion.run(*input, request.to);
  } catch (Failure& failure) {
    if (failure.status() == VMDK_ERR_EXISTS && !request.force)
      failure.set_hint("--force replaces it, if it is one file");
    throw;
  }
}

int report_losses(const Request& request, const Conversion& conversion) {
  const std::uint64_t ranges = conversion.lost_ranges();
  if (ranges == 0) return kExitDone;
  const std::string from = request.from == "-" ? "standard input" : printable(request.from);
  const std::string to = request.to == "-" ? "standard output" : printable(request.to);
  print_message("vmdk: " + from + ": " + std::to_string(conversion.lost_bytes()) + " bytes in " +
                std::to_string(ranges) + (ranges == 1 ? " place" : " places") +
                " could not be read and are zeros in " + to);
  return kExitFailed;
}

// Size of the new disk; 0 where only the library or the end of a stream tells.
std::uint64_t capacity_of(const Request& request, const DiskHandle* disk, const Input* input) {
  if (request.disk.capacity() != 0) return request.disk.capacity();
  if (disk != nullptr) return disk->info().capacity;
  return request.common.raw() ? input->size().value_or(0) : 0;
}

void check_capacity(const Request& request, std::uint32_t type, std::uint64_t capacity) {
  const bool header_first = goes_to_sink(request.to) && type != VMDK_TYPE_RAW;
  if (is_stream(request.from) && request.common.raw() && header_first && capacity == 0)
    throw UsageError("how much a pipe of raw bytes will bring must be said with --capacity",
                     UsageError::See::nothing);
}

int run(Request& request) {
  const std::uint32_t type = kind_of(request);
  if (goes_to_sink(request.to) && type != VMDK_TYPE_UNKNOWN && !is_written_in_order(type))
    throw UsageError("a pipe or device takes -O raw or -O streamOptimized alone");
  if (!request.manifest_name.empty() && !is_written_in_order(type))
    throw UsageError("--manifest-name is for -O raw and -O streamOptimized");
  std::optional<DiskHandle> opened;
  std::optional<Input> stream;
  if (is_stream(request.from)) {
    stream.emplace(request.from);
  } else {
    opened.emplace(request.from, request.common, Work::tables);
    for (const std::string& file : {request.to, request.manifest, request.digest})
      refuse_own_file(*opened, file);
  }
  const DiskHandle* const disk = opened ? &*opened : nullptr;
  Input* const input = stream ? &*stream : nullptr;
  const std::uint64_t capacity = capacity_of(request, disk, input);
  check_capacity(request, type, capacity);
  const std::string name = request.to == "-" ? kStreamName : base_name(request.to);
  request.disk.disk().make_reproducible(name, capacity);
  vmdk_create_options create = request.disk.create_options(type);
  create.capacity = capacity;

  Note manifest(request.manifest);
  Note digest(request.digest);
  Digests of_output(manifest_algorithms(request));
  Digests of_content({&nettle_sha256});
  Conversion conversion("convert", request.common);
  conversion.options().create = &create;
  conversion.options().compression = request.disk.compression();
  const bool in_one_pass = is_written_in_order(type);
  if (manifest && in_one_pass) conversion.digest_output(of_output);
  if (digest) conversion.digest_content(of_content);
  if (request.salvage) conversion.salvage();
  convert(request, disk, input, conversion);

  const std::string& known_as = request.manifest_name.empty() ? name : request.manifest_name;
  if (manifest && in_one_pass)
    manifest.write(manifest_lines(known_as, of_output.results()));
  else if (manifest)
    manifest.write(manifest_of_files(request.to, manifest_algorithms(request), request.common));
  if (digest) digest.write(of_content.results().front().hex + "  " + printable(request.to) + "\n");
  return report_losses(request, conversion);
}

}  // namespace

int run_convert(Arguments arguments) {
  Request request;
  CommandLine line("convert", verb_summary("convert"));
  line.argument("SRC", request.from, "The disk; - is standard input: streamOptimized, or raw");
  line.argument("DST", request.to, "The disk to write; - is standard output");
  request.disk.add_to(line, "Kind of DST; by its name if not given: NAME.vmdk is monolithicSparse");
  line.flag("--force", request.force, "Replace DST if it is there and one file");
  line.flag("--salvage", request.salvage, "Write zeros for what cannot be read, and go on");
  line.option("--manifest", request.manifest, "OUT",
              "Write the lines of an OVF manifest to OUT; - is standard output");
  line.option("--manifest-name", request.manifest_name, "NAME",
              "Name of DST in it; its own if not given");
  line.flag("--sha1", request.sha1, "A line with the SHA-1 in the manifest, too");
  line.option("--digest", request.digest, "OUT", "Write the SHA-256 of what the guest sees to OUT");
  request.common.add_to(line, kTakesAll | kTakesFrom);
  line.parse(arguments);
  request.common.check();
  request.disk.check();
  check_results(request);
  return run(request);
}

}  // namespace vmdk_tool
