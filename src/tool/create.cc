// SPDX-License-Identifier: MIT
// `vmdk create`: an empty disk.
#include <vmdk/vmdk.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "describe.h"
#include "errors.h"
#include "messages.h"
#include "new_disk.h"
#include "options.h"
#include "signals.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

constexpr std::uint32_t kNoCid = 0xffffffff;
constexpr std::uint32_t kHighestHardware = 999;

std::uint32_t parse_adapter(const std::string& text) {
  const std::uint32_t adapter = adapter_by_name(text);
  if (adapter == VMDK_ADAPTER_UNKNOWN)
    throw UsageError("--adapter: '" + printable(text) +
                     "' is none of ide, buslogic, lsilogic, legacyESX, pvscsi, lsisas1068, sata "
                     "and nvme");
  return adapter;
}

std::uint32_t parse_preallocate(const std::string& text) {
  if (text == "none") return VMDK_PREALLOCATE_NONE;
  if (text == "reserve") return VMDK_PREALLOCATE_RESERVE;
  if (text == "zeros") return VMDK_PREALLOCATE_ZEROS;
  throw UsageError("--preallocate: '" + printable(text) + "' is none of none, reserve and zeros");
}

std::uint32_t parse_cid(const std::string& text) {
  std::uint32_t cid = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, cid, 16);
  if (error != std::errc{} || stop != end || cid == 0 || cid == kNoCid)
    throw UsageError("--cid: '" + printable(text) +
                     "' is not a hexadecimal number from 1 to fffffffe");
  return cid;
}

// What is said on the way. Without zeros to write nothing is.
class CreateProgress {
 public:
  explicit CreateProgress(ProgressMode mode) : mode_(mode) {}

  // A vmdk_progress_fn; `user` is a CreateProgress. What cannot be shown is left out.
  static int report(void* user, std::uint64_t done, std::uint64_t total) noexcept {
    try {
      static_cast<CreateProgress*>(user)->show(done, total);
    } catch (...) {
    }
    return is_cancelled() ? 1 : 0;
  }

 private:
  void show(std::uint64_t done, std::uint64_t total) {
    if (!progress_) progress_.emplace(mode_, "create", total);
    if (done > done_) progress_->add(done - done_, done - done_);
    done_ = done;
  }

  ProgressMode mode_;
  std::optional<Progress> progress_;
  std::uint64_t done_ = 0;
};

}  // namespace

int run_create(Arguments arguments) {
  std::string file;
  std::string size;
  std::string split;
  std::string adapter;
  std::string hardware_version;
  std::string preallocate;
  std::string cid;
  NewDiskOptions disk;
  CommonOptions common;
  CommandLine line("create", verb_summary("create"));
  line.argument("FILE", file, "The disk to create; its other files stand beside it");
  line.argument("SIZE", size, "What the guest sees: 512, 64k, 10M, 2G, 62T");
  disk.add_to(line, "Kind of the disk: monolithicSparse (if not given), vmfs, ...");
  line.option("--split", split, "SIZE", "Size of one part of a split disk; 2047M if not given");
  line.option("--adapter", adapter, "NAME", "ide, buslogic, lsilogic (if not given), pvscsi, ...");
  line.option("--hwversion", hardware_version, "N", "Virtual hardware version; 4 if not given");
  line.option("--preallocate", preallocate, "HOW", "Space of a flat disk: none, reserve or zeros");
  line.option("--cid", cid, "HEX", "Content ID; random if not given");
  line.footer(
      "KIND, in any case: monolithicSparse, monolithicFlat, twoGbMaxExtentSparse,\n"
      "twoGbMaxExtentFlat, vmfs, vmfsThin, vmfsPreallocated, vmfsEagerZeroedThick,\n"
      "vmfsSparse.");
  common.add_to(line, kTakesProgress);
  line.parse(arguments);
  common.check();
  disk.check();
  if (file.empty()) throw UsageError("the disk to create has no name");

  vmdk_create_options options = {};
  options.struct_size = sizeof options;
  options.type = disk.type();
  options.capacity = parse_size(size, "SIZE");
  if (options.capacity == 0) throw UsageError("SIZE: a disk has at least one byte");
  options.grain_bytes = disk.grain_bytes();
  if (!split.empty()) options.split_bytes = parse_size(split, "--split");
  if (!adapter.empty()) options.adapter = parse_adapter(adapter);
  if (!hardware_version.empty())
    options.hardware_version = parse_count(hardware_version, "--hwversion", 1, kHighestHardware);
  if (!preallocate.empty()) options.preallocate = parse_preallocate(preallocate);
  options.flags = disk.flags();
  if (!cid.empty()) options.cid = parse_cid(cid);
  options.keys = disk.keys();
  CreateProgress progress(common.progress());
  options.on_progress = CreateProgress::report;
  options.user = &progress;
  const vmdk_status status = vmdk_create(file.c_str(), &options);
  if (status != VMDK_OK) throw_library_error(status);
  return kExitDone;
}

}  // namespace vmdk_tool
