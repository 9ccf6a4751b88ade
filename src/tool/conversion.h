// SPDX-License-Identifier: MIT
// One job of vmdk_convert() and its kin: shows how far it is, looks at what passes by, and
// carries failures of this side through the library.
#pragma once

#include <vmdk/vmdk.h>

#include <cstdint>
#include <exception>
#include <string>

#include "digests.h"
#include "input.h"
#include "options.h"
#include "output.h"
#include "progress.h"

namespace vmdk_tool {

class Conversion {
 public:
  // `job` is the word in front of the progress. `common` must outlive it.
  Conversion(const char* job, const CommonOptions& common);
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;

  // What the caller fills in: flags, compression, create.
  vmdk_convert_options& options() { return options_; }
  // Take in the new file, and what the guest sees. Must outlive the run.
  void digest_output(Digests& digests);
  void digest_content(Digests& digests);
  // Goes on where the source cannot be read, and says so.
  void salvage();

  // Throw what went wrong; then no file is left. `to` is not finished.
  void run(const DiskHandle& from, const std::string& to);
  void run(const DiskHandle& from, Sink& to);
  void run(Input& from, const std::string& to);
  void run(Input& from, Sink& to);
  // All of what comes in, to nowhere.
  void run(Input& from);

  // What could not be read: in how many pieces, how many bytes.
  std::uint64_t lost_ranges() const { return lost_ranges_; }
  std::uint64_t lost_bytes() const { return lost_bytes_; }

 private:
  struct Callbacks;

  // Keeps what `step` throws for later; returns whether it came to its end.
  template <class Step>
  bool attempt(Step step) noexcept;
  void read_from(Input& from);
  void finish(vmdk_status status);

  const CommonOptions& common_;
  vmdk_convert_options options_ = {};
  LibraryProgress progress_;
  Digests* output_ = nullptr;
  Digests* content_ = nullptr;
  Input* from_ = nullptr;
  Sink* to_ = nullptr;  // null: nowhere
  std::uint64_t written_ = 0;
  std::uint64_t lost_ranges_ = 0;
  std::uint64_t lost_bytes_ = 0;
  std::exception_ptr failure_;
};

}  // namespace vmdk_tool
