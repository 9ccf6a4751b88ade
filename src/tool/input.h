// SPDX-License-Identifier: MIT
// Something to be read from beginning to end: standard input, a pipe, a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace vmdk_tool {

// Whether `path` can only be read from beginning to end: "-", a pipe, a terminal.
bool is_stream(const std::string& path);

class Input {
 public:
  // "-" is standard input.
  explicit Input(const std::string& path);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Bytes to the end; nothing where only the end itself will tell.
  std::optional<std::uint64_t> size() const;
  // Fills `room` as far as there is something; whoever types or pipes may take their time. Throws
  // Cancelled or a Failure.
  std::size_t read(std::span<std::byte> room);
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  bool owned_;
  int fd_;
};

}  // namespace vmdk_tool
