// SPDX-License-Identifier: MIT
// io/path_policy: where a name can lead. One table drives both ways of resolving names; what they
// reach and what they refuse must be the same.
#include "io/path_policy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "../support/unit_check.h"
#include "../support/unit_tree.h"

namespace {

using vmdk::Resolver;

constexpr int kRead = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr int kLook = O_PATH | O_CLOEXEC;

// "in" is the directory that names are kept beneath; "out" lies beside it.
void fill(const unit::Tree& tree) {
  tree.file("out/canary", "canary");
  tree.file("out/dir/canary", "canary");
  tree.file("in/plain", "plain");
  tree.file("in/with some  spaces", "x");
  tree.file("in/d\xc3\xa9j\xc3\xa0 \xe4\xb8\xad", "x");
  tree.file("in/latin \xe9", "x");
  tree.file("in/back\\slash", "x");
  tree.file("in/...", "x");
  tree.file("in/..hidden", "x");
  tree.file("in/dir/file", "x");
  tree.file("in/dir/deep/er/file", "x");
  tree.file("in/sub dir/a file", "x");
  tree.file("in/" + std::string(255, 'n'), "x");
  tree.fifo("in/fifo");

  tree.link("in/to-plain", "plain");
  tree.link("in/to-to-plain", "to-plain");
  tree.link("in/to-dot-plain", "././plain");
  tree.link("in/to-dir", "dir");
  tree.link("in/to-dir-slash", "dir/");
  tree.link("in/to-dot", ".");
  tree.link("in/to-dot-slash", "./");
  tree.link("in/to-file", "dir/file");
  tree.link("in/to-deep", "dir/deep");
  tree.link("in/to-fifo", "fifo");
  tree.link("in/to-spaces", "sub dir/a file");
  tree.link("in/to-plain-by-dir", "dir/../plain");
  tree.link("in/to-plain-by-link", "to-deep/../../plain");
  tree.link("in/dir/to-plain", "../plain");
  tree.link("in/dir/to-up", "..");
  tree.link("in/dir/deep/to-plain", "../../plain");
  tree.link("in/dir/deep/er/to-in", "../../..");
  tree.link("in/to-plain-slash", "plain/");
  tree.link("in/to-below-plain", "plain/x");
  tree.link("in/to-missing", "missing");
  tree.link("in/to-below-missing", "missing/x");
  tree.link("in/to-canary", "../out/canary");
  tree.link("in/to-to-canary", "to-canary");
  tree.link("in/to-out", "../out");
  tree.link("in/to-parent", "..");
  tree.link("in/to-in-by-parent", "../in");
  tree.link("in/to-plain-by-parent", "../in/plain");
  tree.link("in/dir/to-canary", "../../out/canary");
  tree.link("in/dir/to-canary-by-dir", "deep/../../../out/canary");
  tree.link("in/to-missing-outside", "../missing");
  tree.link("in/to-canary-absolute", tree.at("out/canary"));
  tree.link("in/to-plain-absolute", tree.at("in/plain"));
  tree.link("in/to-root", "/");
  tree.link("in/to-passwd", "/etc/passwd");
  tree.link("in/to-self-by-proc", "/proc/self/root");
  tree.link("in/loop", "loop");
  tree.link("in/loop-a", "loop-b");
  tree.link("in/loop-b", "loop-a");
  tree.link("in/loop-dir", "loop-dir/x");
  // The n-th of these goes through n links.
  tree.link("in/chain-1", "plain");
  for (int n = 2; n <= 45; ++n)
    tree.link("in/chain-" + std::to_string(n), "chain-" + std::to_string(n - 1));
}

struct Case {
  std::string name;
  std::string reached;  // below the tree; "" where an error is wanted
  int error = 0;
};

std::vector<Case> cases(const unit::Tree& tree) {
  return {
      {"plain", "in/plain"},
      {"./plain", "in/plain"},
      {"././/./plain", "in/plain"},
      {"with some  spaces", "in/with some  spaces"},
      {"d\xc3\xa9j\xc3\xa0 \xe4\xb8\xad", "in/d\xc3\xa9j\xc3\xa0 \xe4\xb8\xad"},
      {"latin \xe9", "in/latin \xe9"},
      {"back\\slash", "in/back\\slash"},
      {"...", "in/..."},
      {"..hidden", "in/..hidden"},
      {std::string(255, 'n'), "in/" + std::string(255, 'n')},
      {"dir/file", "in/dir/file"},
      {"dir//file", "in/dir/file"},
      {"dir/./file", "in/dir/file"},
      {"dir/deep/er/file", "in/dir/deep/er/file"},
      {"sub dir/a file", "in/sub dir/a file"},
      {"dir", "in/dir"},
      {"dir/deep", "in/dir/deep"},
      {"fifo", "in/fifo"},
      {".", "in"},
      {"./.", "in"},

      {"dir/../plain", "in/plain"},
      {"dir/deep/../../plain", "in/plain"},
      {"dir/../dir/../dir/file", "in/dir/file"},
      {"dir/deep/../file", "in/dir/file"},
      {"dir/..", "in"},
      {"dir/deep/..", "in/dir"},

      {"to-plain", "in/plain"},
      {"to-to-plain", "in/plain"},
      {"to-dot-plain", "in/plain"},
      {"to-dir", "in/dir"},
      {"to-dir/file", "in/dir/file"},
      {"to-dir-slash", "in/dir"},
      {"to-dir-slash/file", "in/dir/file"},
      {"to-dot", "in"},
      {"to-dot/plain", "in/plain"},
      {"to-dot/to-dot/dir/file", "in/dir/file"},
      {"to-dot-slash/plain", "in/plain"},
      {"to-file", "in/dir/file"},
      {"to-deep/er/file", "in/dir/deep/er/file"},
      {"to-deep/../file", "in/dir/file"},
      {"to-fifo", "in/fifo"},
      {"to-spaces", "in/sub dir/a file"},
      {"to-plain-by-dir", "in/plain"},
      {"to-plain-by-link", "in/plain"},
      {"dir/to-plain", "in/plain"},
      {"dir/to-up", "in"},
      {"dir/to-up/plain", "in/plain"},
      {"dir/to-up/dir/to-up/dir/file", "in/dir/file"},
      {"dir/deep/to-plain", "in/plain"},
      {"dir/deep/er/to-in/plain", "in/plain"},
      {"dir/deep/er/to-in/dir/deep/to-plain", "in/plain"},

      {"missing", "", ENOENT},
      {"", "", ENOENT},
      {"dir/missing", "", ENOENT},
      {"missing/file", "", ENOENT},
      {"missing/../plain", "", ENOENT},
      {"to-missing", "", ENOENT},
      {"to-below-missing", "", ENOENT},
      {"to-missing/../plain", "", ENOENT},
      {"plain/file", "", ENOTDIR},
      {"plain/../plain", "", ENOTDIR},
      {"plain/.", "", ENOTDIR},
      {"to-plain/file", "", ENOTDIR},
      {"to-below-plain", "", ENOTDIR},
      {"to-plain-slash", "", ENOTDIR},
      {"fifo/file", "", ENOTDIR},
      {std::string(256, 'n'), "", ENAMETOOLONG},
      {"dir/" + std::string(300, 'n'), "", ENAMETOOLONG},

      {"..", "", EXDEV},
      {"../in/plain", "", EXDEV},
      {"../out/canary", "", EXDEV},
      {"dir/../../out/canary", "", EXDEV},
      {"dir/../../in/plain", "", EXDEV},
      {"dir/deep/../../../out/canary", "", EXDEV},
      {"./../out/canary", "", EXDEV},
      {"to-dir/../../out/canary", "", EXDEV},
      {"to-deep/../../../out/canary", "", EXDEV},
      {"dir/to-up/../out/canary", "", EXDEV},
      {"/", "", EXDEV},
      {"/etc/passwd", "", EXDEV},
      {tree.at("in/plain"), "", EXDEV},
      {tree.at("out/canary"), "", EXDEV},
      {"to-canary", "", EXDEV},
      {"to-to-canary", "", EXDEV},
      {"to-out", "", EXDEV},
      {"to-out/canary", "", EXDEV},
      {"to-out/../in/plain", "", EXDEV},
      {"to-out/missing", "", EXDEV},
      {"to-parent", "", EXDEV},
      {"to-parent/out/canary", "", EXDEV},
      {"to-in-by-parent/plain", "", EXDEV},
      {"to-plain-by-parent", "", EXDEV},
      {"dir/to-canary", "", EXDEV},
      {"dir/to-canary-by-dir", "", EXDEV},
      {"to-missing-outside", "", EXDEV},
      {"to-canary-absolute", "", EXDEV},
      {"to-plain-absolute", "", EXDEV},
      {"to-root", "", EXDEV},
      {"to-root/etc/passwd", "", EXDEV},
      {"to-passwd", "", EXDEV},
      {"to-self-by-proc", "", EXDEV},
      {"to-self-by-proc/etc/passwd", "", EXDEV},

      {"loop", "", ELOOP},
      {"loop-a", "", ELOOP},
      {"loop-a/file", "", ELOOP},
      {"loop-dir", "", ELOOP},
      {"chain-1", "in/plain"},
      {"chain-39", "in/plain"},
      {"chain-40", "in/plain"},
      {"chain-41", "", ELOOP},
      {"chain-45", "", ELOOP},
      {"to-dot/chain-39", "in/plain"},
      {"to-dot/chain-40", "", ELOOP},
      {"chain-1/file", "", ENOTDIR},
  };
}

struct stat stat_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) CHECK_EQ(path, "a file that is there");
  return st;
}

void check_case(const unit::Tree& tree, const Case& c, int dir, Resolver resolver, int flags) {
  const unit::Row row(unit::show(c.name) +
                      (resolver == Resolver::walk ? " by walk" : " by automatic") +
                      (flags == kLook ? ", looking" : ", reading"));
  const int result = vmdk::open_beneath(dir, c.name, flags, resolver);
  const vmdk::UniqueFd fd(result);
  if (c.reached.empty()) {
    CHECK_EQ(result, -c.error);
    return;
  }
  if (!CHECK_EQ(std::min(result, 0), 0)) return;  // an error
  struct stat st {};
  const struct stat wanted = stat_of(tree.at(c.reached));
  CHECK_EQ(::fstat(fd.get(), &st), 0);
  CHECK_EQ(st.st_ino, wanted.st_ino);
  CHECK_EQ(st.st_dev, wanted.st_dev);
  CHECK_EQ(st.st_mode & S_IFMT, wanted.st_mode & S_IFMT);
}

void test_table(Resolver resolver) {
  const unit::Tree tree;
  fill(tree);
  const vmdk::UniqueFd dir(::open(tree.at("in").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!CHECK(dir.ok())) return;
  const auto all = cases(tree);
  CHECK(all.size() >= 40);
  for (const Case& c : all)
    for (const int flags : {kLook, kRead}) check_case(tree, c, dir.get(), resolver, flags);
}

void test_table_automatic() { test_table(Resolver::automatic); }
void test_table_walk() { test_table(Resolver::walk); }

int count_descriptors() {
  int open = 0;
  for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  return open;
}

// Neither way leaves a descriptor behind, whatever the end.
void test_no_leaks() {
  const unit::Tree tree;
  fill(tree);
  const vmdk::UniqueFd dir(::open(tree.at("in").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const int before = count_descriptors();
  for (const Case& c : cases(tree))
    for (const Resolver resolver : {Resolver::automatic, Resolver::walk})
      vmdk::UniqueFd(vmdk::open_beneath(dir.get(), c.name, kRead, resolver));
  CHECK_EQ(count_descriptors(), before);
}

void test_unique_fd() {
  vmdk::UniqueFd none;
  CHECK(!none.ok());
  CHECK_EQ(none.get(), -1);
  CHECK(!vmdk::UniqueFd(-ENOENT).ok());
  vmdk::UniqueFd a(::open("/dev/null", kRead));
  const int number = a.get();
  CHECK(a.ok());
  vmdk::UniqueFd b(std::move(a));
  CHECK_EQ(b.get(), number);
  none = std::move(b);
  CHECK_EQ(none.get(), number);
  CHECK(::fcntl(number, F_GETFD) != -1);
  vmdk::UniqueFd other(::open("/dev/null", kRead));
  const int second = other.get();
  other = std::move(none);  // closes the second
  CHECK_EQ(::fcntl(second, F_GETFD), -1);
  CHECK_EQ(other.release(), number);
  CHECK(!other.ok());
  CHECK(::fcntl(number, F_GETFD) != -1);
  ::close(number);
}

// While other threads put links and directories in each other's place, the file outside is never
// reached: by the resolver that was asked for, for about a second.
void race(Resolver resolver) {
  const unit::Tree tree;
  tree.file("out/canary", "canary");
  tree.file("out/dir/canary", "canary");
  tree.file("in/swap-dir/canary", "good");
  tree.link("in/swap-dir.link", "../out");
  tree.file("in/swap-file", "good");
  tree.link("in/swap-file.link", "../out/canary");
  tree.file("in/moving/deep/good", "good");
  tree.link("in/moving/deep/up", "../../canary");  // once moved, this is out/canary
  tree.link("in/up", "moving/deep/up");
  tree.directory("in/stays");
  tree.link("in/stays/canary", "../swap-dir/canary");

  std::atomic<bool> stop{false};
  const auto swapping = [&](const std::function<void()>& swap) {
    return std::thread([&stop, swap] {
      try {
        while (!stop.load()) swap();
      } catch (const std::exception& error) {
        unit::Log::get().add(__FILE__, __LINE__, error.what());
      }
    });
  };
  std::thread dirs = swapping([&] {
    tree.rename("in/swap-dir", "in/swap-dir.good");
    tree.rename("in/swap-dir.link", "in/swap-dir");
    tree.rename("in/swap-dir", "in/swap-dir.link");
    tree.rename("in/swap-dir.good", "in/swap-dir");
  });
  std::thread files = swapping([&] {
    tree.link("in/swap-file.new", "../out/canary");
    tree.rename("in/swap-file.new", "in/swap-file");
    tree.file("in/swap-file.new", "good");
    tree.rename("in/swap-file.new", "in/swap-file");
  });
  std::thread moves = swapping([&] {
    tree.rename("in/moving", "out/moving");
    tree.rename("out/moving", "in/moving");
  });

  const vmdk::UniqueFd dir(::open(tree.at("in").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const struct stat canaries[] = {stat_of(tree.at("out/canary")),
                                  stat_of(tree.at("out/dir/canary"))};
  const std::string names[] = {"swap-dir/canary", "swap-file",       "moving/deep/up", "up",
                               "stays/canary",    "moving/deep/good"};
  std::uint64_t opened = 0, refused = 0, escaped = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::steady_clock::now() - begin; };
  using std::chrono::seconds;
  while (since() < seconds(1) || ((opened == 0 || refused == 0) && since() < seconds(20))) {
    for (const std::string& name : names) {
      for (const int flags : {kRead, kLook}) {
        const vmdk::UniqueFd fd(vmdk::open_beneath(dir.get(), name, flags, resolver));
        if (!fd.ok()) {
          ++refused;
          continue;
        }
        struct stat st {};
        ::fstat(fd.get(), &st);
        ++opened;
        for (const struct stat& canary : canaries)
          if (st.st_ino == canary.st_ino && st.st_dev == canary.st_dev) ++escaped;
      }
    }
  }
  stop = true;
  dirs.join();
  files.join();
  moves.join();
  CHECK_EQ(escaped, 0u);
  CHECK(opened > 0);
  CHECK(refused > 0);
}

void test_race_automatic() { race(Resolver::automatic); }
void test_race_walk() { race(Resolver::walk); }

void test_check_name() {
  const struct {
    std::string name;
    const char* why;  // null: the name is good
  } names[] = {
      {"a", nullptr},
      {"disk.vmdk", nullptr},
      {"dir/disk 1.vmdk", nullptr},
      {"../up", nullptr},  // judged where it leads
      {"/absolute", nullptr},
      {"a/../b", nullptr},
      {"...a", nullptr},
      {"d\xc3\xa9j\xc3\xa0", nullptr},
      {"latin \xe9", nullptr},
      {"quote\"quote'", nullptr},
      {std::string(255, 'n'), nullptr},
      {std::string(255, 'n') + "/" + std::string(255, 'm'), nullptr},
      {std::string(2047, '/') + "a", nullptr},
      {"", "is no name"},
      {".", "is no name"},
      {"..", "is no name"},
      {"...", "is no name"},
      {"/", "is no name"},
      {"//", "is no name"},
      {"./..", "is no name"},
      {"../../", "is no name"},
      {"a/", "ends in a slash"},
      {"a//", "ends in a slash"},
      {"../a/", "ends in a slash"},
      {std::string("a\0b", 3), "control character"},
      {"a\nb", "control character"},
      {"\x01", "control character"},
      {"a\x1f", "control character"},
      {"a\x7f", "control character"},
      {"a\t", "control character"},
      {std::string(256, 'n'), "255 bytes"},
      {"a/" + std::string(256, 'n') + "/b", "255 bytes"},
      {std::string(4094, '/') + "a", nullptr},
      {std::string(4095, '/') + "a", "4095 bytes"},
      {std::string(100000, 'n'), "4095 bytes"},
  };
  for (const auto& c : names) {
    const unit::Row row(unit::show(c.name));
    const auto result = unit::outcome_of([&] { vmdk::check_name("from.vmdk", c.name); });
    CHECK_EQ(result.status, c.why == nullptr ? VMDK_OK : VMDK_ERR_PATH_DENIED);
    if (c.why == nullptr) continue;
    CHECK_HAS(result.message, c.why);
    CHECK(result.message.starts_with("from.vmdk: "));
    CHECK(result.message.size() < 600);
    CHECK(result.message.find('\n') == std::string::npos);
  }
}

void test_absolute_and_climbs() {
  const struct {
    const char* name;
    bool absolute, climbs;
  } names[] = {
      {"", false, false},     {"a", false, false},       {"/", true, false},
      {"/a", true, false},    {"./a", false, false},     {"..", false, true},
      {"../a", false, true},  {"a/..", false, true},     {"a/../b", false, true},
      {"/..", true, true},    {"...", false, false},     {"..a", false, false},
      {"a..", false, false},  {"a/..b/c", false, false}, {"a/b../c", false, false},
      {"a//..", false, true}, {"..\\a", false, false},   {"a/.. /b", false, false},
      {"../", false, true},
  };
  for (const auto& c : names) {
    const unit::Row row(c.name);
    CHECK_EQ(vmdk::is_absolute(c.name), c.absolute);
    CHECK_EQ(vmdk::climbs(c.name), c.climbs);
  }
}

void test_normalize() {
  const std::pair<const char*, const char*> paths[] = {
      {"/", "/"},
      {"//", "/"},
      {"/.", "/"},
      {"/..", "/"},
      {"/../..", "/"},
      {"/a", "/a"},
      {"/a/", "/a"},
      {"//a///b//", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/a/b/../../c", "/c"},
      {"/a/../../b", "/b"},
      {"/a/b/..", "/a"},
      {"/a/..", "/"},
      {"/.../..a/b..", "/.../..a/b.."},
      {"/a/. /b", "/a/. /b"},
      {"/a/../b/./c", "/b/c"},
  };
  for (const auto& [path, wanted] : paths) {
    const unit::Row row(path);
    CHECK_EQ(vmdk::normalize(path), wanted);
    CHECK_EQ(vmdk::normalize(wanted), wanted);
  }
}

void test_below() {
  const struct {
    const char *root, *path, *rest;
  } paths[] = {
      {"/", "/a", "a"},        {"/", "/a/b", "a/b"},    {"/", "/", ""},         {"/a", "/a", ""},
      {"/a", "/a/b", "b"},     {"/a", "/a/b/c", "b/c"}, {"/a", "/ab", ""},      {"/a", "/ab/c", ""},
      {"/a/b", "/a/b/c", "c"}, {"/a/b", "/a", ""},      {"/a/b", "/a/c/b", ""}, {"/a", "/b/a", ""},
      {"/a/b", "/a/bc", ""},
  };
  for (const auto& c : paths) {
    const unit::Row row(std::string(c.root) + " " + c.path);
    CHECK_EQ(vmdk::below(c.root, c.path), c.rest);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_table_automatic), UNIT_TEST(test_table_walk),
      UNIT_TEST(test_no_leaks),        UNIT_TEST(test_unique_fd),
      UNIT_TEST(test_check_name),      UNIT_TEST(test_absolute_and_climbs),
      UNIT_TEST(test_normalize),       UNIT_TEST(test_below),
      UNIT_TEST(test_race_automatic),  UNIT_TEST(test_race_walk),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
