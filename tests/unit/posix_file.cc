// SPDX-License-Identifier: MIT
// io/posix_file_system: real files, under both path policies and both ways of resolving names, and
// with fewer descriptors than files.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <thread>

#include "../support/unit_check.h"
#include "../support/unit_files.h"
#include "../support/unit_tree.h"
#include "io/posix_file_system.h"

namespace {

using vmdk::File;
using vmdk::FileUse;
using vmdk::PathPolicy;
using vmdk::PosixFileSystem;
using vmdk::Resolver;

std::string content(const File& file) {
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

int count_descriptors() {
  int open = 0;
  for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) != -1 ? 1 : 0;
  return open;
}

void test_open_and_read() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "0123456789");
  tree.file("empty", "");
  tree.link("link", "disk.vmdk");
  tree.link("dangling", "missing");
  PosixFileSystem files({});
  const auto file = files.open(tree.at("disk.vmdk"), FileUse::read);
  CHECK_EQ(file->name(), tree.at("disk.vmdk"));
  CHECK_EQ(file->size(), 10u);
  CHECK_EQ(content(*file), "0123456789");
  const struct {
    std::uint64_t offset;
    std::size_t size;
    bool good;
  } reads[] = {
      {0, 0, true},
      {0, 1, true},
      {9, 1, true},
      {10, 0, true},
      {3, 7, true},
      {3, 8, false},
      {10, 1, false},
      {11, 0, false},
      {UINT64_MAX, 1, false},
      {UINT64_MAX - 3, 8, false},
      {std::uint64_t{1} << 63, 1, false},
  };
  for (const auto& r : reads) {
    const unit::Row row(unit::show(r.size) + " bytes at " + unit::show(r.offset));
    std::string text(r.size, '?');
    const auto result =
        unit::outcome_of([&] { file->read_at(r.offset, std::as_writable_bytes(std::span(text))); });
    CHECK_EQ(result.status, r.good ? VMDK_OK : VMDK_ERR_CORRUPT);
    if (r.good)
      CHECK_EQ(text, std::string("0123456789").substr(r.offset, r.size));
    else
      CHECK_EQ(text, std::string(r.size, '?'));
  }
  CHECK_EQ(files.open(tree.at("empty"), FileUse::read)->size(), 0u);

  // The caller may go through links; it is the same file then.
  const auto linked = files.open(tree.at("link"), FileUse::read);
  CHECK_EQ(content(*linked), "0123456789");
  CHECK(linked->identity() == file->identity());
  CHECK(files.open(tree.at("empty"), FileUse::read)->identity() != file->identity());

  CHECK_EQ(unit::outcome_of([&] { files.open("", FileUse::read); }).status, VMDK_ERR_NOT_FOUND);
  CHECK_EQ(unit::outcome_of([&] { files.open(tree.at("missing"), FileUse::read); }).status,
           VMDK_ERR_NOT_FOUND);
  CHECK_EQ(
      unit::outcome_of([&] { files.open(tree.at("missing/disk.vmdk"), FileUse::read); }).status,
      VMDK_ERR_NOT_FOUND);
  CHECK_EQ(unit::outcome_of([&] { files.open(tree.at("disk.vmdk/x"), FileUse::read); }).status,
           VMDK_ERR_NOT_FOUND);
  CHECK_EQ(unit::outcome_of([&] { files.open(tree.at("dangling"), FileUse::read); }).status,
           VMDK_ERR_NOT_FOUND);
  CHECK_EQ(unit::outcome_of([&] { files.open(tree.at("missing"), FileUse::read); }).os_error,
           ENOENT);
}

// What is no file is refused without being opened: opening a FIFO would wait for a writer.
void test_no_regular_file() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "x");
  tree.directory("dir");
  tree.fifo("fifo");
  tree.link("to-fifo", "fifo");
  tree.link("to-dir", "dir");
  tree.link("to-null", "/dev/null");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", tree.at("socket").c_str());
  CHECK_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);

  for (const bool any : {false, true}) {
    for (const Resolver resolver : {Resolver::automatic, Resolver::walk}) {
      PosixFileSystem files({any, {}, 128, resolver});
      const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
      const std::pair<const char*, const char*> odd[] = {
          {"dir", "a directory"},    {"fifo", "a FIFO"},     {"to-fifo", "a FIFO"},
          {"to-dir", "a directory"}, {"socket", "a socket"},
      };
      for (const auto& [name, what] : odd) {
        const unit::Row row(name);
        const auto named =
            unit::outcome_of([&, n = name] { files.open_named(*disk, n, FileUse::read); });
        CHECK_EQ(named.status, VMDK_ERR_PATH_DENIED);
        CHECK_HAS(named.message, what);
        const auto opened =
            unit::outcome_of([&, n = name] { files.open(tree.at(n), FileUse::read); });
        CHECK_EQ(opened.status, VMDK_ERR_NOT_VMDK);
        CHECK_HAS(opened.message, what);
      }
      CHECK_EQ(unit::outcome_of([&] { files.open_named(*disk, "to-null", FileUse::read); }).status,
               VMDK_ERR_PATH_DENIED);
      CHECK_EQ(unit::outcome_of([&] { files.open("/dev/null", FileUse::read); }).status,
               VMDK_ERR_NOT_VMDK);
    }
  }
}

struct Named {
  std::string name;
  const char* content;  // null: an error, or nothing where the status is VMDK_OK
  vmdk_status status = VMDK_OK;
};

void check_names(PosixFileSystem& files, const File& from, const std::vector<Named>& names) {
  for (const Named& c : names) {
    const unit::Row row(unit::show(c.name));
    std::unique_ptr<File> file;
    const auto result =
        unit::outcome_of([&] { file = files.open_named(from, c.name, FileUse::read); });
    CHECK_EQ(result.status, c.status);
    CHECK_EQ(file != nullptr, c.content != nullptr);
    if (file && c.content != nullptr) CHECK_EQ(content(*file), c.content);
    if (c.status == VMDK_ERR_PATH_DENIED)
      CHECK(!result.message.empty() && result.message.find('\n') == std::string::npos);
  }
}

void test_beneath(Resolver resolver) {
  const unit::Tree tree;
  tree.directory("top");
  tree.file("top/disk.vmdk", "disk");
  tree.file("top/data", "data");
  tree.file("top/sub/data", "sub data");
  tree.file("top/sub/deep/data", "deep data");
  tree.file("beside/data", "data beside");
  tree.file("beside/sub/data", "sub data beside");
  tree.file("far/data", "far");
  tree.link("top/to-sub", "sub");
  tree.link("top/to-data", "data");
  tree.link("top/to-beside", "../beside");
  tree.link("top/to-beside-data", "../beside/data");
  tree.link("top/to-far", tree.at("far"));
  tree.link("top/loop", "loop");

  constexpr auto kDenied = VMDK_ERR_PATH_DENIED;
  PathPolicy policy;
  policy.resolver = resolver;
  {
    PosixFileSystem files(policy);
    const auto disk = files.open(tree.at("top/disk.vmdk"), FileUse::read);
    check_names(files, *disk,
                {{"data", "data"},
                 {"./data", "data"},
                 {"sub/data", "sub data"},
                 {"sub/./deep//data", "deep data"},
                 {"to-data", "data"},
                 {"to-sub/data", "sub data"},
                 {"to-sub/deep/data", "deep data"},
                 {"missing", nullptr},
                 {"missing/data", nullptr},
                 {"data/x", nullptr},
                 {"", nullptr, kDenied},
                 {".", nullptr, kDenied},
                 {"data/", nullptr, kDenied},
                 {"da\nta", nullptr, kDenied},
                 {"loop", nullptr, kDenied},
                 {"sub", nullptr, kDenied},
                 {"to-beside/data", nullptr, kDenied},
                 {"to-beside-data", nullptr, kDenied},
                 {"to-far/data", nullptr, kDenied},
                 // Not as spelt but where it leads: inside after all.
                 {"sub/../data", "data"},
                 {"../top/data", "data"},
                 {"../top/sub/../data", "data"},
                 {"../top/missing", nullptr},
                 {tree.at("top/data"), "data"},
                 {tree.at("top/sub/../data"), "data"},
                 {tree.at("top/missing"), nullptr},
                 {tree.at("top/to-beside/data"), nullptr, kDenied},
                 {tree.at("beside/data"), nullptr, kDenied},
                 {tree.at("top/../beside/data"), nullptr, kDenied},
                 {tree.at("topsail/data"), nullptr, kDenied},
                 {"../beside/data", nullptr, kDenied},
                 {"../beside/missing", nullptr, kDenied},
                 {"sub/../../beside/data", nullptr, kDenied},
                 {"../../../../../../../../etc/passwd", nullptr, kDenied},
                 {"/etc/passwd", nullptr, kDenied},
                 {"/dev/zero", nullptr, kDenied},
                 {"/proc/self/environ", nullptr, kDenied}});

    // What lies in a directory below names what is below it, and what is below the first one.
    const auto sub = files.open_named(*disk, "sub/data", FileUse::read);
    if (CHECK(sub != nullptr)) {
      check_names(files, *sub,
                  {{"data", "sub data"},
                   {"deep/data", "deep data"},
                   {"../data", "data"},
                   {"../sub/data", "sub data"},
                   {tree.at("top/data"), "data"},
                   {"../../beside/data", nullptr, kDenied},
                   {"../to-beside/data", nullptr, kDenied}});
      CHECK_EQ(files.siblings(*sub), std::vector<std::string>({".", "..", "data", "deep"}));
    }
    const auto denied =
        unit::outcome_of([&] { files.open_named(*disk, "../beside/data", FileUse::read); });
    CHECK_HAS(denied.hint, tree.at("beside"));
    CHECK_HAS(denied.message, "../beside/data");
  }
  policy.roots = {tree.at("beside")};
  {
    PosixFileSystem files(policy);
    const auto disk = files.open(tree.at("top/disk.vmdk"), FileUse::read);
    check_names(files, *disk,
                {{"../beside/data", "data beside"},
                 {"../beside/sub/data", "sub data beside"},
                 {"../beside/missing", nullptr},
                 {tree.at("beside/data"), "data beside"},
                 {tree.at("far/data"), nullptr, kDenied},
                 {"../far/data", nullptr, kDenied},
                 {"../beside/../far/data", nullptr, kDenied},
                 {"to-beside/data", nullptr, kDenied},
                 {"data", "data"}});
    const auto beside = files.open_named(*disk, "../beside/sub/data", FileUse::read);
    if (CHECK(beside != nullptr))
      check_names(
          files, *beside,
          {{"data", "sub data beside"}, {"../data", "data beside"}, {"../../top/data", "data"}});
  }
  policy.roots = {tree.at("missing")};
  CHECK_EQ(unit::outcome_of([&] { PosixFileSystem files(policy); }).status != VMDK_OK, true);
  policy.roots = {};
  policy.any_path = true;
  {
    PosixFileSystem files(policy);
    const auto disk = files.open(tree.at("top/disk.vmdk"), FileUse::read);
    check_names(files, *disk,
                {{"data", "data"},
                 {"to-beside/data", "data beside"},
                 {"to-beside-data", "data beside"},
                 {"to-far/data", "far"},
                 {"../beside/data", "data beside"},
                 {tree.at("far/data"), "far"},
                 {"missing", nullptr},
                 {"../missing/data", nullptr},
                 {"data/", nullptr, kDenied},
                 {"loop", nullptr, kDenied}});
  }
}

void test_beneath_automatic() { test_beneath(Resolver::automatic); }
void test_beneath_walk() { test_beneath(Resolver::walk); }

// A file that was reached through "." or a link names its neighbours as any other does.
void test_neighbours(Resolver resolver) {
  const unit::Tree tree;
  tree.file("top/disk.vmdk", "disk");
  tree.file("top/base.vmdk", "base");
  tree.file("top/data", "data");
  tree.file("top/sub/x", "x");
  tree.link("top/here", ".");
  tree.link("top/sub/up", "..");
  PosixFileSystem files({false, {}, 128, resolver});
  const auto disk = files.open(tree.at("top/disk.vmdk"), FileUse::read);
  for (const char* name :
       {"base.vmdk", "./base.vmdk", "././base.vmdk", "here/base.vmdk", "sub/up/base.vmdk"}) {
    const unit::Row row(name);
    std::unique_ptr<File> base, data;
    CHECK_EQ(unit::outcome_of([&] { base = files.open_named(*disk, name, FileUse::read); }).message,
             "");
    if (!CHECK(base != nullptr)) continue;
    CHECK_EQ(
        unit::outcome_of([&] { data = files.open_named(*base, "data", FileUse::read); }).message,
        "");
    if (CHECK(data != nullptr)) CHECK_EQ(content(*data), "data");
    CHECK_EQ(unit::outcome_of([&] { CHECK(files.siblings(*base).size() >= 3); }).message, "");
  }
}

void test_neighbours_automatic() { test_neighbours(Resolver::automatic); }
void test_neighbours_walk() { test_neighbours(Resolver::walk); }

// The directory stays the one that was opened, whatever takes its name.
void test_directory_replaced() {
  const unit::Tree tree;
  tree.file("top/disk.vmdk", "disk");
  tree.file("top/data", "good");
  tree.file("other/data", "bad");
  for (const Resolver resolver : {Resolver::automatic, Resolver::walk}) {
    PosixFileSystem files({false, {}, 128, resolver});
    const auto disk = files.open(tree.at("top/disk.vmdk"), FileUse::read);
    tree.rename("top", "aside");
    tree.rename("other", "top");
    const auto data = files.open_named(*disk, "data", FileUse::read);
    if (CHECK(data != nullptr)) CHECK_EQ(content(*data), "good");
    tree.rename("top", "other");
    tree.rename("aside", "top");
  }
}

// Many more files than descriptors: all are read, in any order and by several threads, and at no
// time are more open than allowed.
void test_rotation(Resolver resolver) {
  constexpr std::size_t kFiles = 60, kMost = 8;
  const unit::Tree tree;
  tree.file("disk.vmdk", "disk");
  for (std::size_t i = 0; i < kFiles; ++i)
    tree.file("dir/part " + std::to_string(i), "content " + std::to_string(i));
  const int before = count_descriptors();
  {
    PosixFileSystem files({false, {}, kMost, resolver});
    const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
    std::vector<std::unique_ptr<File>> parts;
    for (std::size_t i = 0; i < kFiles; ++i)
      parts.push_back(files.open_named(*disk, "dir/part " + std::to_string(i), FileUse::read));
    constexpr int kDirectories = 2;
    CHECK(count_descriptors() - before <= static_cast<int>(kMost) + kDirectories);
    std::atomic<int> wrong{0};
    const auto reader = [&](std::uint64_t seed) {
      unit::Random random(seed);
      for (int n = 0; n < 2000; ++n) {
        const std::size_t i = random.below(kFiles);
        const std::string wanted = "content " + std::to_string(i);
        const std::size_t at = random.below(wanted.size() + 1);
        std::string text(random.below(wanted.size() - at + 1), '\0');
        const auto result = unit::outcome_of(
            [&] { parts[i]->read_at(at, std::as_writable_bytes(std::span(text))); });
        if (result.status != VMDK_OK || text != wanted.substr(at, text.size())) ++wrong;
      }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) threads.emplace_back(reader, t + 10);
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(wrong.load(), 0);
    CHECK(count_descriptors() - before <= static_cast<int>(kMost) + kDirectories);
    // Closing files in any order leaves the others in good order.
    for (std::size_t i = 0; i < kFiles; i += 2) parts[i].reset();
    for (std::size_t i = 1; i < kFiles; i += 2)
      CHECK_EQ(content(*parts[i]), "content " + std::to_string(i));
  }
  CHECK_EQ(count_descriptors(), before);
}

void test_rotation_automatic() { test_rotation(Resolver::automatic); }
void test_rotation_walk() { test_rotation(Resolver::walk); }

// A file that was replaced while its descriptor was closed is not taken for the one that was
// opened.
void test_replaced() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "disk");
  for (int i = 0; i < 12; ++i) tree.file("part" + std::to_string(i), "old " + std::to_string(i));
  PosixFileSystem files({false, {}, 4, Resolver::automatic});  // two stay open, two take turns
  const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
  std::vector<std::unique_ptr<File>> parts;
  for (int i = 0; i < 12; ++i)
    parts.push_back(files.open_named(*disk, "part" + std::to_string(i), FileUse::read));
  for (int i = 0; i < 12; ++i) {
    tree.file("new", "new " + std::to_string(i));
    if (i % 2 == 0)
      tree.rename("new", "part" + std::to_string(i));
    else
      tree.remove("part" + std::to_string(i));
  }
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    const unit::Row row(unit::show(i));
    std::string text;
    const auto result =
        unit::outcome_of([&] { text = content(*parts[static_cast<std::size_t>(i)]); });
    if (result.status == VMDK_OK) {
      CHECK_EQ(text, "old " + std::to_string(i));  // still open
      continue;
    }
    ++refused;
    CHECK_EQ(result.status, VMDK_ERR_IO);
    CHECK_HAS(result.message, "removed or replaced");
    CHECK_HAS(result.message, "part" + std::to_string(i));
  }
  CHECK(refused >= 8);
}

// A file that becomes shorter is an error, not zeros.
void test_shrunk() {
  const unit::Tree tree;
  tree.file("disk.vmdk", std::string(10000, 'x'));
  PosixFileSystem files({});
  const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
  CHECK_EQ(::truncate(tree.at("disk.vmdk").c_str(), 5000), 0);
  CHECK_EQ(disk->size(), 10000u);
  std::array<std::byte, 100> bytes;
  CHECK_EQ(unit::outcome_of([&] { disk->read_at(4900, bytes); }).status, VMDK_OK);
  const auto result = unit::outcome_of([&] { disk->read_at(4950, bytes); });
  CHECK_EQ(result.status, VMDK_ERR_CORRUPT);
  CHECK_HAS(result.message, "5000");
}

void test_identity() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "disk");
  tree.file("sub/data", "data");
  tree.file("sub/copy", "data");
  tree.link("to-data", "sub/data");
  CHECK_EQ(::link(tree.at("sub/data").c_str(), tree.at("hard").c_str()), 0);
  PosixFileSystem files({});
  const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
  const auto data = files.open_named(*disk, "sub/data", FileUse::read);
  for (const char* same : {"to-data", "hard", "./sub/../sub/data", "sub//data"}) {
    const unit::Row row(same);
    const auto other = files.open_named(*disk, same, FileUse::read);
    if (CHECK(other != nullptr)) CHECK(other->identity() == data->identity());
  }
  CHECK(files.open_named(*disk, "sub/copy", FileUse::read)->identity() != data->identity());
  CHECK(disk->identity() != data->identity());
}

void test_siblings() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "");
  tree.file("b", "");
  tree.file("A", "");
  tree.directory("dir");
  PosixFileSystem files({});
  const auto disk = files.open(tree.at("disk.vmdk"), FileUse::read);
  CHECK_EQ(files.siblings(*disk),
           std::vector<std::string>({".", "..", "A", "b", "dir", "disk.vmdk"}));
}

void test_stored_bytes() {
  const unit::Tree tree;
  tree.file("holes", "x");
  CHECK_EQ(::truncate(tree.at("holes").c_str(), 64 << 20), 0);
  PosixFileSystem files({});
  const auto file = files.open(tree.at("holes"), FileUse::read);
  CHECK_EQ(file->size(), std::uint64_t{64} << 20);
  CHECK(file->stored_bytes() < file->size());
}

// Relative names of the caller, and one in the current directory.
void test_relative() {
  const unit::Tree tree;
  tree.file("disk.vmdk", "disk");
  tree.file("data", "data");
  tree.file("sub/x.vmdk", "x");
  tree.file("sub/y", "y");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(tree.root());
  {
    PosixFileSystem files({});
    const auto disk = files.open("disk.vmdk", FileUse::read);
    CHECK_EQ(disk->name(), "disk.vmdk");
    check_names(
        files, *disk,
        {{"data", "data"}, {tree.at("data"), "data"}, {"../x", nullptr, VMDK_ERR_PATH_DENIED}});
    const auto data = files.open_named(*disk, "data", FileUse::read);
    CHECK_EQ(data->name(), "data");
    const auto x = files.open("sub/x.vmdk", FileUse::read);
    check_names(files, *x, {{"y", "y"}});
    CHECK_EQ(files.open_named(*x, "y", FileUse::read)->name(), "sub/y");
  }
  std::filesystem::current_path(before);
}

// -- Writing

vmdk::Bytes bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::size_t count_names(const unit::Tree& tree) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(tree.root()))
    ++count;
  return count;
}

PathPolicy new_files_policy(bool unnamed) {
  PathPolicy policy;
  policy.unnamed_files = unnamed;
  return policy;
}

// A new file has its name when it is published, and stays only if it is kept.
void test_new_files() {
  for (const bool unnamed : {true, false}) {
    const unit::Row row(unnamed ? "unnamed" : "named");
    const unit::Tree tree;
    tree.file("taken", "old");
    tree.link("dangling", "nowhere");
    PosixFileSystem files(new_files_policy(unnamed));
    const int before = count_descriptors();
    for (const char* const name : {"taken", "dangling"})
      CHECK_EQ(unit::outcome_of([&] {
                 files.create(tree.at(name), vmdk::FileSystem::Existing::refuse);
               }).status,
               VMDK_ERR_EXISTS);
    CHECK_EQ(unit::outcome_of([&] {
               files.create(tree.at("missing/a"), vmdk::FileSystem::Existing::refuse);
             }).status,
             VMDK_ERR_NOT_FOUND);
    {
      const auto fresh = files.create(tree.at("new"), vmdk::FileSystem::Existing::refuse);
      fresh->file().write_at(3, bytes("text"));
      fresh->file().sync();
      CHECK_EQ(fresh->file().size(), 7u);
      CHECK(!std::filesystem::exists(tree.at("new")));
      fresh->publish();
      CHECK(std::filesystem::exists(tree.at("new")));
      fresh->keep();
    }
    CHECK_EQ(content(*files.open(tree.at("new"), FileUse::read)), std::string("\0\0\0text", 7));
    { const auto dropped = files.create(tree.at("dropped"), vmdk::FileSystem::Existing::refuse); }
    {
      const auto fresh = files.create(tree.at("not-kept"), vmdk::FileSystem::Existing::refuse);
      fresh->publish();
    }
    {
      const auto fresh = files.create(tree.at("raced"), vmdk::FileSystem::Existing::refuse);
      tree.file("raced", "theirs");
      CHECK_EQ(unit::outcome_of([&] { fresh->publish(); }).status, VMDK_ERR_EXISTS);
    }
    CHECK_EQ(content(*files.open(tree.at("raced"), FileUse::read)), "theirs");
    CHECK_EQ(content(*files.open(tree.at("taken"), FileUse::read)), "old");
    CHECK_EQ(count_names(tree), 4u);
    files.sync_directory(tree.at("new"));
    CHECK(count_descriptors() < before + 10);
  }
}

// A new file in the place of another one: at once when it is published, with the mode of the old
// one.
void test_new_over_old() {
  const auto kReplace = vmdk::FileSystem::Existing::replace;
  for (const char* const name : {"disk", "link"}) {
    const unit::Row row(name);
    const unit::Tree tree;
    tree.file("disk", "old");
    tree.link("link", "disk");
    tree.directory("folder");
    CHECK_EQ(::chmod(tree.at("disk").c_str(), 0640), 0);
    PosixFileSystem files({});
    { const auto dropped = files.create(tree.at(name), kReplace); }
    CHECK_EQ(content(*files.open(tree.at("disk"), FileUse::look)), "old");
    {
      const auto fresh = files.create(tree.at(name), kReplace);
      fresh->file().write_at(0, bytes("new text"));
      CHECK_EQ(content(*files.open(tree.at("disk"), FileUse::look)), "old");
      // It is kept from others meanwhile.
      PosixFileSystem other({});
      CHECK_EQ(unit::outcome_of([&] { other.open(tree.at("disk"), FileUse::read); }).status,
               VMDK_ERR_LOCKED);
      fresh->publish();
    }
    CHECK_EQ(content(*files.open(tree.at("disk"), FileUse::look)), "new text");
    CHECK(std::filesystem::is_symlink(tree.at("link")));
    struct stat st {};
    CHECK_EQ(::stat(tree.at("disk").c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777u, 0640u);
    CHECK_EQ(unit::outcome_of([&] { files.create(tree.at("folder"), kReplace); }).status,
             VMDK_ERR_EXISTS);
    {
      PosixFileSystem other({});
      const auto user = other.open(tree.at("disk"), FileUse::read);
      CHECK_EQ(unit::outcome_of([&] { files.create(tree.at(name), kReplace); }).status,
               VMDK_ERR_LOCKED);
    }
    CHECK_EQ(count_names(tree), 3u);
    { files.create(tree.at("fresh"), kReplace)->publish(); }
    CHECK_EQ(count_names(tree), 3u);
  }
}

void test_copy_and_holes() {
  const unit::Tree tree;
  tree.file("from", std::string(3 * 4096, 'a') + "end");
  tree.file("to", "");
  PosixFileSystem files({});
  const auto from = files.open(tree.at("from"), FileUse::read);
  const auto to = files.open(tree.at("to"), FileUse::write);
  if (!to->copy_from(*from, 4096, 1 << 20, 2 * 4096 + 3)) return;  // as the host likes
  CHECK_EQ(to->size(), (1u << 20) + 2 * 4096 + 3);
  CHECK_EQ(content(*to).substr(1 << 20), std::string(2 * 4096, 'a') + "end");
  // Where the host tells of holes at all.
  if (const auto data = to->next_data(0); data != 0) {
    CHECK_EQ(data, 1u << 20);
    CHECK_EQ(to->next_hole(data), to->size());
  }
  CHECK_EQ(unit::outcome_of([&] { to->copy_from(*from, 4096, 0, 3 * 4096); }).status,
           VMDK_ERR_CORRUPT);
  CHECK(!from->copy_from(*to, 0, 0, 1));  // opened to read
}

void test_replace() {
  for (const char* const name : {"disk.vmdk", "link", "sub/up"}) {
    const unit::Row row(name);
    const unit::Tree tree;
    tree.file("disk.vmdk", "old text");
    tree.link("link", "disk.vmdk");
    tree.directory("sub");
    tree.link("sub/up", "../link");
    CHECK_EQ(::chmod(tree.at("disk.vmdk").c_str(), 0604), 0);
    PosixFileSystem files({});
    auto file = files.open(tree.at(name), FileUse::write);
    const std::string before = file->identity();
    files.replace(file, bytes("new"));
    CHECK_EQ(content(*file), "new");
    CHECK(file->identity() != before);
    CHECK_EQ(file->name(), tree.at(name));
    CHECK(std::filesystem::is_symlink(tree.at("link")));
    CHECK(!std::filesystem::is_symlink(tree.at("disk.vmdk")));
    struct stat st {};
    CHECK_EQ(::stat(tree.at("disk.vmdk").c_str(), &st), 0);
    CHECK_EQ(st.st_mode & 07777u, 0604u);
    CHECK_EQ(count_names(tree), 3u);
    // It is written to and locked like the old one.
    file->write_at(0, bytes("N"));
    PosixFileSystem others({});
    CHECK_EQ(unit::outcome_of([&] { others.open(tree.at("link"), FileUse::read); }).status,
             VMDK_ERR_LOCKED);
    file.reset();
    CHECK_EQ(content(*others.open(tree.at("link"), FileUse::read)), "New");
  }
  const unit::Tree tree;
  tree.file("disk.vmdk", "old");
  PosixFileSystem files({});
  auto file = files.open(tree.at("disk.vmdk"), FileUse::write);
  tree.rename("disk.vmdk", "away");
  tree.file("disk.vmdk", "theirs");
  files.replace(file, bytes("ours"));  // where it is now
  tree.remove("away");
  CHECK_EQ(unit::outcome_of([&] { files.replace(file, bytes("x")); }).status, VMDK_ERR_IO);
  PosixFileSystem others({});
  CHECK_EQ(content(*others.open(tree.at("disk.vmdk"), FileUse::read)), "theirs");
  CHECK_EQ(count_names(tree), 1u);
}

void test_path_between() {
  const unit::Tree tree;
  tree.directory("a/b");
  tree.directory("c");
  tree.link("to-a", "a");
  PosixFileSystem files({});
  const struct {
    const char *from, *to;
    std::string path;
  } cases[] = {
      {"a/x", "a/y", "y"},
      {"a/x", "a/b/y", "b/y"},
      {"a/x", "to-a/y", "y"},
      {"to-a/x", "a/b/y", "b/y"},
      {"x", "c/y", "c/y"},
      {"a/x", "y", tree.at("y")},
      {"a/x", "c/y", tree.at("c/y")},
      {"c/x", "to-a/b/y", tree.at("a/b/y")},
  };
  for (const auto& c : cases) {
    const unit::Row row(std::string(c.from) + " to " + c.to);
    CHECK_EQ(files.path_between(tree.at(c.from), tree.at(c.to)), c.path);
  }
}

void test_holes_and_space() {
  const unit::Tree tree;
  tree.file("disk", std::string(1 << 20, 'x'));
  PosixFileSystem files({});
  {
    const auto file = files.open(tree.at("disk"), FileUse::write);
    std::string wanted(1 << 20, 'x');
    const std::uint64_t full = file->stored_bytes();
    CHECK(full >= 1u << 20);
    if (file->punch(4096, 512 << 10)) {
      wanted.replace(4096, 512 << 10, 512 << 10, '\0');
      CHECK(file->stored_bytes() <= full - (500 << 10));
      CHECK_EQ(file->next_data(4096), 4096u + (512 << 10));
    }
    if (file->clear(700 << 10, 100)) wanted.replace(700 << 10, 100, 100, '\0');
    if (file->punch((1 << 20) - 100, 100)) wanted.replace((1 << 20) - 100, 100, 100, '\0');
    CHECK_EQ(file->size(), 1u << 20);
    CHECK(content(*file) == wanted);
    if (file->reserve(4 << 20)) {
      CHECK_EQ(file->size(), 4u << 20);
      CHECK(file->stored_bytes() >= 4u << 20);
    }
    file->resize(10);
    CHECK_EQ(file->size(), 10u);
    CHECK_EQ(content(*file), std::string(10, 'x'));
    file->sync();
  }
  const auto file = files.open(tree.at("disk"), FileUse::read);
  CHECK_EQ(unit::outcome_of([&] { file->write_at(0, bytes("y")); }).status, VMDK_ERR_READ_ONLY);
  CHECK_EQ(unit::outcome_of([&] { file->resize(0); }).status, VMDK_ERR_READ_ONLY);
  CHECK(!file->punch(0, 10) && !file->clear(0, 10) && !file->reserve(100));
  file->sync();
  CHECK_EQ(content(*file), std::string(10, 'x'));
}

// Files that take turns with a few descriptors are written like any other.
void test_writing_in_turns() {
  const unit::Tree tree;
  constexpr int kFiles = 20;
  tree.file("disk.vmdk", "");
  for (int i = 0; i < kFiles; ++i) tree.file("f" + std::to_string(i), "");
  PathPolicy policy;
  policy.max_open_files = 8;
  std::array<std::string, kFiles> wanted;
  {
    PosixFileSystem files(policy);
    const auto disk = files.open(tree.at("disk.vmdk"), FileUse::write);
    std::vector<std::unique_ptr<File>> open;
    const int before = count_descriptors();
    for (int i = 0; i < kFiles; ++i)
      open.push_back(files.open_named(*disk, "f" + std::to_string(i), FileUse::write));
    unit::Random random(9);
    for (int round = 0; round < 500; ++round) {
      const std::uint64_t i = random.below(kFiles);
      const std::string text = "<" + std::to_string(round) + ">";
      open[i]->write_at(wanted[i].size(), bytes(text));
      wanted[i] += text;
      if (random.one_in(10)) open[i]->sync();
      if (random.one_in(10)) CHECK_EQ(content(*open[i]), wanted[i]);
      CHECK_EQ(open[i]->size(), wanted[i].size());
    }
    CHECK(count_descriptors() <= before + 8);
    for (const auto& file : open) file->sync();
  }
  PosixFileSystem files({});
  for (std::size_t i = 0; i < kFiles; ++i)
    CHECK_EQ(content(*files.open(tree.at("f" + std::to_string(i)), FileUse::read)), wanted[i]);
}

// One file system may open a file again that it holds a lock on, another may not.
void test_locks() {
  const unit::Tree tree;
  tree.file("disk", "x");
  PosixFileSystem files({}), others({});
  PathPolicy without;
  without.locks = false;
  PosixFileSystem careless(without);
  const auto file = files.open(tree.at("disk"), FileUse::write);
  const auto again = files.open(tree.at("disk"), FileUse::write);
  CHECK_EQ(unit::outcome_of([&] { others.open(tree.at("disk"), FileUse::read); }).status,
           VMDK_ERR_LOCKED);
  CHECK_EQ(content(*others.open(tree.at("disk"), FileUse::look)), "x");
  CHECK_EQ(content(*careless.open(tree.at("disk"), FileUse::write)), "x");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_open_and_read),
      UNIT_TEST(test_no_regular_file),
      UNIT_TEST(test_beneath_automatic),
      UNIT_TEST(test_beneath_walk),
      UNIT_TEST(test_neighbours_automatic),
      UNIT_TEST(test_neighbours_walk),
      UNIT_TEST(test_directory_replaced),
      UNIT_TEST(test_rotation_automatic),
      UNIT_TEST(test_rotation_walk),
      UNIT_TEST(test_replaced),
      UNIT_TEST(test_shrunk),
      UNIT_TEST(test_identity),
      UNIT_TEST(test_siblings),
      UNIT_TEST(test_stored_bytes),
      UNIT_TEST(test_relative),
      UNIT_TEST(test_new_files),
      UNIT_TEST(test_new_over_old),
      UNIT_TEST(test_copy_and_holes),
      UNIT_TEST(test_replace),
      UNIT_TEST(test_path_between),
      UNIT_TEST(test_holes_and_space),
      UNIT_TEST(test_writing_in_turns),
      UNIT_TEST(test_locks),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
