// SPDX-License-Identifier: MIT
#include "io/posix_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

void read_fully(int fd, const std::string& name, std::uint64_t offset, MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_os_error(name, "reading failed", errno);
    if (got == 0)
      throw_corrupt(name, "ends at byte " + std::to_string(offset) +
                              ": it has become shorter since it was opened");
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

}  // namespace

bool FileFacts::is_device() const noexcept { return S_ISBLK(mode); }

std::string FileFacts::identity() const {
  // 15 bytes need no memory of their own. A device number takes five of them.
  const std::array<std::uint64_t, 2> both{inode, device};
  return {reinterpret_cast<const char*>(both.data()), 15};
}

int get_facts(int fd, FileFacts& facts) noexcept {
  struct statx stx {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) == 0) {
    facts.device = makedev(stx.stx_dev_major, stx.stx_dev_minor);
    facts.inode = stx.stx_ino;
    facts.mode = stx.stx_mode;
    facts.size = stx.stx_size;
    facts.stored_bytes = stx.stx_blocks * 512;
    if ((stx.stx_mask & STATX_BTIME) != 0)
      facts.birth = {stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec};
    return 0;
  }
  // Filters that do not know the call.
  struct stat st {};
  if (::fstat(fd, &st) != 0) return errno;
  facts = {st.st_dev,
           st.st_ino,
           st.st_mode,
           static_cast<std::uint64_t>(st.st_size),
           static_cast<std::uint64_t>(st.st_blocks) * 512,
           {}};
  return 0;
}

int PosixWay::open(int flags, Resolver resolver) const {
  if (beneath) return open_beneath(directory->fd.get(), name, flags, resolver);
  const int fd = ::openat(directory->fd.get(), name.c_str(), flags);
  return fd < 0 ? -errno : fd;
}

DescriptorPool::DescriptorPool(std::size_t max_open, Resolver resolver)
    : most_(std::max<std::size_t>(max_open / 2, 1)), resolver_(resolver) {}

// Holds the descriptor of a file while it is used.
class PosixFile::Pin final {
 public:
  explicit Pin(const PosixFile& file) : file_(file.resident_ ? nullptr : &file) {
    if (file_ == nullptr) {
      fd_ = file.fd_.get();
      return;
    }
    const std::lock_guard lock(file.pool_.mutex_);
    auto& open = file.pool_.open_;
    const auto at = std::find(open.begin(), open.end(), &file);
    if (at != open.end()) {
      open.splice(open.begin(), open, at);
    } else {
      file.fd_ = file.reopen();
      open.push_front(&file);
      make_room(file.pool_);
    }
    ++file.pins_;
    fd_ = file.fd_.get();
  }
  ~Pin() {
    if (file_ == nullptr) return;
    const std::lock_guard lock(file_->pool_.mutex_);
    --file_->pins_;
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  int fd() const noexcept { return fd_; }

 private:
  const PosixFile* file_;  // null: resident
  int fd_ = -1;
};

PosixFile::PosixFile(DescriptorPool& pool, PosixWay way, std::string name, UniqueFd fd,
                     const FileFacts& facts, FileUse use)
    : pool_(pool),
      way_(std::move(way)),
      name_(std::move(name)),
      fd_(std::move(fd)),
      facts_(facts),
      size_(facts.size),
      use_(use),
      unsynced_(use == FileUse::write) {
  const std::lock_guard lock(pool_.mutex_);
  resident_ = pool_.resident_ < pool_.most_;
  if (resident_) {
    ++pool_.resident_;
  } else {
    pool_.open_.push_front(this);
    make_room(pool_);
  }
}

PosixFile::~PosixFile() { release(); }

bool DescriptorPool::has_room() {
  const std::lock_guard lock(mutex_);
  return resident_ < most_;
}

bool DescriptorPool::is_locked(dev_t device, ino_t inode) {
  const std::lock_guard lock(mutex_);
  return locked_.contains({device, inode});
}

void PosixFile::note_lock() {
  const std::lock_guard lock(pool_.mutex_);
  locked_ = pool_.locked_.emplace(facts_.device, facts_.inode).second;
}

UniqueFd PosixFile::release() {
  const std::lock_guard lock(pool_.mutex_);
  if (locked_) pool_.locked_.erase({facts_.device, facts_.inode});
  locked_ = false;
  if (fd_.ok() && !resident_) pool_.open_.remove(this);
  if (resident_) --pool_.resident_;
  resident_ = false;
  return std::move(fd_);
}

// Is this open file the one it was opened as?
bool PosixFile::is_same(int fd) const noexcept {
  FileFacts now;
  return get_facts(fd, now) == 0 && now.device == facts_.device && now.inode == facts_.inode &&
         now.birth == facts_.birth;
}

UniqueFd PosixFile::reopen() const {
  const int access = use_ == FileUse::write ? O_RDWR : O_RDONLY;
  UniqueFd fd(way_.open(access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, pool_.resolver_));
  if (!fd.ok() && fd.get() != -ENOENT) throw_os_error(name_, "cannot be opened again", -fd.get());
  if (!fd.ok() || !is_same(fd.get()))
    throw Error(VMDK_ERR_IO, name_ + ": was removed or replaced while the disk was open");
  return fd;
}

// Closes the descriptors that were not used for longest.
void PosixFile::make_room(DescriptorPool& pool) {
  auto& open = pool.open_;
  for (auto at = std::prev(open.end()); open.size() > pool.most_ && at != open.begin();) {
    const auto victim = at--;
    if ((*victim)->pins_ > 0) continue;
    (*victim)->fd_.reset();
    open.erase(victim);
  }
}

void PosixFile::read_at(std::uint64_t offset, MutableBytes out) const {
  check_inside(*this, offset, out.size());
  const Pin pin(*this);
  read_fully(pin.fd(), name_, offset, out);
}

std::uint64_t PosixFile::stored_bytes() const {
  if (facts_.is_device()) return size();
  if (use_ != FileUse::write) return facts_.stored_bytes;
  const Pin pin(*this);
  FileFacts now = facts_;
  get_facts(pin.fd(), now);
  return now.stored_bytes;
}

std::uint64_t PosixFile::next_data(std::uint64_t offset) const {
  if (offset >= size()) return size();
  const Pin pin(*this);
  const off_t at = ::lseek(pin.fd(), static_cast<off_t>(offset), SEEK_DATA);
  if (at >= 0) return std::min(static_cast<std::uint64_t>(at), size());
  if (errno != ENXIO) return offset;
  // Nothing from here on; or the file has become shorter, and reading will say so.
  FileFacts now;
  return get_facts(pin.fd(), now) == 0 && now.size >= size() ? size() : offset;
}

std::uint64_t PosixFile::next_hole(std::uint64_t offset) const {
  if (facts_.is_device() || offset >= size()) return size();
  const Pin pin(*this);
  const off_t at = ::lseek(pin.fd(), static_cast<off_t>(offset), SEEK_HOLE);
  return at > static_cast<off_t>(offset) ? std::min(static_cast<std::uint64_t>(at), size())
                                         : size();
}

void PosixFile::write_at(std::uint64_t offset, Bytes in) {
  if (use_ != FileUse::write) return File::write_at(offset, in);
  if (!in_bounds(offset, in.size(), INT64_MAX)) throw_os_error(name_, "writing failed", EFBIG);
  const Pin pin(*this);
  unsynced_ = true;
  while (!in.empty()) {
    const ssize_t put = ::pwrite(pin.fd(), in.data(), in.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw_os_error(name_, "writing failed", put < 0 ? errno : ENOSPC);
    in = in.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
    if (offset > size()) size_.store(offset, std::memory_order_relaxed);
  }
}

void PosixFile::resize(std::uint64_t size) {
  if (use_ != FileUse::write) return File::resize(size);
  if (size > INT64_MAX) throw_os_error(name_, "its size cannot be changed", EFBIG);
  const Pin pin(*this);
  unsynced_ = true;
  while (::ftruncate(pin.fd(), static_cast<off_t>(size)) != 0)
    if (errno != EINTR) throw_os_error(name_, "its size cannot be changed", errno);
  size_.store(size, std::memory_order_relaxed);
}

// File systems and quotas have limits that are nearer than the last grain that fits.
void PosixFile::extend(std::uint64_t needed, std::uint64_t wished) {
  if (use_ == FileUse::write && wished <= INT64_MAX) {
    const Pin pin(*this);
    unsynced_ = true;
    if (::ftruncate(pin.fd(), static_cast<off_t>(wished)) == 0) {
      size_.store(wished, std::memory_order_relaxed);
      return;
    }
  }
  resize(needed);
}

void PosixFile::sync() {
  if (!unsynced_) return;
  const Pin pin(*this);
  while (::fdatasync(pin.fd()) != 0)
    if (errno != EINTR) throw_os_error(name_, "bringing it to stable storage failed", errno);
  unsynced_ = false;
}

// Blocks are shared where both places are whole blocks of one file system that can do it.
bool PosixFile::copy_from(const File& from, std::uint64_t from_offset, std::uint64_t offset,
                          std::uint64_t size) {
  constexpr unsigned kNoClone = 8, kNoCopy = 16;
  const auto* const source = dynamic_cast<const PosixFile*>(&from);
  if (source == nullptr || use_ != FileUse::write || (refused_ & kNoCopy) != 0) return false;
  check_inside(from, from_offset, size);
  if (!in_bounds(offset, size, INT64_MAX)) throw_os_error(name_, "writing failed", EFBIG);
  const Pin pin(*this), source_pin(*source);
  unsynced_ = true;
  const auto note_end = [&](std::uint64_t end) {
    if (end > this->size()) size_.store(end, std::memory_order_relaxed);
  };
  if ((refused_ & kNoClone) == 0) {
    const file_clone_range range{source_pin.fd(), from_offset, size, offset};
    if (::ioctl(pin.fd(), FICLONERANGE, &range) == 0) {
      note_end(offset + size);
      return true;
    }
    if (errno != EINVAL) refused_ |= kNoClone;  // else: these are no whole blocks
  }
  auto in = static_cast<off_t>(from_offset), out = static_cast<off_t>(offset);
  for (std::uint64_t left = size; left > 0;) {
    const ssize_t got =
        ::copy_file_range(source_pin.fd(), &in, pin.fd(), &out,
                          static_cast<std::size_t>(std::min<std::uint64_t>(left, 1 << 30)), 0);
    if (got < 0 && errno == EINTR) continue;
    const int error = got < 0 ? errno : 0;
    if (error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
        error == EPERM) {
      refused_ |= kNoCopy;
      return false;
    }
    if (error == EIO)
      return false;  // of which of the two, and where, reading and writing will tell
    if (error != 0)
      throw_os_error(name_, ("copying to it from " + source->name() + " failed").c_str(), error);
    if (got == 0)
      throw_corrupt(source->name(), "ends at byte " + std::to_string(in) +
                                        ": it has become shorter since it was opened");
    left -= static_cast<std::uint64_t>(got);
    note_end(static_cast<std::uint64_t>(out));
  }
  return true;
}

bool PosixFile::allocate(int mode, const char* what, std::uint64_t offset, std::uint64_t size) {
  const unsigned bit = mode == 0 ? 1 : (mode & FALLOC_FL_PUNCH_HOLE) != 0 ? 2 : 4;
  if (use_ != FileUse::write || (refused_ & bit) != 0) return false;
  if (size == 0) return true;
  const Pin pin(*this);
  unsynced_ = true;
  while (::fallocate(pin.fd(), mode, static_cast<off_t>(offset), static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EPERM && errno != EINVAL &&
        errno != ENODEV)
      throw_os_error(name_, what, errno);
    refused_ |= bit;
    return false;
  }
  return true;
}

bool PosixFile::punch(std::uint64_t offset, std::uint64_t size) {
  return allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "making a hole failed", offset, size);
}

bool PosixFile::clear(std::uint64_t offset, std::uint64_t size) {
  return allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "clearing failed", offset, size);
}

bool PosixFile::reserve(std::uint64_t size) {
  if (!allocate(0, "reserving space failed", 0, size)) return false;
  if (size > this->size()) size_.store(size, std::memory_order_relaxed);
  return true;
}

std::string PosixFile::real_path() const {
  const Pin pin(*this);
  std::array<char, PATH_MAX> target;
  const std::string link = "/proc/self/fd/" + std::to_string(pin.fd());
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(length < 0 ? 0 : length)};
}

}  // namespace vmdk
