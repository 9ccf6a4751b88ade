// SPDX-License-Identifier: MIT
// io/callback_file: the caller's vmdk_io as files: what is required of it, new files, replacing,
// and paths from one to the other.
#include "io/callback_file.h"

#include <map>
#include <memory>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::CallbackFileSystem;
using vmdk::FileUse;

// Files in memory by name; an open one goes on after its name is gone.
struct Store {
  using Content = std::shared_ptr<std::string>;
  struct Handle {
    Content content;
    bool writable;
  };

  std::map<std::string, Content> files;
  int open_handles = 0, syncs = 0, punches = 0;
  int rename_error = 0, write_error = 0, sync_error = 0, punch_error = 0;

  static Store& of(void* user) { return *static_cast<Store*>(user); }
  static std::string& in(void* file) { return *static_cast<Handle*>(file)->content; }

  vmdk_io io() {
    vmdk_io io{};
    io.struct_size = sizeof io;
    io.user = this;
    io.open = [](void* user, const char* name, std::uint32_t flags, void** out) {
      Store& store = of(user);
      const bool there = store.files.contains(name);
      if ((flags & VMDK_FILE_CREATE) != 0 && there) return EEXIST;
      if ((flags & VMDK_FILE_CREATE) == 0 && !there) return ENOENT;
      if (!there) store.files[name] = std::make_shared<std::string>();
      *out = new Handle{store.files[name], (flags & VMDK_FILE_WRITE) != 0};
      ++store.open_handles;
      return 0;
    };
    io.close = [](void* user, void* file) {
      --of(user).open_handles;
      delete static_cast<Handle*>(file);
    };
    io.read_at = [](void*, void* file, std::uint64_t offset, void* buffer, std::size_t size) {
      if (offset + size > in(file).size()) return EIO;
      std::memcpy(buffer, in(file).data() + offset, size);
      return 0;
    };
    io.write_at = [](void* user, void* file, std::uint64_t offset, const void* buffer,
                     std::size_t size) {
      if (of(user).write_error != 0) return of(user).write_error;
      if (!static_cast<Handle*>(file)->writable) return EBADF;
      if (offset + size > in(file).size()) in(file).resize(offset + size);
      std::memcpy(in(file).data() + offset, buffer, size);
      return 0;
    };
    io.get_size = [](void*, void* file, std::uint64_t* out) {
      *out = in(file).size();
      return 0;
    };
    io.set_size = [](void*, void* file, std::uint64_t size) {
      in(file).resize(size);
      return 0;
    };
    io.sync = [](void* user, void*) {
      ++of(user).syncs;
      return of(user).sync_error;
    };
    io.remove = [](void* user, const char* name) {
      return of(user).files.erase(name) == 1 ? 0 : ENOENT;
    };
    io.rename = [](void* user, const char* from, const char* to, std::uint32_t flags) {
      Store& store = of(user);
      if (store.rename_error != 0) return store.rename_error;
      if (store.files.contains(to) && (flags & VMDK_FILE_REPLACE) == 0) return EEXIST;
      store.files[to] = store.files[from];
      store.files.erase(from);
      return 0;
    };
    io.punch = [](void* user, void* file, std::uint64_t offset, std::uint64_t size) {
      ++of(user).punches;
      if (of(user).punch_error != 0) return of(user).punch_error;
      std::memset(in(file).data() + offset, 0, size);
      return 0;
    };
    return io;
  }

  void put(const std::string& name, const std::string& text) {
    files[name] = std::make_shared<std::string>(text);
  }
  std::string get(const std::string& name) const {
    const auto at = files.find(name);
    return at == files.end() ? "(none)" : *at->second;
  }
};

vmdk::Bytes bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

void test_required() {
  Store store;
  const struct {
    void (*clear)(vmdk_io&);
    bool read, write;
  } cases[] = {
      {[](vmdk_io& io) { io.open = nullptr; }, false, false},
      {[](vmdk_io& io) { io.close = nullptr; }, false, false},
      {[](vmdk_io& io) { io.read_at = nullptr; }, false, false},
      {[](vmdk_io& io) { io.get_size = nullptr; }, false, false},
      {[](vmdk_io& io) { io.write_at = nullptr; }, true, false},
      {[](vmdk_io& io) { io.set_size = nullptr; }, true, false},
      {[](vmdk_io& io) { io.sync = nullptr; }, true, false},
      {[](vmdk_io& io) { io.remove = nullptr; }, true, true},
      {[](vmdk_io& io) { io.rename = nullptr; }, true, true},
      {[](vmdk_io& io) { io.punch = nullptr; }, true, true},
  };
  for (const auto& c : cases) {
    vmdk_io io = store.io();
    c.clear(io);
    for (const bool write : {false, true})
      CHECK_EQ(unit::outcome_of([&] {
                 CallbackFileSystem(io, false, write ? FileUse::write : FileUse::read);
               }).status,
               (write ? c.write : c.read) ? VMDK_OK : VMDK_ERR_INVALID_ARGUMENT);
  }
}

void test_write() {
  Store store;
  store.put("a", "0123456789");
  CallbackFileSystem files(store.io(), false, FileUse::write);
  const auto file = files.open("a", FileUse::write);
  file->write_at(8, bytes("abcd"));
  CHECK_EQ(file->size(), 12u);
  CHECK_EQ(store.get("a"), "01234567abcd");
  file->resize(4);
  CHECK_EQ(file->size(), 4u);
  CHECK(file->punch(1, 2));
  CHECK_EQ(store.get("a"), std::string("0\0\0003", 4));
  CHECK(!file->clear(0, 1));
  CHECK(!file->reserve(10));
  file->sync();
  file->sync();  // nothing was written since
  CHECK_EQ(store.syncs, 1);
  // What others wrote before us may not be durable either.
  files.open("a", FileUse::write)->sync();
  CHECK_EQ(store.syncs, 2);
  files.open("a", FileUse::read)->sync();
  CHECK_EQ(store.syncs, 2);
  store.punch_error = EOPNOTSUPP;
  CHECK(!file->punch(1, 2));
  store.punch_error = EIO;
  CHECK_EQ(unit::outcome_of([&] { file->punch(1, 2); }).status, VMDK_ERR_IO);
  store.write_error = ENOSPC;
  CHECK_EQ(unit::outcome_of([&] { file->write_at(0, bytes("x")); }).status, VMDK_ERR_NO_SPACE);
  CHECK_EQ(store.open_handles, 1);
}

void test_new_files() {
  for (const bool renames : {true, false}) {
    const unit::Row row(renames ? "with rename" : "without");
    Store store;
    vmdk_io io = store.io();
    if (!renames) io.rename = nullptr;
    store.put("taken", "old");
    CallbackFileSystem files(io, false, FileUse::write);
    CHECK_EQ(
        unit::outcome_of([&] { files.create("taken", vmdk::FileSystem::Existing::refuse); }).status,
        VMDK_ERR_EXISTS);
    CHECK_EQ(store.get("taken"), "old");
    {
      const auto fresh = files.create("new", vmdk::FileSystem::Existing::refuse);
      fresh->file().write_at(0, bytes("text"));
      CHECK_EQ(fresh->file().name(), "new");
      CHECK_EQ(store.get("new"), renames ? "(none)" : "text");
      fresh->publish();
      CHECK_EQ(store.get("new"), "text");
      CHECK_EQ(store.open_handles, 0);
      fresh->keep();
    }
    CHECK_EQ(store.get("new"), "text");
    files.create("dropped", vmdk::FileSystem::Existing::refuse);  // not even published
    {
      const auto fresh = files.create("not-kept", vmdk::FileSystem::Existing::refuse);
      fresh->publish();
    }
    CHECK_EQ(store.files.size(), 2u);
    if (renames) {
      // Somebody takes the name meanwhile.
      const auto fresh = files.create("raced", vmdk::FileSystem::Existing::refuse);
      store.put("raced", "theirs");
      CHECK_EQ(unit::outcome_of([&] { fresh->publish(); }).status, VMDK_ERR_EXISTS);
    }
    CHECK_EQ(store.get("raced"), renames ? "theirs" : "(none)");
    CHECK_EQ(store.files.size(), renames ? 3u : 2u);
    CHECK_EQ(store.open_handles, 0);
  }
  Store store;
  vmdk_io io = store.io();
  io.remove = nullptr;
  CallbackFileSystem files(io, false, FileUse::write);
  CHECK_EQ(unit::outcome_of([&] { files.create("x", vmdk::FileSystem::Existing::refuse); }).status,
           VMDK_ERR_INVALID_ARGUMENT);
}

void test_replace() {
  Store store;
  store.put("dir/a", "old text");
  CallbackFileSystem files(store.io(), false, FileUse::write);
  auto file = files.open("dir/a", FileUse::write);
  files.replace(file, bytes("new"));
  CHECK_EQ(store.get("dir/a"), "new");
  CHECK_EQ(file->size(), 3u);
  CHECK_EQ(file->name(), "dir/a");
  CHECK_EQ(store.open_handles, 1);
  CHECK_EQ(store.files.size(), 1u);
  file->write_at(0, bytes("N"));
  CHECK_EQ(store.get("dir/a"), "New");
  // What fails leaves the old one.
  for (int* const error : {&store.rename_error, &store.write_error, &store.sync_error}) {
    *error = EIO;
    CHECK_EQ(unit::outcome_of([&] { files.replace(file, bytes("third")); }).status, VMDK_ERR_IO);
    *error = 0;
    CHECK_EQ(store.get("dir/a"), "New");
    CHECK_EQ(file->size(), 3u);
    CHECK_EQ(store.files.size(), 1u);
    CHECK_EQ(store.open_handles, 1);
  }
  vmdk_io io = store.io();
  io.rename = nullptr;
  CallbackFileSystem others(io, false, FileUse::write);
  CHECK_EQ(unit::outcome_of([&] { others.replace(file, bytes("x")); }).status,
           VMDK_ERR_UNSUPPORTED);
}

void test_path_between() {
  Store store;
  CallbackFileSystem files(store.io(), false, FileUse::write);
  const struct {
    const char *from, *to, *path;
  } cases[] = {
      {"a", "b", "b"},         {"d/a", "d/b", "b"},       {"a", "d/b", "d/b"},
      {"d/a", "d/e/b", "e/b"}, {"/x/a", "/x/y/b", "y/b"}, {"/x/a", "/z/b", "/z/b"},
      {"d/a", "b", "/b"},      {"/x/a", "b", "/b"},
  };
  for (const auto& c : cases) {
    const unit::Row row(std::string(c.from) + " to " + c.to);
    CHECK_EQ(files.path_between(c.from, c.to), c.path);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_required), UNIT_TEST(test_write),        UNIT_TEST(test_new_files),
      UNIT_TEST(test_replace),  UNIT_TEST(test_path_between),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
