// SPDX-License-Identifier: MIT
// Ctrl-C and its kin. The first signal only sets a flag, which every loop over
// data looks at; the job then ends by an exception and cleans up. A second
// signal ends the process at once, after removing a half-made output file.
#pragma once

#include <string>

namespace vmdk_tool {

// Catches SIGINT, SIGTERM and SIGHUP, unless they were ignored when the
// process began, as nohup and background jobs of scripts have it. Ignores SIGPIPE and SIGXFSZ:
// the failing write says it.
void install_signal_handlers();

// Whether a signal has come. Any thread.
bool is_cancelled() noexcept;

// Throws Cancelled once a signal has come. Any thread.
void throw_if_cancelled();

// For helper threads: leaves the signals to the main thread, whose blocking
// calls they are to interrupt.
void block_signals();

// The file a second signal removes; empty for none. One at a time, set from
// the main thread.
void set_half_made_file(const std::string& path);

}  // namespace vmdk_tool
