// SPDX-License-Identifier: MIT
// How far a long job has come: a bar with rate and time left on a terminal,
// percent lines where they are asked for, nothing otherwise. Belongs to the
// main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vmdk_tool {

// What --progress says.
enum class ProgressMode { automatic, plain, none };

// Throws UsageError for what is none of auto, plain and none.
ProgressMode parse_progress_mode(const std::string& text);

class Progress {
 public:
  // `job` is the word in front; `total` the bytes of the whole job.
  Progress(ProgressMode mode, std::string job, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `bytes` more are done; `moved` of them were data, which the rate counts.
  // Cheap: draws a few times a second.
  void add(std::uint64_t bytes, std::uint64_t moved);

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Clock::time_point now);
  void print_percent();

  bool bar_ = false;
  bool plain_ = false;
  int last_percent_ = -1;
  std::string job_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t moved_ = 0;
  Clock::time_point start_;
  Clock::time_point next_draw_;
};

}  // namespace vmdk_tool
