// SPDX-License-Identifier: MIT
#include "messages.h"

#include <unistd.h>
#include <vmdk/vmdk.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <mutex>

namespace vmdk_tool {
namespace {

std::mutex screen_mutex;
bool progress_line_drawn = false;

// What standard error does not take is lost: there is nowhere else to say so.
void write_standard_error(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t length = 0;  // 0: no UTF-8
};

Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || length > text.size()) return {};
  std::uint32_t code_point = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[length] || code_point > 0x10ffff || surrogate) return {};
  return {code_point, length};
}

// Line and paragraph separators end lines as control characters do.
bool is_harmful(std::uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
                       c == 0xfffe || c == 0xffff;
  const bool direction = c == 0x200e || c == 0x200f || c == 0x061c ||
                         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return control || direction;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded c = decode_utf8(text);
    char escaped[16];
    if (c.length == 0 || c.code_point < 0x80) {
      const unsigned value = static_cast<unsigned char>(text[0]);
      std::snprintf(escaped, sizeof escaped, "\\x%02x", value);
    } else {
      std::snprintf(escaped, sizeof escaped, "\\u{%x}", c.code_point);
    }
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (c.length == 0 || is_harmful(c.code_point)) {
      out += escaped;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

void print_message(std::string_view line) {
  const std::lock_guard lock(screen_mutex);
  std::string text = progress_line_drawn ? "\r\033[K" : "";
  progress_line_drawn = false;
  text += line;
  text += '\n';
  write_standard_error(text);
}

void draw_progress_line(std::string_view line) {
  const std::lock_guard lock(screen_mutex);
  std::string text = "\r";
  text += line;
  text += "\033[K";
  progress_line_drawn = true;
  write_standard_error(text);
}

void end_progress_line() {
  const std::lock_guard lock(screen_mutex);
  if (!progress_line_drawn) return;
  progress_line_drawn = false;
  write_standard_error("\n");
}

void print_library_message(void* user, int level, const char* message) {
  const Verbosity verbosity = *static_cast<const Verbosity*>(user);
  if (level < VMDK_LEVEL_WARNING && verbosity != Verbosity::all) return;
  const char* const kind = level >= VMDK_LEVEL_WARNING ? "warning"
                           : level == VMDK_LEVEL_NOTE  ? "note"
                                                       : "debug";
  try {
    print_message(std::string("vmdk: ") + kind + ": " + printable(message));
  } catch (...) {
    write_standard_error("vmdk: warning: out of memory for a message\n");
  }
}

}  // namespace vmdk_tool
