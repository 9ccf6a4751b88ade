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
#include "signals.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

using namespace std::chrono_literals;

// A job shorter than this shows no bar at all.
constexpr auto kFirstDraw = 400ms;
constexpr auto kDrawEvery = 200ms;
constexpr auto kPrintEvery = 1s;

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

Progress::Progress(ProgressMode mode, std::string job, std::optional<std::uint64_t> total)
    : bar_(mode == ProgressMode::automatic && is_terminal()),
      plain_(mode == ProgressMode::plain),
      job_(std::move(job)),
      total_(total),
      start_(Clock::now()),
      next_draw_(start_ + kFirstDraw) {
  if (plain_ && total_) print_percent();
}

Progress::~Progress() { end_progress_line(); }

void Progress::add(std::uint64_t bytes, std::uint64_t moved) {
  done_ += bytes;
  moved_ += moved;
  if (plain_ && total_) print_percent();
  if (!bar_ && !(plain_ && !total_)) return;
  const Clock::time_point now = Clock::now();
  if (now < next_draw_ && !is_complete()) return;
  if (now < start_ + kFirstDraw) return;
  if (plain_) return print_done(now);
  next_draw_ = now + kDrawEvery;
  draw(now);
}

double Progress::share() const {
  return *total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(*total_);
}

void Progress::print_percent() {
  const int percent = is_complete() ? 100 : std::min(99, static_cast<int>(share() * 100));
  if (percent == last_percent_) return;
  last_percent_ = percent;
  print_message(job_ + ": " + std::to_string(percent) + "%");
}

void Progress::print_done(Clock::time_point now) {
  next_draw_ = now + kPrintEvery;
  print_message(job_ + ": " + human_size(done_));
}

std::string Progress::bar() const {
  constexpr std::size_t kBarColumns = 14;
  const auto filled = static_cast<std::size_t>(share() * static_cast<double>(kBarColumns));
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3d%% ", static_cast<int>(share() * 100));
  return percent + ("[" + std::string(filled, '#')) + std::string(kBarColumns - filled, '-') + "] ";
}

void Progress::draw(Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(moved_) / elapsed);
  std::string line = job_ + " ";
  if (total_) line += bar();
  line += human_size(done_);
  if (total_) line += " of " + human_size(*total_);
  line += ", " + human_size(rate) + "/s, ";
  if (!total_ || is_complete())
    line += "in " + clock_text(elapsed);
  else if (share() > 0)
    line += clock_text(elapsed * (1 - share()) / share()) + " left";
  draw_progress_line(std::string_view(line).substr(0, terminal_columns() - 1));
}

bool LibraryProgress::report(std::uint64_t done, std::uint64_t total) noexcept {
  total_ = total;
  try {
    if (!progress_)
      progress_.emplace(mode_, job_, total == 0 ? std::nullopt : std::optional(total));
    if (done > done_) progress_->add(done - done_, done - done_);
    done_ = std::max(done, done_);
  } catch (...) {
  }
  return !is_cancelled();
}

void LibraryProgress::complete() noexcept {
  if (progress_ && total_ != 0) report(total_, total_);
  progress_.reset();
}

}  // namespace vmdk_tool
