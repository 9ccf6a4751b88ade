// SPDX-License-Identifier: MIT
#include "source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "errors.h"
#include "messages.h"
#include "signals.h"

namespace vmdk_tool {
namespace {

class DiskSource final : public Source {
 public:
  explicit DiskSource(const DiskHandle& disk) : disk_(disk), size_(disk.info().capacity) {}

  std::uint64_t size() const override { return size_; }

  Range range_at(std::uint64_t offset, std::uint64_t limit) override {
    const vmdk_run run = disk_.map(offset, limit);
    return {run.size, run.kind != VMDK_RUN_DATA};
  }

  void read(std::uint64_t offset, std::span<std::byte> out) override { disk_.read(offset, out); }

 private:
  const DiskHandle& disk_;
  std::uint64_t size_;
};

class RawSource final : public Source {
 public:
  explicit RawSource(const std::string& path)
      : name_(printable(path)), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {
    if (fd_ < 0) throw_system_error(path, "opening", errno);
    try {
      measure();
    } catch (...) {
      close(fd_);
      throw;
    }
  }
  ~RawSource() override { close(fd_); }

  std::uint64_t size() const override { return size_; }

  Range range_at(std::uint64_t offset, std::uint64_t limit) override {
    const off_t data = lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0) {
      // ENXIO: no data from here to the end. Other errors: holes are not told.
      return {limit, errno == ENXIO && knows_holes_};
    }
    const auto to_data = static_cast<std::uint64_t>(data) - offset;
    if (to_data > 0) return {std::min(to_data, limit), true};
    const off_t hole = lseek(fd_, static_cast<off_t>(offset), SEEK_HOLE);
    if (hole <= data) return {limit, false};
    return {std::min(static_cast<std::uint64_t>(hole) - offset, limit), false};
  }

  void read(std::uint64_t offset, std::span<std::byte> out) override {
    while (!out.empty()) {
      const ssize_t n = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) {
        throw_if_cancelled();
        continue;
      }
      if (n < 0) throw_system_error(name_, "reading at " + std::to_string(offset), errno);
      if (n == 0) throw Failure(name_ + ": it became shorter while it was read");
      offset += static_cast<std::uint64_t>(n);
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }

 private:
  void measure() {
    struct stat status = {};
    if (fstat(fd_, &status) != 0) throw_system_error(name_, "reading its size", errno);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
      throw Failure(name_ + ": it is neither a regular file nor a block device");
    const off_t end = lseek(fd_, 0, SEEK_END);
    if (end < 0) throw_system_error(name_, "reading its size", errno);
    size_ = static_cast<std::uint64_t>(end);
    knows_holes_ = S_ISREG(status.st_mode);
  }

  std::string name_;
  int fd_;
  std::uint64_t size_ = 0;
  bool knows_holes_ = false;
};

}  // namespace

std::unique_ptr<Source> make_disk_source(const DiskHandle& disk) {
  return std::make_unique<DiskSource>(disk);
}

std::unique_ptr<Source> open_raw_source(const std::string& path) {
  return std::make_unique<RawSource>(path);
}

OpenedSource::OpenedSource(const std::string& path, bool raw, const CommonOptions& options) {
  if (raw) {
    source_ = open_raw_source(path);
    return;
  }
  disk_ = std::make_unique<DiskHandle>(path, options, Work::data);
  source_ = make_disk_source(*disk_);
}

}  // namespace vmdk_tool
