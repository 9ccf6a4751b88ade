// SPDX-License-Identifier: MIT
// Where results go. A Sink takes bytes for a file, a device or a pipe; what is
// written to a regular file stands under a temporary name beside it until
// finish(), so that a job that fails or is cancelled leaves nothing behind.
// TextOutput is standard output for text. Every write is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vmdk_tool {

// Writes all of `data`; throws BrokenPipe, Cancelled or a Failure that begins
// with `name`.
void write_all(int fd, const std::string& name, std::span<const std::byte> data);

// Takes bytes in order of their offsets, without gaps: what write() does not
// bring, zeros() does. One thread. Destroyed before finish(), it leaves
// nothing behind, as far as that is in its power.
class Sink {
 public:
  Sink() = default;
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  virtual void write(std::uint64_t offset, std::span<const std::byte> data) = 0;
  virtual void zeros(std::uint64_t offset, std::uint64_t size) = 0;
  // Whether zeros() takes no space, so that it is worth looking for them.
  virtual bool keeps_holes() const = 0;
  // Returns when everything is where it belongs and on stable storage.
  virtual void finish() = 0;
};

// What to do about a regular file or block device that is there already.
enum class Existing { refuse, replace };

// Opens `path` for `size` bytes; "-" is standard output. Pipes and devices
// are written as they are; a regular file is replaced by finish() only, and keeps its mode.
std::unique_ptr<Sink> open_sink(const std::string& path, std::uint64_t size, Existing existing);

// Text on standard output, collected in pieces of 64 KiB. finish() must be
// the last call; what is not finished is not written.
class TextOutput {
 public:
  void write(std::string_view text);
  [[gnu::format(printf, 2, 3)]] void print(const char* format, ...);
  void finish();

 private:
  std::string pending_;
};

}  // namespace vmdk_tool
