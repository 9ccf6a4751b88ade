// SPDX-License-Identifier: MIT
// What one verb takes on its command line: a thin layer over CLI11, so that
// only command_line.cc pays for compiling it and every verb's help looks alike.
// Variables given to it must live until parse() has returned.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vmdk_tool {

class CommandLine {
 public:
  CommandLine(const std::string& verb, const std::string& summary);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Arguments without a name, in their order: those that must be given, then
  // those that may.
  void argument(const char* name, std::string& into, const char* help);
  void argument(const char* name, std::optional<std::string>& into, const char* help);
  // All the rest of them.
  void arguments(const char* name, std::vector<std::string>& into, const char* help);
  void flag(const char* names, bool& into, const char* help);
  // An option with one value, called `placeholder` in the help.
  void option(const char* names, std::string& into, const char* placeholder, const char* help);
  // The same, to be given any number of times.
  void option(const char* names, std::vector<std::string>& into, const char* placeholder,
              const char* help);
  // The options that follow stand under this heading in the help.
  void group(const char* heading);
  // Text below the options in the help.
  void footer(const char* text);

  // Fills the variables. Throws UsageError, or HelpWanted for --help.
  void parse(std::span<char* const> arguments);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vmdk_tool
