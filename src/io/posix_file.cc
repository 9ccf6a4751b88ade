// SPDX-License-Identifier: MIT
#include "io/posix_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

// O_NONBLOCK and O_NOCTTY so that a FIFO or a terminal put there meanwhile cannot stop or catch us.
constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr int kLookFlags = O_PATH | O_CLOEXEC;

const char* file_type(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode)) return "a character device";
  if (S_ISBLK(mode)) return "a block device";
  return "no regular file";
}

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

std::string join(const std::string& directory, const std::string& name) {
  if (directory.empty() || is_absolute(name)) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

// When a file was made: inode numbers are used again. Zero where the file system does not tell.
std::array<std::int64_t, 2> birth_of(int fd) noexcept {
  struct statx stx {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) != 0 || (stx.stx_mask & STATX_BTIME) == 0)
    return {};
  return {stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec};
}

}  // namespace

class PosixFile final : public File {
 public:
  using Way = PosixFileSystem::Way;

  PosixFile(const PosixFileSystem& fs, Way way, std::string name, UniqueFd fd,
            const struct stat& st, std::uint64_t size)
      : fs_(fs),
        way_(std::move(way)),
        name_(std::move(name)),
        fd_(std::move(fd)),
        device_(st.st_dev),
        inode_(st.st_ino),
        size_(size),
        stored_(S_ISBLK(st.st_mode) ? size : static_cast<std::uint64_t>(st.st_blocks) * 512) {
    const std::size_t most = std::max<std::size_t>(fs_.policy_.max_open_files / 2, 1);
    const std::lock_guard lock(fs_.mutex_);
    resident_ = fs_.resident_ < most;
    if (resident_) {
      ++fs_.resident_;
    } else {
      birth_ = birth_of(fd_.get());
      fs_.open_.push_front(this);
      make_room(fs_);
    }
  }

  ~PosixFile() override {
    const std::lock_guard lock(fs_.mutex_);
    if (resident_)
      --fs_.resident_;
    else if (fd_.ok())
      fs_.open_.remove(this);
  }

  void read_at(std::uint64_t offset, MutableBytes out) const override {
    check_inside(*this, offset, out.size());
    if (resident_) return read_fully(fd_.get(), name_, offset, out);
    const Pin pin(*this);
    read_fully(pin.fd(), name_, offset, out);
  }

  std::uint64_t size() const override { return size_; }
  std::uint64_t stored_bytes() const override { return stored_; }
  const std::string& name() const override { return name_; }
  std::string identity() const override {
    // 15 bytes need no memory of their own. A device number takes five of them.
    const std::array<std::uint64_t, 2> both{inode_, device_};
    return {reinterpret_cast<const char*>(both.data()), 15};
  }

  const Way& way() const noexcept { return way_; }
  // Is this open file the one it was opened as?
  bool is_same(int fd) const noexcept {
    struct stat st {};
    return ::fstat(fd, &st) == 0 && st.st_dev == device_ && st.st_ino == inode_ &&
           birth_of(fd) == birth_;
  }

  // Closes the descriptors that were not used for longest.
  static void make_room(const PosixFileSystem& fs) {
    auto& open = fs.open_;
    const std::size_t most = std::max<std::size_t>(fs.policy_.max_open_files / 2, 1);
    for (auto at = std::prev(open.end()); open.size() > most && at != open.begin();) {
      const auto victim = at--;
      if ((*victim)->pins_ > 0) continue;
      (*victim)->fd_.reset();
      open.erase(victim);
    }
  }

 private:
  // Holds the descriptor of a file that takes turns while it is used.
  class Pin final {
   public:
    explicit Pin(const PosixFile& file) : file_(file) {
      const PosixFileSystem& fs = file.fs_;
      const std::lock_guard lock(fs.mutex_);
      auto& open = fs.open_;
      const auto at = std::find(open.begin(), open.end(), &file);
      if (at != open.end()) {
        open.splice(open.begin(), open, at);
      } else {
        file.fd_ = fs.reopen(file);
        open.push_front(&file);
        make_room(fs);
      }
      ++file.pins_;
      fd_ = file.fd_.get();
    }
    ~Pin() {
      const std::lock_guard lock(file_.fs_.mutex_);
      --file_.pins_;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    int fd() const noexcept { return fd_; }

   private:
    const PosixFile& file_;
    int fd_ = -1;
  };

  const PosixFileSystem& fs_;
  Way way_;
  std::string name_;
  mutable UniqueFd fd_;   // guarded by fs_.mutex_ unless resident
  mutable int pins_ = 0;  // guarded by fs_.mutex_
  dev_t device_;
  ino_t inode_;
  std::array<std::int64_t, 2> birth_{};  // of files that take turns
  std::uint64_t size_, stored_;
  bool resident_ = false;
};

PosixFileSystem::PosixFileSystem(PathPolicy policy) : policy_(std::move(policy)) {
  for (const std::string& root : policy_.roots) {
    UniqueFd fd(::open(root.c_str(), kLookFlags | O_DIRECTORY));
    if (!fd.ok()) throw_os_error(root, "cannot be used as an allowed directory", errno);
    roots_.push_back(&add_directory(std::move(fd), root));
  }
}

PosixFileSystem::~PosixFileSystem() = default;

const PosixFileSystem::Directory& PosixFileSystem::add_directory(UniqueFd fd, std::string path) {
  const std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.empty() ? "." : path.c_str(), nullptr), &std::free);
  std::string real_path = real ? real.get() : normalize(join("/", path));
  directories_.push_back({std::move(fd), std::move(path), std::move(real_path)});
  return directories_.back();
}

int PosixFileSystem::open_fd(const Way& way, int flags) const {
  if (way.beneath) return open_beneath(way.directory->fd.get(), way.name, flags, policy_.resolver);
  const int fd = ::openat(way.directory->fd.get(), way.name.c_str(), flags);
  return fd < 0 ? -errno : fd;
}

UniqueFd PosixFileSystem::reopen(const PosixFile& file) const {
  UniqueFd fd(open_fd(file.way(), kReadFlags));
  if (!fd.ok() && fd.get() != -ENOENT)
    throw_os_error(file.name(), "cannot be opened again", -fd.get());
  if (!fd.ok() || !file.is_same(fd.get()))
    throw Error(VMDK_ERR_IO, file.name() + ": was removed or replaced while the disk was open");
  return fd;
}

// What `way` leads to, without opening it: opening alone can act on a device, and blocks at a FIFO.
// Returns 0 or an errno value.
int PosixFileSystem::look_at(const Way& way, struct stat& seen) const {
  // A file in the directory itself that is no link needs no descriptor to be looked at.
  if (way.beneath && way.name.find('/') == std::string::npos) {
    if (::fstatat(way.directory->fd.get(), way.name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
      return errno;
    if (!S_ISLNK(seen.st_mode)) return 0;
  }
  const UniqueFd look(open_fd(way, O_PATH | O_CLOEXEC));
  if (!look.ok()) return -look.get();
  return ::fstat(look.get(), &seen) == 0 ? 0 : errno;
}

// Looks first, then opens, and makes sure that this opened what was looked at.
std::unique_ptr<File> PosixFileSystem::open_way(Way way, std::string shown, bool trusted) {
  const auto fail = [&](int os_error) -> std::unique_ptr<File> {
    if (!trusted && os_error == EXDEV)
      throw Error(VMDK_ERR_PATH_DENIED, shown + ": leads out of its directory through a link")
          .with_hint("if the image is trusted, open it with --allow-any-path (VMDK_PATHS_ANY)");
    if (!trusted && os_error == ELOOP)
      throw Error(VMDK_ERR_PATH_DENIED, shown + ": leads through too many links");
    if (!trusted && os_error == EISDIR)
      throw Error(VMDK_ERR_PATH_DENIED, shown + ": is a directory, not a regular file");
    if (!trusted && (os_error == ENOENT || os_error == ENOTDIR)) return nullptr;
    throw_os_error(shown, "cannot be opened", os_error);
  };
  struct stat seen {
  }, st{};
  if (const int error = look_at(way, seen); error != 0) return fail(error);
  const bool device = S_ISBLK(seen.st_mode) && (trusted || policy_.any_path);
  if (!S_ISREG(seen.st_mode) && !device) {
    throw Error(trusted ? VMDK_ERR_NOT_VMDK : VMDK_ERR_PATH_DENIED,
                shown + ": is " + file_type(seen.st_mode) + ", not a regular file");
  }
  UniqueFd fd(open_fd(way, kReadFlags));
  if (!fd.ok()) return fail(-fd.get());
  if (::fstat(fd.get(), &st) != 0) return fail(errno);
  if (st.st_dev != seen.st_dev || st.st_ino != seen.st_ino)
    throw Error(VMDK_ERR_PATH_DENIED, shown + ": was replaced while it was opened");
  auto size = static_cast<std::uint64_t>(st.st_size);
  if (device) {
    const off_t end = ::lseek(fd.get(), 0, SEEK_END);
    if (end < 0) return fail(errno);
    size = static_cast<std::uint64_t>(end);
  }
  return std::make_unique<PosixFile>(*this, std::move(way), std::move(shown), std::move(fd), st,
                                     size);
}

std::unique_ptr<File> PosixFileSystem::open(const std::string& name) {
  if (name.empty()) throw Error(VMDK_ERR_NOT_FOUND, "the name of the file is empty");
  const std::string directory(dir_name(name));
  UniqueFd fd(::open(directory.empty() ? "." : directory.c_str(), kLookFlags | O_DIRECTORY));
  if (!fd.ok()) throw_os_error(name, "cannot be opened", errno);
  const Directory& home = add_directory(std::move(fd), directory);
  roots_.push_back(&home);
  std::string last(base_name(name));
  if (last.empty()) last = ".";
  return open_way({&home, std::move(last), false}, name, true);
}

const PosixFileSystem::Directory& PosixFileSystem::directory_of(const PosixFile& file) {
  const auto& way = file.way();
  const std::string sub(dir_name(way.name));
  if (sub.empty()) return *way.directory;
  const std::string path = join(way.directory->path, sub);
  for (const Directory& known : directories_)
    if (known.path == path) return known;
  UniqueFd fd(open_fd({way.directory, sub, way.beneath}, kLookFlags | O_DIRECTORY));
  if (!fd.ok()) throw_os_error(file.name(), "its directory cannot be opened", -fd.get());
  return add_directory(std::move(fd), path);
}

std::unique_ptr<File> PosixFileSystem::open_named(const File& from, const std::string& name) {
  check_name(from.name(), name);
  const Directory& home = directory_of(static_cast<const PosixFile&>(from));
  if (policy_.any_path) return open_way({&home, name, false}, join(home.path, name), false);
  if (is_absolute(name) || climbs(name)) return open_outside(from, home, name);
  return open_way({&home, name, true}, join(home.path, name), false);
}

// An absolute or climbing name is good if it ends below an allowed directory after all.
std::unique_ptr<File> PosixFileSystem::open_outside(const File& from, const Directory& home,
                                                    const std::string& name) {
  const std::string path = normalize(is_absolute(name) ? name : home.real_path + "/" + name);
  bool allowed = false;
  std::vector<const Directory*> roots = roots_;
  roots.push_back(&home);
  for (const Directory* root : roots) {
    for (const std::string& top :
         {root->real_path, is_absolute(root->path) ? normalize(root->path) : root->real_path}) {
      std::string rest = below(top, path);
      if (rest.empty()) continue;
      allowed = true;
      auto file = open_way({root, std::move(rest), true}, join(home.path, name), false);
      if (file) return file;
    }
  }
  if (allowed) return nullptr;
  throw Error(VMDK_ERR_PATH_DENIED, printable(from.name()) + ": names the file \"" +
                                        printable(name) + "\", which is outside its directory")
      .with_hint("if the image is trusted, allow the directory with --allow-path " +
                 printable(dir_name(path).substr(0, 150)) + " (vmdk_open_options::roots)");
}

std::vector<std::string> PosixFileSystem::siblings(const File& from) {
  std::vector<std::string> names;
  const Directory& home = directory_of(static_cast<const PosixFile&>(from));
  const int fd = ::openat(home.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd), &::closedir);
  if (!dir) {
    ::close(fd);
    return names;
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    if (names.size() == kMaxSiblings) break;
    names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace vmdk
