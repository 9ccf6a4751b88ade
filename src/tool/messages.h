// SPDX-License-Identifier: MIT
// Lines for people on standard error, from any thread: errors, warnings and
// the progress line, kept apart from each other. Also makes names and texts
// that come from files safe to print.
#pragma once

#include <string>
#include <string_view>

namespace vmdk_tool {

// `text` with control characters, characters that turn the direction of
// writing and bytes that are no UTF-8 shown as \xNN or \u{NNNN}.
std::string printable(std::string_view text);

// Writes one line and a line end. A progress line is wiped first.
void print_message(std::string_view line);

// Shows `line` as the progress line, in place of the one before.
void draw_progress_line(std::string_view line);

// Keeps the progress line on the screen and goes to the next line. Does
// nothing where none is drawn.
void end_progress_line();

// Which messages of the library are shown. Warnings always are.
enum class Verbosity { warnings, all };

// A vmdk_message_fn; `user` points to a Verbosity.
extern "C" void print_library_message(void* user, int level, const char* message);

}  // namespace vmdk_tool
