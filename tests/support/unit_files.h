// SPDX-License-Identifier: MIT
// Files without a file system, for the unit tests: in memory, made of a formula, and failing on
// demand; and numbers that look random and are the same each time.
#ifndef VMDK_TESTS_UNIT_FILES_H
#define VMDK_TESTS_UNIT_FILES_H

#include <vmdk/vmdk.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/file.h"
#include "util/bytes.h"
#include "util/error.h"
#include "util/reporter.h"

namespace unit {

// splitmix64.
class Random final {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15); }
  // Less than `end`, which is not 0.
  std::uint64_t below(std::uint64_t end) noexcept { return next() % end; }
  // Both ends included.
  std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept {
    return first + below(last - first + 1);
  }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

  static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

template <class T>
void store_le(vmdk::MutableBytes out, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[at + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
}

inline std::vector<std::byte> bytes_of_text(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline std::vector<std::byte> random_bytes(Random& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() & 0xff);
  return bytes;
}

// Bytes in memory. They may be changed between reads.
class MemoryFile final : public vmdk::File {
 public:
  explicit MemoryFile(std::vector<std::byte> data, std::string name = "memory.vmdk")
      : data_(std::move(data)), name_(std::move(name)) {}

  void read_at(std::uint64_t offset, vmdk::MutableBytes out) const override {
    vmdk::check_inside(*this, offset, out.size());
    reads_.fetch_add(1, std::memory_order_relaxed);
    if (!out.empty()) std::memcpy(out.data(), data_.data() + offset, out.size());
  }
  std::uint64_t size() const override { return data_.size(); }
  std::uint64_t stored_bytes() const override { return data_.size(); }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return name_; }

  std::vector<std::byte>& data() noexcept { return data_; }
  std::uint64_t reads() const noexcept { return reads_.load(std::memory_order_relaxed); }

 private:
  std::vector<std::byte> data_;
  std::string name_;
  mutable std::atomic<std::uint64_t> reads_{0};
};

// A file of any size; each byte is a function of the file's seed and where it stands.
class PatternFile final : public vmdk::File {
 public:
  PatternFile(std::uint64_t seed, std::uint64_t size)
      : seed_(seed), size_(size), name_("pattern-" + std::to_string(seed)) {}

  void read_at(std::uint64_t offset, vmdk::MutableBytes out) const override {
    vmdk::check_inside(*this, offset, out.size());
    reads_.fetch_add(1, std::memory_order_relaxed);
    each_word(offset, out.size(), [&](std::size_t i, const std::byte* word, std::size_t n) {
      std::memcpy(out.data() + i, word, n);
      return true;
    });
  }
  std::uint64_t size() const override { return size_; }
  std::uint64_t stored_bytes() const override { return size_; }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return name_; }

  bool holds(std::uint64_t offset, vmdk::Bytes bytes) const noexcept {
    return each_word(offset, bytes.size(),
                     [&](std::size_t i, const std::byte* word, std::size_t n) {
                       return std::memcmp(bytes.data() + i, word, n) == 0;
                     });
  }
  std::uint64_t reads() const noexcept { return reads_.load(std::memory_order_relaxed); }

 private:
  // Calls use(position, bytes, how many) for each piece of a word; stops where that gives false.
  template <class Use>
  bool each_word(std::uint64_t offset, std::size_t size, Use&& use) const noexcept {
    for (std::size_t i = 0; i < size;) {
      const std::uint64_t at = offset + i, within = at % 8;
      const std::uint64_t word = Random::mix(seed_ * 0x2545f4914f6cdd1d + at / 8 + 1);
      const std::size_t n = std::min<std::size_t>(8 - within, size - i);
      std::byte raw[8];
      std::memcpy(raw, &word, sizeof raw);
      if (!use(i, raw + within, n)) return false;
      i += n;
    }
    return true;
  }

  std::uint64_t seed_, size_;
  std::string name_;
  mutable std::atomic<std::uint64_t> reads_{0};
};

// Another file, some bytes of which cannot be read. What fails may be changed while it is read.
class ThrowingFile final : public vmdk::File {
 public:
  explicit ThrowingFile(const vmdk::File& whole) : whole_(whole) {}

  // Reads that touch the range fail with that errno value.
  void fail(std::uint64_t offset, std::uint64_t size, int os_error = EIO) {
    const std::lock_guard lock(mutex_);
    bad_.push_back({offset, size, os_error});
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    bad_.clear();
  }

  void read_at(std::uint64_t offset, vmdk::MutableBytes out) const override {
    {
      const std::lock_guard lock(mutex_);
      for (const Bad& bad : bad_)
        if (offset < bad.offset + bad.size && bad.offset < offset + out.size())
          vmdk::throw_os_error(name(), "reading failed", bad.os_error);
    }
    whole_.read_at(offset, out);
  }
  std::uint64_t size() const override { return whole_.size(); }
  std::uint64_t stored_bytes() const override { return whole_.stored_bytes(); }
  const std::string& name() const override { return whole_.name(); }
  std::string identity() const override { return whole_.identity(); }

 private:
  struct Bad {
    std::uint64_t offset, size;
    int os_error;
  };
  const vmdk::File& whole_;
  mutable std::mutex mutex_;
  std::vector<Bad> bad_;
};

// Keeps the messages of a Reporter.
class Messages final {
 public:
  Messages() : reporter_(&Messages::take, this) {}

  vmdk::Reporter& reporter() noexcept { return reporter_; }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  static void take(void* user, std::int32_t level, const char* message) {
    auto* const self = static_cast<Messages*>(user);
    (level == VMDK_LEVEL_WARNING ? self->warnings_ : self->notes_).emplace_back(message);
  }

  std::vector<std::string> warnings_, notes_;
  vmdk::Reporter reporter_;
};

}  // namespace unit

#endif
