// SPDX-License-Identifier: MIT
#include "options.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include "errors.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

constexpr std::uint32_t kMostThreads = 64;

void require(vmdk_status status) {
  if (status != VMDK_OK) throw_library_error(status);
}

template <class T>
T sized() {
  T structure = {};
  structure.struct_size = sizeof(T);
  return structure;
}

// Fetches a text by the library's two-step rule. Texts do not change while a
// disk is open. `get` is called with room, size and where to say what is needed.
template <class Get>
vmdk_status fetch_text(Get get, std::string& out) {
  char room[512];
  std::size_t needed = 0;
  vmdk_status status = get(room, sizeof room, &needed);
  if (status == VMDK_OK) {
    out.assign(room);
  } else if (status == VMDK_ERR_OUT_OF_RANGE && needed > sizeof room) {
    out.resize(needed);
    status = get(out.data(), out.size(), &needed);
    if (status == VMDK_OK) out.resize(needed - 1);
  }
  return status;
}

// Of ARCHIVE:MEMBER the archive is what counts.
bool same_file(const struct stat& a, std::string path) {
  struct stat b = {};
  while (stat(path.c_str(), &b) != 0) {
    const std::size_t colon = path.rfind(':');
    if (colon == std::string::npos) return false;
    path.resize(colon);
  }
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

void CommonOptions::add_paths(CommandLine& line) {
  line.option("--allow-path", allowed_paths_, "DIR",
              "Let the disk name files at or below DIR too (repeatable)");
  line.flag("--allow-any-path", any_path_,
            "Let the disk name any file or device; only for disks you trust");
  line.option("--encoding", encoding_, "NAME", "Code page of the descriptors, such as GBK");
  line.flag("-U,--no-lock", no_lock_, "Take no locks and heed none");
}

void CommonOptions::add_reading(CommandLine& line) {
  line.flag("--recover", recover_, "Read a damaged disk through whichever copy of a table is sane");
  line.flag("--no-parent", no_parent_, "Leave parents closed; what only they hold reads as zero");
  line.option("--member", member_, "NAME", "Which disk of an OVA or tar");
}

void CommonOptions::add_to(CommandLine& line, unsigned takes) {
  line.group("Common options");
  offers_raw_ = (takes & kTakesFrom) != 0;
  if (offers_raw_)
    line.option("--from", from_text_, "KIND", "What is read: vmdk (if not given) or raw");
  if ((takes & kTakesPaths) != 0) add_paths(line);
  if ((takes & kTakesReading) != 0) add_reading(line);
  if ((takes & kTakesThreads) != 0)
    line.option("--threads", threads_text_, "N",
                "Threads that move data; 1 for none but the main one");
  if ((takes & kTakesProgress) != 0)
    line.option("--progress", progress_text_, "MODE", "auto, plain (percent lines) or none");
  line.flag("-q,--quiet", quiet_, "No progress, no notes");
  line.flag("-v,--verbose", verbose_, "Say how the disk was understood and where errors are");
}

void CommonOptions::check() {
  progress_ = parse_progress_mode(progress_text_);
  if (quiet_) progress_ = ProgressMode::none;
  if (!threads_text_.empty()) threads_ = parse_count(threads_text_, "--threads", 1, kMostThreads);
  raw_ = from_text_ == "raw";
  if (!raw_ && from_text_ != "vmdk")
    throw UsageError("--from: '" + printable(from_text_) + "' is neither vmdk nor raw");
  roots_.clear();
  for (const std::string& path : allowed_paths_) {
    if (path.empty()) throw UsageError("--allow-path: the directory has no name");
    roots_.push_back(path.c_str());
  }
  roots_.push_back(nullptr);
  if (verbose_ && !quiet_) verbosity_ = Verbosity::all;
}

// Asked of the system only by the verbs that use it.
std::uint32_t CommonOptions::threads() const {
  if (threads_ != 0) return threads_;
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
}

void CommonOptions::throw_open_error(vmdk_status status) const {
  try {
    throw_library_error(status);
  } catch (Failure& failure) {
    if (status == VMDK_ERR_NOT_VMDK && offers_raw_)
      failure.set_hint("if it holds the bytes of a disk as they are, say --from raw");
    throw;
  }
}

void CommonOptions::refuse_for_stream() const {
  if (recover_ || no_parent_ || !member_.empty())
    throw UsageError(
        "--recover, --no-parent and --member need a file, which is read where they want");
}

vmdk_open_options CommonOptions::open_options() const {
  auto open = sized<vmdk_open_options>();
  if (raw_) open.flags |= VMDK_OPEN_RAW;
  if (recover_ && !raw_) open.flags |= VMDK_OPEN_RECOVER;
  if (no_parent_ && !raw_) open.flags |= VMDK_OPEN_NO_PARENT;
  if (no_lock_) open.flags |= VMDK_OPEN_NO_LOCK;
  open.paths = any_path_ ? VMDK_PATHS_ANY : VMDK_PATHS_BENEATH;
  open.roots = roots_.data();
  if (!member_.empty() && !raw_) open.member = member_.c_str();
  if (!encoding_.empty()) open.encoding = encoding_.c_str();
  open.on_message = print_library_message;
  // Only read there.
  open.message_user = const_cast<Verbosity*>(&verbosity_);
  return open;
}

DiskHandle::DiskHandle(const std::string& path, const CommonOptions& options, Work work)
    : path_(path) {
  vmdk_open_options open = options.open_options();
  if (work == Work::changes && options.recover_)
    throw UsageError("--recover is for disks that are only read");
  if (work == Work::changes) open.flags |= VMDK_OPEN_WRITE;
  open.threads = work == Work::data ? options.threads() : 1;
  const vmdk_status status = vmdk_open(path.c_str(), &open, &disk_);
  if (status != VMDK_OK) options.throw_open_error(status);
}

// Not closed before: the job failed or was cancelled, and what was written by then is kept.
DiskHandle::~DiskHandle() {
  if (vmdk_close(disk_) != VMDK_OK) print_message("vmdk: " + printable(vmdk_last_error()->message));
}

vmdk_info DiskHandle::info(std::uint32_t link) const {
  auto info = sized<vmdk_info>();
  require(vmdk_get_link_info(disk_, link, &info));
  return info;
}

vmdk_extent_info DiskHandle::extent(std::uint32_t link, std::uint32_t index) const {
  auto extent = sized<vmdk_extent_info>();
  require(vmdk_get_extent(disk_, link, index, &extent));
  return extent;
}

std::optional<std::string> DiskHandle::text(std::uint32_t link, const std::string& key) const {
  std::string text;
  const vmdk_status status = fetch_text(
      [&](char* room, std::size_t size, std::size_t* needed) {
        return vmdk_get_text(disk_, link, key.c_str(), room, size, needed);
      },
      text);
  if (status == VMDK_ERR_NOT_FOUND) return std::nullopt;
  require(status);
  return text;
}

std::string DiskHandle::key(std::uint32_t link, std::uint32_t index) const {
  std::string key;
  require(fetch_text(
      [&](char* room, std::size_t size, std::size_t* needed) {
        return vmdk_get_key(disk_, link, index, room, size, needed);
      },
      key));
  return key;
}

std::string DiskHandle::extent_file(std::uint32_t link, std::uint32_t index) const {
  return text(link, "@extent." + std::to_string(index)).value_or("");
}

vmdk_run DiskHandle::map(std::uint64_t offset, std::uint64_t size) const {
  auto run = sized<vmdk_run>();
  require(vmdk_map_at(disk_, offset, size, &run));
  return run;
}

void DiskHandle::read(std::uint64_t offset, std::span<std::byte> out) const {
  require(vmdk_read_at(disk_, out.data(), out.size(), offset));
}

void DiskHandle::write(std::uint64_t offset, std::span<const std::byte> data) {
  require(vmdk_write_at(disk_, data.data(), data.size(), offset));
}

void DiskHandle::zero(std::uint64_t offset, std::uint64_t size) {
  require(vmdk_zero_at(disk_, size, offset));
}

void DiskHandle::discard(std::uint64_t offset, std::uint64_t size) {
  require(vmdk_discard_at(disk_, size, offset));
}

void DiskHandle::set_text(const std::string& key, const std::optional<std::string>& value) {
  require(vmdk_set_text(disk_, key.c_str(), value ? value->c_str() : nullptr));
}

void DiskHandle::close() { require(vmdk_close(std::exchange(disk_, nullptr))); }

void refuse_own_file(const DiskHandle& disk, const std::string& file) {
  struct stat status = {};
  if (file == "-" || stat(file.c_str(), &status) != 0) return;
  const auto refuse_if = [&](bool same) {
    if (same)
      throw Failure(printable(file) + ": it is a file of the disk " + printable(disk.path()));
  };
  refuse_if(same_file(status, disk.path()));
  const std::uint32_t links = disk.info().chain_length;
  for (std::uint32_t link = 0; link < links; ++link) {
    refuse_if(same_file(status, disk.text(link, "@path").value_or("")));
    const std::uint32_t extents = disk.info(link).extent_count;
    for (std::uint32_t i = 0; i < extents; ++i)
      refuse_if(same_file(status, disk.extent_file(link, i)));
  }
}

}  // namespace vmdk_tool
