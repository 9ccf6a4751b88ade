// SPDX-License-Identifier: MIT
// Checks for the unit tests. A check that fails is written down and the test goes on, so that a
// table of cases is run to its end; cmocka hears of it when the test has returned and no destructor
// can be jumped over.
#ifndef VMDK_TESTS_UNIT_CHECK_H
#define VMDK_TESTS_UNIT_CHECK_H

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
#include <cmocka.h>
}
// Names that others have, too, such as std::ios::fail().
#undef fail
#undef mock
#undef skip

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "util/error.h"

namespace unit {

// What failed in the test that is running. Any number of threads.
class Log final {
 public:
  static Log& get() {
    static Log log;
    return log;
  }

  void begin() {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
    text_.clear();
  }

  void add(const char* file, int line, const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (++failures_ > kShown) return;
    text_ += std::string(file) + ":" + std::to_string(line) + ": ";
    for (const std::string& row : rows()) text_ += "[" + row + "] ";
    text_ += what + "\n";
  }

  std::size_t failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

  std::string text() {
    const std::lock_guard lock(mutex_);
    std::string all = text_;
    if (failures_ > kShown) all += "... and " + std::to_string(failures_ - kShown) + " more\n";
    return all;
  }

  // Which cases the current thread is in.
  static std::vector<std::string>& rows() {
    static thread_local std::vector<std::string> open;
    return open;
  }

 private:
  static constexpr std::size_t kShown = 20;
  std::mutex mutex_;
  std::size_t failures_ = 0;
  std::string text_;
};

// Names the case that the checks below it belong to.
class Row final {
 public:
  explicit Row(std::string name) { Log::rows().push_back(std::move(name)); }
  ~Row() { Log::rows().pop_back(); }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;
};

inline std::string show(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      std::array<char, 5> hex;
      std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
      out += hex.data();
    }
  }
  return out + (text.size() > 200 ? "...\"" : "\"");
}
inline std::string show(const std::string& text) { return show(std::string_view(text)); }
inline std::string show(const char* text) { return show(std::string_view(text)); }
inline std::string show(std::nullopt_t) { return "nothing"; }

template <class T>
requires std::is_arithmetic_v<T> || std::is_enum_v<T> std::string show(T value) {
  if constexpr (std::is_enum_v<T>)
    return "#" + std::to_string(static_cast<long long>(value));
  else if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else
    return std::to_string(value);
}

template <class T>
std::string show(const std::optional<T>& value) {
  return value ? show(*value) : show(std::nullopt);
}

template <class T>
std::string show(const std::vector<T>& values) {
  std::string out = "{";
  for (const T& value : values) out += (out.size() == 1 ? "" : ", ") + show(value);
  return out + "}";
}

template <class T>
concept Number = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

template <class A, class B>
bool same(const A& a, const B& b) {
  if constexpr (Number<A> && Number<B>)
    return std::cmp_equal(a, b);
  else
    return a == b;
}

template <class A, class B>
bool check_equal(const char* file, int line, const char* text, const A& got, const B& wanted) {
  if (same(got, wanted)) return true;
  Log::get().add(file, line, std::string(text) + " is " + show(got) + ", not " + show(wanted));
  return false;
}

inline bool check_true(const char* file, int line, const char* text, bool holds) {
  if (!holds) Log::get().add(file, line, std::string(text) + " does not hold");
  return holds;
}

inline bool check_has(const char* file, int line, std::string_view text, std::string_view part) {
  if (text.find(part) != std::string_view::npos) return true;
  Log::get().add(file, line, show(part) + " is not in " + show(text));
  return false;
}

// What a call came to.
struct Outcome {
  vmdk_status status = VMDK_OK;
  std::string message, hint;
  int os_error = 0;
  std::uint32_t link = UINT32_MAX, extent = UINT32_MAX;
  std::uint64_t offset = UINT64_MAX;
};

template <class Call>
Outcome outcome_of(Call&& call) {
  try {
    call();
    return {};
  } catch (const vmdk::Error& error) {
    return {error.status(), error.what(),   error.hint(),  error.os_error(),
            error.link(),   error.extent(), error.offset()};
  }
}

// Runs a test; whatever it throws is a failure, too.
template <void (*Body)()>
void run(void**) {
  static std::array<char, 16384> text;
  Log& log = Log::get();
  log.begin();
  try {
    Body();
  } catch (const std::exception& error) {
    log.add("exception", 0, error.what());
  }
  const bool failed = log.failures() != 0;
  {
    const std::string all = log.text();
    const std::size_t size = std::min(all.size(), text.size() - 1);
    std::memcpy(text.data(), all.data(), size);
    text[size] = '\0';
  }
  if (!failed) return;
  // A line at a time: cmocka cuts off what is longer than a KiB.
  print_error("\n");
  for (char *line = text.data(), *end = line; *line != '\0'; line = end) {
    end += std::strcspn(end, "\n");
    if (*end != '\0') *end++ = '\0';
    print_error("%s\n", line);
  }
  _fail(__FILE__, __LINE__);
}

}  // namespace unit

#define UNIT_TEST(body) \
  CMUnitTest { #body, unit::run < body>, nullptr, nullptr, nullptr }

// Each gives whether it held.
#define CHECK(condition) \
  unit::check_true(__FILE__, __LINE__, #condition, static_cast<bool>(condition))
#define CHECK_EQ(got, wanted) unit::check_equal(__FILE__, __LINE__, #got, (got), (wanted))
#define CHECK_HAS(text, part) unit::check_has(__FILE__, __LINE__, (text), (part))

#endif
