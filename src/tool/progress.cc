// SPDX-License-Identifier: MIT
#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "errors.h"
#include "messages.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

using namespace std::chrono_literals;

// A job shorter than this shows no bar at all.
constexpr auto kFirstDraw = 400ms;
constexpr auto kDrawEvery = 200ms;

std::size_t terminal_columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool is_terminal() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && !(kind != nullptr && std::string_view(kind) == "dumb");
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::min(seconds, 3.6e8));
  char text[40];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60,
                  whole % 60);
  else
    std::snprintf(text, sizeof text, "%02llu:%02llu", whole / 60, whole % 60);
  return text;
}

}  // namespace

ProgressMode parse_progress_mode(const std::string& text) {
  if (text == "auto") return ProgressMode::automatic;
  if (text == "plain") return ProgressMode::plain;
  if (text == "none") return ProgressMode::none;
  throw UsageError("--progress: '" + printable(text) + "' is none of auto, plain and none");
}

Progress::Progress(ProgressMode mode, std::string job, std::uint64_t total)
    : bar_(mode == ProgressMode::automatic && is_terminal()),
      plain_(mode == ProgressMode::plain),
      job_(std::move(job)),
      total_(total),
      start_(Clock::now()),
      next_draw_(start_ + kFirstDraw) {
  if (plain_) print_percent();
}

Progress::~Progress() { end_progress_line(); }

void Progress::add(std::uint64_t bytes, std::uint64_t moved) {
  done_ += bytes;
  moved_ += moved;
  if (plain_) print_percent();
  if (!bar_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_ && done_ < total_) return;
  if (now < start_ + kFirstDraw) return;
  next_draw_ = now + kDrawEvery;
  draw(now);
}

void Progress::print_percent() {
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const int percent = done_ >= total_ ? 100 : std::min(99, static_cast<int>(share * 100));
  if (percent == last_percent_) return;
  last_percent_ = percent;
  print_message(job_ + ": " + std::to_string(percent) + "%");
}

void Progress::draw(Clock::time_point now) {
  constexpr std::size_t kBarColumns = 14;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(moved_) / elapsed);
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3d%% ", static_cast<int>(share * 100));
  std::string line = job_ + " " + percent;
  line += "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '-') + "] ";
  line += human_size(done_) + " of " + human_size(total_) + ", " + human_size(rate) + "/s, ";
  if (done_ >= total_)
    line += "in " + clock_text(elapsed);
  else if (share > 0)
    line += clock_text(elapsed * (1 - share) / share) + " left";
  draw_progress_line(std::string_view(line).substr(0, terminal_columns() - 1));
}

}  // namespace vmdk_tool
