// SPDX-License-Identifier: MIT
// What can be read as a guest sees it: a VMDK, or a file of raw bytes. Both
// know which parts read as zero without being read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "options.h"

namespace vmdk_tool {

class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // The first bytes from an offset on that are alike.
  struct Range {
    std::uint64_t size = 0;  // at least 1
    bool zero = false;       // known to read as zeros
  };

  virtual std::uint64_t size() const = 0;
  // 0 < limit, offset + limit <= size(). One thread at a time.
  virtual Range range_at(std::uint64_t offset, std::uint64_t limit) = 0;
  // Fills `out`. One thread at a time.
  virtual void read(std::uint64_t offset, std::span<std::byte> out) = 0;
};

// `disk` must outlive it.
std::unique_ptr<Source> make_disk_source(const DiskHandle& disk);

// A regular file or a block device with the bytes of a disk.
std::unique_ptr<Source> open_raw_source(const std::string& path);

// A disk, or a raw file where `raw` says so, with the handle it rests on.
class OpenedSource {
 public:
  OpenedSource(const std::string& path, bool raw, const CommonOptions& options);
  Source& source() { return *source_; }

 private:
  std::unique_ptr<DiskHandle> disk_;
  std::unique_ptr<Source> source_;
};

}  // namespace vmdk_tool
