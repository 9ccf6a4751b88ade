// SPDX-License-Identifier: MIT
// io/file_lock: which locks go together, byte by byte as QEMU has them.
#include "io/file_lock.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "../support/unit_check.h"
#include "../support/unit_tree.h"
#include "io/path_policy.h"

namespace {

using vmdk::FileUse;
using vmdk::UniqueFd;

UniqueFd open(const unit::Tree& tree) {
  return UniqueFd(::open(tree.at("disk").c_str(), O_RDWR | O_CLOEXEC));
}

vmdk_status try_lock(int fd, FileUse use) {
  return unit::outcome_of([&] { vmdk::lock_file(fd, "disk", use); }).status;
}

// A shared lock of one byte, as a QEMU holds it.
bool hold(int fd, int at) {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool is_held(int fd, int at) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void test_together() {
  const unit::Tree tree;
  tree.file("disk", "x");
  const struct {
    FileUse first, second;
    bool good;
  } cases[] = {
      {FileUse::read, FileUse::read, true},
      {FileUse::read, FileUse::write, false},
      {FileUse::write, FileUse::read, false},
      {FileUse::write, FileUse::write, false},
  };
  for (const auto& c : cases) {
    const UniqueFd second = open(tree);
    {
      const UniqueFd first = open(tree);
      CHECK_EQ(try_lock(first.get(), c.first), VMDK_OK);
      const auto result =
          unit::outcome_of([&] { vmdk::lock_file(second.get(), "disk", c.second); });
      CHECK_EQ(result.status, c.good ? VMDK_OK : VMDK_ERR_LOCKED);
      if (!c.good) {
        CHECK_HAS(result.message, "disk: is in use");
        CHECK(!result.hint.empty());
        // Nothing is kept of a lock that was refused.
        const UniqueFd third = open(tree);
        CHECK_EQ(try_lock(third.get(), c.first),
                 c.first == FileUse::read ? VMDK_OK : VMDK_ERR_LOCKED);
      }
    }
    CHECK_EQ(try_lock(second.get(), c.second), VMDK_OK);  // the first is closed
  }
}

void test_bytes() {
  const unit::Tree tree;
  tree.file("disk", "x");
  const UniqueFd other = open(tree);
  for (const bool write : {false, true}) {
    const UniqueFd ours = open(tree);
    CHECK_EQ(try_lock(ours.get(), write ? FileUse::write : FileUse::read), VMDK_OK);
    for (const int at : {100, 101, 102, 103, 200, 201, 202, 203}) {
      const unit::Row row(unit::show(at));
      const bool wanted =
          at == 100 || at == 201 || at == 203 || (write && (at == 101 || at == 103));
      CHECK_EQ(is_held(other.get(), at), wanted);
    }
  }
  // What of others keeps us away.
  for (const int at : {100, 101, 102, 103, 200, 201, 202, 203}) {
    const unit::Row row(unit::show(at));
    const UniqueFd theirs = open(tree);
    CHECK(hold(theirs.get(), at));
    const bool no_read = at == 101 || at == 103 || at == 200;
    CHECK_EQ(try_lock(open(tree).get(), FileUse::read), no_read ? VMDK_ERR_LOCKED : VMDK_OK);
    CHECK_EQ(try_lock(open(tree).get(), FileUse::write),
             no_read || at == 201 || at == 203 ? VMDK_ERR_LOCKED : VMDK_OK);
  }
}

void test_holder_is_named() {
  const unit::Tree tree;
  tree.file("disk", "x");
  int ends[2];
  CHECK_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(tree.at("disk").c_str(), O_RDWR);
    const char answer = fd >= 0 && hold(fd, 101) && hold(fd, 201) ? 'y' : 'n';
    if (::write(ends[1], &answer, 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  CHECK_EQ(::read(ends[0], &answer, 1), 1);
  CHECK_EQ(answer, 'y');
  const UniqueFd fd = open(tree);
  for (const FileUse use : {FileUse::read, FileUse::write}) {
    const auto result = unit::outcome_of([&] { vmdk::lock_file(fd.get(), "disk", use); });
    CHECK_EQ(result.status, VMDK_ERR_LOCKED);
    if (::access("/proc/self/fdinfo", R_OK) == 0)
      CHECK_HAS(result.message, "(process " + std::to_string(child) + ")");
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK_EQ(try_lock(fd.get(), FileUse::write), VMDK_OK);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_together),
      UNIT_TEST(test_bytes),
      UNIT_TEST(test_holder_is_named),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
