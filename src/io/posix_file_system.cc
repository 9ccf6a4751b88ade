// SPDX-License-Identifier: MIT
#include "io/posix_file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "io/file_lock.h"
#include "io/listing.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/random.h"
#include "util/text.h"

namespace vmdk {

namespace {

// O_NONBLOCK and O_NOCTTY so that a FIFO or a terminal put there meanwhile cannot stop or catch us.
constexpr int kOpenFlags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr int kLookFlags = O_PATH | O_CLOEXEC;

const char* file_type(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode)) return "a character device";
  if (S_ISBLK(mode)) return "a block device";
  return "no regular file";
}

std::string join(const std::string& directory, const std::string& name) {
  if (directory.empty() || is_absolute(name)) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

// Brings the names in the directory of a file to stable storage. Returns 0 or an errno value.
int sync_names(const std::string& name) {
  const std::string directory(dir_name(name));
  const UniqueFd fd(
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return errno;
  while (::fsync(fd.get()) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

// Names a file that has none. (To do it by the descriptor alone takes a privilege.) Returns 0 or an
// errno value.
int link_unnamed(int fd, int directory, const std::string& name) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, path.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0
                                                                                           : errno;
}

// Gives a file another name that must be free. Returns 0 or an errno value.
int rename_to_free(int directory, const std::string& from, const std::string& to) {
  if (::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::linkat(directory, from.c_str(), directory, to.c_str(), 0) != 0) return errno;
  ::unlinkat(directory, from.c_str(), 0);
  return 0;
}

std::string temporary_name(const std::string& name) {
  constexpr std::size_t kMost = 200;  // of 255 bytes
  return "." + name.substr(0, kMost) + ".new-" + hex8(random_number());
}

}  // namespace

PosixFileSystem::PosixFileSystem(PathPolicy policy)
    : policy_(std::move(policy)), pool_(policy_.max_open_files, policy_.resolver) {
  for (const std::string& root : policy_.roots) {
    UniqueFd fd(::open(root.c_str(), kLookFlags | O_DIRECTORY));
    if (!fd.ok()) throw_os_error(root, "cannot be used as an allowed directory", errno);
    roots_.push_back(&add_directory(std::move(fd), root));
  }
}

PosixFileSystem::~PosixFileSystem() = default;

const PosixDirectory& PosixFileSystem::add_directory(UniqueFd fd, std::string path) {
  const std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.empty() ? "." : path.c_str(), nullptr), &std::free);
  std::string real_path = real ? real.get() : normalize(join("/", path));
  directories_.push_back({std::move(fd), std::move(path), std::move(real_path)});
  return directories_.back();
}

// What `way` leads to, without opening it: opening alone can act on a device, and blocks at a FIFO.
// Returns 0 or an errno value.
int PosixFileSystem::look_at(const PosixWay& way, struct stat& seen) const {
  // A file in the directory itself that is no link needs no descriptor to be looked at.
  if (way.beneath && way.name.find('/') == std::string::npos) {
    if (::fstatat(way.directory->fd.get(), way.name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
      return errno;
    if (!S_ISLNK(seen.st_mode)) return 0;
  }
  const UniqueFd look(way.open(kLookFlags, policy_.resolver));
  if (!look.ok()) return -look.get();
  return ::fstat(look.get(), &seen) == 0 ? 0 : errno;
}

// Looks first, then opens, and makes sure that this opened what was looked at.
std::unique_ptr<File> PosixFileSystem::open_way(PosixWay way, std::string shown, FileUse use,
                                                bool trusted) {
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
  struct stat seen {};
  FileFacts facts;
  if (const int error = look_at(way, seen); error != 0) return fail(error);
  const bool device = S_ISBLK(seen.st_mode) && (trusted || policy_.any_path);
  if (!S_ISREG(seen.st_mode) && !device) {
    throw Error(trusted ? VMDK_ERR_NOT_VMDK : VMDK_ERR_PATH_DENIED,
                shown + ": is " + file_type(seen.st_mode) + ", not a regular file");
  }
  const int access = use == FileUse::write ? O_RDWR : O_RDONLY;
  UniqueFd fd(way.open(access | kOpenFlags, policy_.resolver));
  if (!fd.ok()) return fail(-fd.get());
  const bool locked = lock(fd.get(), seen, way, shown, use);
  if (const int error = get_facts(fd.get(), facts); error != 0) return fail(error);
  if (facts.device != seen.st_dev || facts.inode != seen.st_ino)
    throw Error(VMDK_ERR_PATH_DENIED, shown + ": was replaced while it was opened");
  if (device) {
    const off_t end = ::lseek(fd.get(), 0, SEEK_END);
    if (end < 0) return fail(errno);
    facts.size = static_cast<std::uint64_t>(end);
  }
  auto file = std::make_unique<PosixFile>(pool_, std::move(way), std::move(shown), std::move(fd),
                                          facts, use);
  if (locked) file->note_lock();
  return file;
}

// Returns whether the descriptor holds a lock now.
bool PosixFileSystem::lock(int fd, const struct stat& st, const PosixWay& way,
                           const std::string& shown, FileUse use) {
  if (use == FileUse::look || !policy_.locks) return false;
  if (use == FileUse::write) respect_vmware(way, shown);
  // A lock goes with its descriptor; files that take turns are guarded by that of the first.
  if (!pool_.has_room()) return false;
  if (pool_.is_locked(st.st_dev, st.st_ino)) return false;  // descriptors name the same file again
  if (lock_file(fd, shown, use)) return true;
  if (use != FileUse::write) return false;
  throw Error(VMDK_ERR_UNSUPPORTED, shown + ": its file system has no locks")
      .with_hint("if nobody else uses the disk, write with --no-lock (VMDK_OPEN_NO_LOCK)");
}

// VMware marks what it uses with a folder of the file's name and ".lck", in which each user has a
// file.
void PosixFileSystem::respect_vmware(const PosixWay& way, const std::string& shown) const {
  const PosixWay folder{way.directory, way.name + ".lck", way.beneath};
  const Listing dir =
      list_directory(UniqueFd(folder.open(O_RDONLY | O_DIRECTORY | kOpenFlags, policy_.resolver)));
  if (!dir) return;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(".lck")) continue;
    std::string what = shown;
    what.append(": is in use by VMware: there is the lock ").append(shown).append(".lck/");
    throw Error(VMDK_ERR_LOCKED, what.append(printable(name)))
        .with_hint(
            "close it there; if no VMware product has it open, the lock is left over and the "
            "folder can be removed");
  }
}

const PosixDirectory& PosixFileSystem::home_of(const std::string& name) {
  if (name.empty()) throw Error(VMDK_ERR_NOT_FOUND, "the name of the file is empty");
  const std::string directory(dir_name(name));
  for (const PosixDirectory& known : directories_)
    if (known.path == directory) return known;
  UniqueFd fd(::open(directory.empty() ? "." : directory.c_str(), kLookFlags | O_DIRECTORY));
  if (!fd.ok()) throw_os_error(name, "its directory cannot be opened", errno);
  return add_directory(std::move(fd), directory);
}

std::unique_ptr<File> PosixFileSystem::open(const std::string& name, FileUse use) {
  const PosixDirectory& home = home_of(name);
  roots_.push_back(&home);
  std::string last(base_name(name));
  if (last.empty()) last = ".";
  return open_way({&home, std::move(last), false}, name, use, true);
}

const PosixDirectory& PosixFileSystem::directory_of(const PosixFile& file) {
  const auto& way = file.way();
  const std::string sub(dir_name(way.name));
  if (sub.empty()) return *way.directory;
  const std::string path = join(way.directory->path, sub);
  for (const PosixDirectory& known : directories_)
    if (known.path == path) return known;
  UniqueFd fd(
      PosixWay{way.directory, sub, way.beneath}.open(kLookFlags | O_DIRECTORY, policy_.resolver));
  if (!fd.ok()) throw_os_error(file.name(), "its directory cannot be opened", -fd.get());
  return add_directory(std::move(fd), path);
}

std::unique_ptr<File> PosixFileSystem::open_named(const File& from, const std::string& name,
                                                  FileUse use) {
  check_name(from.name(), name);
  const PosixDirectory& home = directory_of(static_cast<const PosixFile&>(from));
  if (policy_.any_path) return open_way({&home, name, false}, join(home.path, name), use, false);
  if (is_absolute(name) || climbs(name)) return open_outside(from, home, name, use);
  return open_way({&home, name, true}, join(home.path, name), use, false);
}

// An absolute or climbing name is good if it ends below an allowed directory after all.
std::unique_ptr<File> PosixFileSystem::open_outside(const File& from, const PosixDirectory& home,
                                                    const std::string& name, FileUse use) {
  const std::string path = normalize(is_absolute(name) ? name : home.real_path + "/" + name);
  bool allowed = false;
  std::vector<const PosixDirectory*> roots = roots_;
  roots.push_back(&home);
  for (const PosixDirectory* root : roots) {
    for (const std::string& top :
         {root->real_path, is_absolute(root->path) ? normalize(root->path) : root->real_path}) {
      std::string rest = below(top, path);
      if (rest.empty()) continue;
      allowed = true;
      auto file = open_way({root, std::move(rest), true}, join(home.path, name), use, false);
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
  const PosixDirectory& home = directory_of(static_cast<const PosixFile&>(from));
  const Listing dir =
      list_directory(UniqueFd(::openat(home.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (names.size() == kMaxSiblings) break;
    names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// -- New files

// Has no name until it is published, where the host can make such files, else a temporary one.
class PosixFileSystem::New final : public NewFile {
 public:
  // `name` is in `home`; it replaces `replaced` if that is not null, whose file may be kept open.
  New(const PosixDirectory& home, std::string name, const std::string& shown,
      const struct stat* replaced, std::unique_ptr<File> replaced_file = nullptr)
      : home_(home),
        name_(std::move(name)),
        shown_(shown),
        replaced_file_(std::move(replaced_file)) {
    if (replaced != nullptr) replaced_ = *replaced;
  }

  void make(PosixFileSystem& files, bool unnamed) {
    UniqueFd fd;
    if (unnamed) fd = UniqueFd(::openat(home_.fd.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
    if (!fd.ok()) {
      std::string name = temporary_name(name_);
      fd = UniqueFd(::openat(home_.fd.get(), name.c_str(),
                             O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0666));
      if (!fd.ok()) throw_os_error(shown_, "cannot be created", errno);
      current_ = std::move(name);
    }
    FileFacts facts;
    if (const int error = get_facts(fd.get(), facts); error != 0)
      throw_os_error(shown_, "cannot be created", error);
    if (replaced_) take_over(fd.get(), *replaced_);
    if (files.policy_.locks) lock_file(fd.get(), shown_, FileUse::write);
    file_ = std::make_unique<PosixFile>(
        files.pool_, PosixWay{&home_, current_.empty() ? name_ : current_, false}, shown_,
        std::move(fd), facts, FileUse::write);
  }
  ~New() override {
    file_.reset();
    if (!current_.empty()) ::unlinkat(home_.fd.get(), current_.c_str(), 0);
  }

  File& file() noexcept override { return *file_; }

  void publish() override {
    const UniqueFd fd = file_->release();
    if (replaced_) return publish_over();
    const int error = current_.empty() ? link_unnamed(fd.get(), home_.fd.get(), name_)
                                       : rename_to_free(home_.fd.get(), current_, name_);
    if (error != 0) throw_os_error(shown_, "cannot be given its name", error);
    current_ = name_;
  }

  void keep() noexcept override { current_.clear(); }

  // In the place of the other file, for good.
  void publish_over() {
    if (::renameat(home_.fd.get(), current_.c_str(), home_.fd.get(), name_.c_str()) != 0)
      throw_os_error(shown_, "cannot be replaced", errno);
    keep();
  }

  std::unique_ptr<PosixFile> take() noexcept { return std::move(file_); }

 private:
  // The owner stays where we may give files away; the mode in any case.
  void take_over(int fd, const struct stat& old) const {
    if ((::fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM) ||
        ::fchmod(fd, old.st_mode & 07777) != 0)
      throw_os_error(shown_, "cannot be replaced", errno);
  }

  const PosixDirectory& home_;
  std::string name_, shown_;
  std::optional<struct stat> replaced_;
  std::unique_ptr<File> replaced_file_;
  std::string current_;  // the name to remove it by; "" = it has none
  std::unique_ptr<PosixFile> file_;
};

std::unique_ptr<NewFile> PosixFileSystem::create(const std::string& name, Existing existing) {
  const PosixDirectory& home = home_of(name);
  const std::string last(base_name(name));
  if (last.empty() || last == "." || last == "..")
    throw_os_error(name, "cannot be created", EISDIR);
  struct stat st {};
  const bool there = ::fstatat(home.fd.get(), last.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && existing == Existing::refuse)
    throw Error(VMDK_ERR_EXISTS, name + ": cannot be created: " + text_of_errno(EEXIST), EEXIST)
        .with_hint("existing files are never replaced unasked");
  if (there) return create_over(name);
  auto made = std::make_unique<New>(home, last, name, nullptr);
  made->make(*this, policy_.unnamed_files && ::access("/proc/self/fd", X_OK) == 0);
  return made;
}

// What a link leads to is replaced, not the link.
std::unique_ptr<NewFile> PosixFileSystem::create_over(const std::string& name) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(name.c_str(), nullptr),
                                                         &std::free);
  if (!real) throw_os_error(name, "cannot be replaced", errno);
  const PosixDirectory& home = home_of(real.get());
  std::string last(base_name(real.get()));
  struct stat st {};
  if (::fstatat(home.fd.get(), last.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    throw_os_error(name, "cannot be replaced", errno);
  if (!S_ISREG(st.st_mode))
    throw Error(VMDK_ERR_EXISTS, name + ": is " + file_type(st.st_mode) +
                                     ", not a regular file: it is not replaced");
  // Renaming would get around that it may not be written.
  if (::faccessat(home.fd.get(), last.c_str(), W_OK, AT_EACCESS) != 0)
    throw_os_error(name, "cannot be replaced", errno);
  // Nobody else may be using it, from here until it is replaced.
  auto replaced = open_way({&home, last, false}, name, FileUse::write, true);
  auto made = std::make_unique<New>(home, std::move(last), name, &st, std::move(replaced));
  made->make(*this, false);
  return made;
}

void PosixFileSystem::replace(std::unique_ptr<File>& file, Bytes content) {
  auto& old = static_cast<PosixFile&>(*file);
  // Where it really is: its name may be that of a link.
  const std::string real = old.real_path(), &path = real.empty() ? old.name() : real;
  const PosixDirectory& home = home_of(path);
  const std::string last(base_name(path));
  struct stat st {};
  const auto throw_gone = [&] {
    throw Error(VMDK_ERR_IO, old.name() + ": was removed or replaced while the disk was open");
  };
  if (::fstatat(home.fd.get(), last.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) throw_gone();
    throw_os_error(old.name(), "cannot be replaced", errno);
  }
  New fresh(home, last, path, &st);
  fresh.make(*this, false);
  fresh.file().write_at(0, content);
  fresh.file().sync();
  // Another process may have put a file of its own there.
  FileFacts facts;
  facts.device = st.st_dev;
  facts.inode = st.st_ino;
  if (facts.identity() != old.identity()) throw_gone();
  UniqueFd fd = fresh.take()->release();
  if (const int error = get_facts(fd.get(), facts); error != 0)
    throw_os_error(old.name(), "cannot be replaced", error);
  auto replaced = std::make_unique<PosixFile>(pool_, old.way(), old.name(), std::move(fd), facts,
                                              FileUse::write);
  if (policy_.locks) replaced->note_lock();
  const std::string name = old.name();
  fresh.publish_over();
  file = std::move(replaced);
  if (const int error = sync_names(path); error != 0)
    throw Error(VMDK_ERR_POISONED,
                name + ": bringing its new name to stable storage failed: " + text_of_errno(error),
                error);
}

void PosixFileSystem::sync_directory(const std::string& name) {
  if (const int error = sync_names(name); error != 0)
    throw_os_error(name, "bringing its directory to stable storage failed", error);
}

std::string PosixFileSystem::path_between(const std::string& from, const std::string& to) {
  const std::string home = home_of(from).real_path, there = home_of(to).real_path;
  const std::string last(base_name(to));
  const std::string path = there == "/" ? "/" + last : there + "/" + last;
  const std::string rest = home == there ? last : below(home, path);
  // The name may be that of a link, which is good as long as it stays inside.
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(to.c_str(), nullptr),
                                                         &std::free);
  if (!rest.empty() && (!real || !below(home, real.get()).empty())) return rest;
  return real ? real.get() : path;
}

}  // namespace vmdk
