// SPDX-License-Identifier: MIT
#include "io/tar_file.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "io/path_policy.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxHeaders = 65536;
constexpr std::uint64_t kMaxExtension = 1 << 20;  // of a long name or a pax header

// A field of a header: up to its length or a NUL.
std::string_view field(Bytes header, std::size_t at, std::size_t length) {
  const std::string_view text = as_text(header.subspan(at, length));
  return text.substr(0, text.find('\0'));
}

// Octal digits, or the binary form of GNU tar for what does not fit.
std::optional<std::uint64_t> number(Bytes header, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint64_t>(header[at + i]); };
  if (byte(0) == 0x80) {
    for (std::size_t i = 1; i < length; ++i) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | byte(i);
    }
    return value;
  }
  std::string_view digits = trim(field(header, at, length));
  if (digits.size() > 20) return std::nullopt;
  for (const char c : digits) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool checksum_fits(Bytes header) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i)
    sum += i >= 148 && i < 156 ? std::uint64_t{' '} : std::to_integer<std::uint64_t>(header[i]);
  return number(header, 148, 8) == sum;
}

// What extension headers say of the member that follows them.
struct Extension {
  std::string name;
  std::optional<std::uint64_t> size;
};

// Records of the form "LENGTH KEY=VALUE\n"; LENGTH counts all of it.
void read_pax(const std::string& tar, std::string_view text, Extension& extension) {
  while (!text.empty() && text.front() != '\0') {
    const std::size_t blank = text.find(' ');
    const auto length =
        blank == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(0, blank));
    if (!length || *length > text.size() || *length < blank + 3)
      throw_corrupt(tar, "an extended tar header is damaged");
    const std::string_view record = text.substr(blank + 1, *length - blank - 2);
    const std::size_t equals = record.find('=');
    const std::string_view key = record.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? "" : record.substr(equals + 1);
    if (key == "path") extension.name = value;
    if (key == "size") {
      extension.size = parse_decimal(value);
      if (!extension.size)
        throw_corrupt(tar, "an extended tar header has a size that is no number");
    }
    text.remove_prefix(*length);
  }
}

std::string member_name(Bytes header) {
  const std::string name(field(header, 0, 100));
  const bool ustar = as_text(header.subspan(257, 6)) == std::string_view("ustar\0", 6);
  const std::string_view prefix = ustar ? field(header, 345, 155) : std::string_view();
  return prefix.empty() ? name : std::string(prefix) + "/" + name;
}

std::string read_text(const File& tar, std::uint64_t offset, std::uint64_t size) {
  if (size > kMaxExtension)
    throw_corrupt(tar.name(), "an extended tar header is longer than 1 MiB");
  std::string text(size, '\0');
  tar.read_at(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

class SliceFile final : public File {
 public:
  SliceFile(const File& whole, const TarMember& member)
      : whole_(whole),
        begin_(member.offset),
        size_(member.size),
        name_(whole.name() + ":" + member.name) {}

  void read_at(std::uint64_t offset, MutableBytes out) const override {
    check_inside(*this, offset, out.size());
    whole_.read_at(begin_ + offset, out);
  }
  std::uint64_t size() const override { return size_; }
  std::uint64_t stored_bytes() const override { return size_; }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return whole_.identity() + "@" + std::to_string(begin_); }

 private:
  const File& whole_;
  std::uint64_t begin_, size_;
  std::string name_;
};

// Without "./" in front and the like, so that two spellings of a member compare equal.
std::string plain(const std::string& name) { return normalize("/" + name); }

}  // namespace

bool is_tar(Bytes beginning) noexcept {
  return beginning.size() >= kBlock && as_text(beginning.subspan(257, 5)) == "ustar" &&
         checksum_fits(beginning);
}

std::vector<TarMember> list_tar(const File& tar) {
  std::vector<TarMember> members;
  Extension extension;
  std::uint64_t at = 0;
  for (std::size_t headers = 0; in_bounds(at, kBlock, tar.size()); ++headers) {
    if (headers == kMaxHeaders)
      throw Error(VMDK_ERR_LIMIT, tar.name() + ": has more than 65536 members");
    std::array<std::byte, kBlock> header;
    tar.read_at(at, header);
    if (header[0] == std::byte{0}) break;  // the end is marked by blocks of zeros
    const auto said = number(header, 124, 12);
    if (!checksum_fits(header) || !said)
      throw_corrupt(tar.name(), "the tar header at offset " + std::to_string(at) + " is damaged");
    const char type = static_cast<char>(header[156]);
    const bool extended = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const std::uint64_t size = !extended && extension.size ? *extension.size : *said;
    const std::uint64_t content = at + kBlock;
    const bool regular = type == '0' || type == '\0' || type == '7';
    if (!in_bounds(content, size, tar.size())) {
      throw_corrupt(tar.name(), "the member at offset " + std::to_string(at) + " of " +
                                    std::to_string(size) +
                                    " bytes goes beyond the end of the file (" +
                                    std::to_string(tar.size()) + " bytes)");
    }
    if (type == 'L') extension.name = read_text(tar, content, size).c_str();  // up to its NUL
    if (type == 'x') read_pax(tar.name(), read_text(tar, content, size), extension);
    if (!extended) {
      std::string name = extension.name.empty() ? member_name(header) : extension.name;
      if (regular) members.push_back({std::move(name), content, size});
      extension = {};
    }
    at = content + round_up(size, kBlock);
  }
  return members;
}

TarFileSystem::TarFileSystem(std::unique_ptr<File> tar)
    : tar_(std::move(tar)), members_(list_tar(*tar_)) {
  for (const TarMember& member : members_) by_path_.emplace(plain(member.name), &member);
}

std::unique_ptr<File> TarFileSystem::open_member(const TarMember& member) const {
  return std::make_unique<SliceFile>(*tar_, member);
}

std::unique_ptr<File> TarFileSystem::open(const std::string& name, FileUse) {
  if (const auto at = by_path_.find(plain(name)); at != by_path_.end())
    return open_member(*at->second);
  const TarMember* found = nullptr;
  for (const TarMember& member : members_) {
    if (base_name(member.name) != name) continue;
    if (found != nullptr)
      throw Error(VMDK_ERR_NOT_FOUND,
                  tar_->name() + ": has more than one member called " + printable(name));
    found = &member;
  }
  if (found == nullptr)
    throw Error(VMDK_ERR_NOT_FOUND, tar_->name() + ": has no member called " + printable(name));
  return open_member(*found);
}

std::string TarFileSystem::directory_of(const File& from) const {
  return std::string(dir_name(plain(from.name().substr(tar_->name().size() + 1))));
}

std::unique_ptr<File> TarFileSystem::open_named(const File& from, const std::string& name,
                                                FileUse) {
  check_name(from.name(), name);
  const std::string wanted = normalize(is_absolute(name) ? name : directory_of(from) + "/" + name);
  const auto at = by_path_.find(wanted);
  return at == by_path_.end() ? nullptr : open_member(*at->second);
}

std::vector<std::string> TarFileSystem::siblings(const File& from) {
  std::vector<std::string> names;
  const std::string directory = directory_of(from);
  for (const TarMember& member : members_)
    if (dir_name(plain(member.name)) == directory) names.emplace_back(base_name(member.name));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace vmdk
