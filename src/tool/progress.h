// SPDX-License-Identifier: MIT
// How far a long job has come: a bar with rate and time left on a terminal,
// percent lines where they are asked for, nothing otherwise. Of a job whose
// end is not known only how much is done. Belongs to the main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace vmdk_tool {

// What --progress says.
enum class ProgressMode { automatic, plain, none };

// Throws UsageError for what is none of auto, plain and none.
ProgressMode parse_progress_mode(const std::string& text);

class Progress {
 public:
  // `job` is the word in front; `total` the bytes of the whole job, if they are known.
  Progress(ProgressMode mode, std::string job, std::optional<std::uint64_t> total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `bytes` more are done; `moved` of them were data, which the rate counts.
  // Cheap: draws a few times a second.
  void add(std::uint64_t bytes, std::uint64_t moved);

 private:
  using Clock = std::chrono::steady_clock;

  bool is_complete() const { return total_ && done_ >= *total_; }
  double share() const;
  std::string bar() const;
  void draw(Clock::time_point now);
  void print_percent();
  void print_done(Clock::time_point now);

  bool bar_ = false;
  bool plain_ = false;
  int last_percent_ = -1;
  std::string job_;
  std::optional<std::uint64_t> total_;
  std::uint64_t done_ = 0;
  std::uint64_t moved_ = 0;
  Clock::time_point start_;
  Clock::time_point next_draw_;
};

// What the library says of a job it does.
class LibraryProgress {
 public:
  LibraryProgress(ProgressMode mode, const char* job) : mode_(mode), job_(job) {}

  // As a vmdk_progress_fn is told: `total` is 0 where it is not known. What cannot be shown is left
  // out. Returns whether to go on: not once a signal has come.
  bool report(std::uint64_t done, std::uint64_t total) noexcept;
  // The job is done, whatever was said last.
  void complete() noexcept;

 private:
  ProgressMode mode_;
  const char* job_;
  std::optional<Progress> progress_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace vmdk_tool
