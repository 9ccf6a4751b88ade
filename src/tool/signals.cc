// SPDX-License-Identifier: MIT
#include "signals.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>

#include "errors.h"

namespace vmdk_tool {
namespace {

constexpr int kCancelling[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kExitCancelled = 130;

std::atomic<bool> cancel_flag{false};
char half_made_path[PATH_MAX];
std::atomic<bool> half_made_set{false};
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

// Only calls that are allowed in signal handlers.
extern "C" void on_signal(int) {
  if (!cancel_flag.exchange(true)) return;
  if (half_made_set.load()) unlink(half_made_path);
  _exit(kExitCancelled);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);
  // Without SA_RESTART, so that a blocked write returns.
  action.sa_handler = on_signal;
  for (const int signal : kCancelling) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

bool is_cancelled() noexcept { return cancel_flag.load(std::memory_order_relaxed); }

void throw_if_cancelled() {
  if (is_cancelled()) throw Cancelled{};
}

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kCancelling) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void set_half_made_file(const std::string& path) {
  half_made_set = false;
  if (path.empty() || path.size() >= sizeof half_made_path) return;
  std::memcpy(half_made_path, path.c_str(), path.size() + 1);
  half_made_set = true;
}

}  // namespace vmdk_tool
