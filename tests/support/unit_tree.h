// SPDX-License-Identifier: MIT
// A directory of its own for a test that needs real files; it is removed afterwards.
#ifndef VMDK_TESTS_UNIT_TREE_H
#define VMDK_TESTS_UNIT_TREE_H

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace unit {

class Tree final {
 public:
  Tree() {
    std::string path = (std::filesystem::temp_directory_path() / "vmdk-unit.XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) fail("mkdtemp");
    // Without links, as the library will see it.
    root_ = std::filesystem::canonical(path).string();
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const std::string& root() const noexcept { return root_; }
  std::string at(const std::string& name) const { return root_ + "/" + name; }

  void directory(const std::string& name) const { std::filesystem::create_directories(at(name)); }
  void file(const std::string& name, std::string_view content) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream out(at(name), std::ios::binary);
    out << content;
    if (!out.flush()) fail("writing a file");
  }
  void link(const std::string& name, const std::string& target) const {
    if (::symlink(target.c_str(), at(name).c_str()) != 0) fail("symlink");
  }
  void fifo(const std::string& name) const {
    if (::mkfifo(at(name).c_str(), 0600) != 0) fail("mkfifo");
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(at(name)); }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(at(from), at(to));
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
  }

  std::string root_;
};

}  // namespace unit

#endif
