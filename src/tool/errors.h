// SPDX-License-Identifier: MIT
// What ends a verb early. Thrown anywhere in the tool, turned into messages
// and an exit status in main.cc alone. Each type stands for one ending:
// wrong usage, a failure, a cancelled job, a reader of our output that left.
#pragma once

#include <vmdk/vmdk.h>

#include <stdexcept>
#include <string>

namespace vmdk_tool {

// The command line is wrong: exit status 2.
class UsageError final : public std::runtime_error {
 public:
  // What the user is pointed to: the help is no help where the message says all.
  enum class See { help, nothing };

  explicit UsageError(const std::string& message, See see = See::help)
      : std::runtime_error(message), see_(see) {}

  See see() const noexcept { return see_; }

 private:
  See see_;
};

// The job failed. `message` is one line of the form `file: what, where, why`;
// hint and place may be empty.
class Failure final : public std::runtime_error {
 public:
  explicit Failure(const std::string& message, std::string hint = {},
                   vmdk_status status = VMDK_ERR_INTERNAL)
      : std::runtime_error(message), hint_(std::move(hint)), status_(status) {}

  const std::string& hint() const noexcept { return hint_; }
  vmdk_status status() const noexcept { return status_; }
  // Where in the disk, for --verbose: "corrupt image; link 0, extent 2".
  const std::string& place() const noexcept { return place_; }
  void set_place(std::string place) { place_ = std::move(place); }
  void set_hint(std::string hint) { hint_ = std::move(hint); }

 private:
  std::string hint_;
  std::string place_;
  vmdk_status status_;
};

// SIGINT or SIGTERM: exit status 130.
struct Cancelled {};

// Whoever read our standard output has gone: a quiet failure.
struct BrokenPipe {};

// Not an error: the text that --help asks for, to be printed.
struct HelpWanted {
  std::string text;
};

// Throws a Failure with what the library says of the call that has just
// failed on this thread.
[[noreturn]] void throw_library_error(vmdk_status status);

// Throws a Failure `file: what: why`, why being the text of an errno value.
[[noreturn]] void throw_system_error(const std::string& file, const std::string& what,
                                     int os_error);

}  // namespace vmdk_tool
