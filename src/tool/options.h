// SPDX-License-Identifier: MIT
// The options every verb takes, and the open disk they lead to.
#pragma once

#include <vmdk/vmdk.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "command_line.h"
#include "messages.h"
#include "progress.h"

namespace vmdk_tool {

// Which of the common options a verb takes, as bits. Messages are never left out.
enum Takes : unsigned {
  kTakesPaths = 1,     // which files the disk may lead to, and how it is understood
  kTakesReading = 2,   // what only reading can do: damage, lost parents, archives
  kTakesThreads = 4,   // how many move data
  kTakesProgress = 8,  // how it is shown
  kTakesAll = 15,
  kTakesFrom = 16  // raw bytes in place of a disk
};

class CommonOptions {
 public:
  CommonOptions() = default;
  CommonOptions(const CommonOptions&) = delete;
  CommonOptions& operator=(const CommonOptions&) = delete;

  // Adds them to a verb's command line.
  void add_to(CommandLine& line, unsigned takes = kTakesAll);
  // Looks at the values once the line is parsed; throws UsageError.
  void check();

  ProgressMode progress() const { return progress_; }
  // Whether the file holds the bytes of a disk and is no VMDK.
  bool raw() const { return raw_; }
  bool quiet() const { return quiet_; }
  bool verbose() const { return verbose_; }
  // Threads a verb that moves data may use: what --threads says, or else as
  // many as there are processors.
  std::uint32_t threads() const;
  // Throws UsageError for what can be done with files alone, not with what comes in from first byte
  // to last.
  void refuse_for_stream() const;
  // As throw_library_error(), for a call that opens what these options are about.
  [[noreturn]] void throw_open_error(vmdk_status status) const;
  // What the library is told; it points into this object.
  vmdk_open_options open_options() const;

 private:
  friend class DiskHandle;

  void add_paths(CommandLine& line);
  void add_reading(CommandLine& line);

  std::vector<std::string> allowed_paths_;
  std::vector<const char*> roots_;  // the same as the library takes them
  std::string from_text_ = "vmdk";
  bool offers_raw_ = false;  // whether there is --from
  bool raw_ = false;
  bool any_path_ = false;
  bool recover_ = false;
  bool no_parent_ = false;
  bool no_lock_ = false;
  bool quiet_ = false;
  bool verbose_ = false;
  std::string member_;
  std::string encoding_;
  std::string threads_text_;
  std::string progress_text_ = "auto";
  std::uint32_t threads_ = 0;  // 0: not said
  ProgressMode progress_ = ProgressMode::automatic;
  Verbosity verbosity_ = Verbosity::warnings;
};

// What a disk is opened for. Only reading data is worth threads; a conversion has its own.
enum class Work { tables, data, changes };

// An open disk. The getters may be called from any thread; every failure is
// a Failure with the library's words. `options` must outlive it.
class DiskHandle {
 public:
  DiskHandle(const std::string& path, const CommonOptions& options, Work work);
  ~DiskHandle();
  DiskHandle(const DiskHandle&) = delete;
  DiskHandle& operator=(const DiskHandle&) = delete;

  const std::string& path() const { return path_; }
  // For calls of the library that have nothing here.
  vmdk_disk* get() const { return disk_; }
  vmdk_info info(std::uint32_t link = 0) const;
  vmdk_extent_info extent(std::uint32_t link, std::uint32_t index) const;
  // A text of vmdk_get_text(); nothing where there is no such key.
  std::optional<std::string> text(std::uint32_t link, const std::string& key) const;
  // The name of a key, 0 <= index < info(link).key_count.
  std::string key(std::uint32_t link, std::uint32_t index) const;
  // The file of an extent as it was opened; empty without one.
  std::string extent_file(std::uint32_t link, std::uint32_t index) const;
  vmdk_run map(std::uint64_t offset, std::uint64_t size) const;
  void read(std::uint64_t offset, std::span<std::byte> out) const;

  // For Work::changes.
  void write(std::uint64_t offset, std::span<const std::byte> data);
  void zero(std::uint64_t offset, std::uint64_t size);
  void discard(std::uint64_t offset, std::uint64_t size);
  // Sets a key of the disk database, or removes it.
  void set_text(const std::string& key, const std::optional<std::string>& value);
  // Returns when every change is on stable storage; the last call.
  void close();

 private:
  std::string path_;
  vmdk_disk* disk_ = nullptr;
};

// Throws a Failure if `file`, another file of the same job, is one that `disk` rests on.
void refuse_own_file(const DiskHandle& disk, const std::string& file);

}  // namespace vmdk_tool
