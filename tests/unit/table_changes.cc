// SPDX-License-Identifier: MIT
// extent/table_changes: changes are seen at once, and reach the file when they are written, twins
// first.
#include "extent/table_changes.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::kSectorSize;
using vmdk::TableChanges;

// Bytes in memory that remember what was written, and fail when told to.
class WrittenFile final : public vmdk::File {
 public:
  explicit WrittenFile(std::uint64_t size) : data_(size) {
    for (std::size_t i = 0; i < data_.size(); ++i)
      data_[i] = static_cast<std::byte>(i * 7 + i / 512);
  }

  void read_at(std::uint64_t offset, vmdk::MutableBytes out) const override {
    vmdk::check_inside(*this, offset, out.size());
    if (!out.empty()) std::memcpy(out.data(), data_.data() + offset, out.size());
  }
  void write_at(std::uint64_t offset, vmdk::Bytes in) override {
    if (fail_at != 0 && ++count_ == fail_at) vmdk::throw_os_error(name_, "writing failed", ENOSPC);
    if (offset + in.size() > data_.size()) data_.resize(offset + in.size());
    std::memcpy(data_.data() + offset, in.data(), in.size());
    written.push_back({offset, in.size()});
  }
  std::uint64_t size() const override { return data_.size(); }
  std::uint64_t stored_bytes() const override { return data_.size(); }
  const std::string& name() const override { return name_; }
  std::string identity() const override { return name_; }

  std::uint32_t at(std::uint64_t offset) const {
    return vmdk::load_le<std::uint32_t>(vmdk::Bytes(data_), offset);
  }

  std::vector<std::pair<std::uint64_t, std::uint64_t>> written;  // offset, size
  int fail_at = 0;

 private:
  std::vector<std::byte> data_;
  std::string name_ = "tables.vmdk";
  int count_ = 0;
};

struct Fixture {
  explicit Fixture(std::uint64_t size) : file(size) {}

  std::uint32_t seen(std::uint64_t offset) {
    std::byte bytes[4];
    cache.read(changes, number, offset, bytes);
    const auto cached = vmdk::load_le<std::uint32_t>(vmdk::Bytes(bytes), 0);
    changes.read_at(offset, bytes);
    CHECK_EQ(vmdk::load_le<std::uint32_t>(vmdk::Bytes(bytes), 0), cached);
    return cached;
  }

  WrittenFile file;
  vmdk::TableCache cache{0};
  std::uint32_t number = cache.add_file();
  TableChanges changes{file, cache, number};
};

void test_seen_before_written() {
  Fixture f(64 * kSectorSize);
  const std::uint32_t before = f.file.at(5 * kSectorSize + 8);
  CHECK_EQ(f.seen(5 * kSectorSize + 8), before);  // in the cache now
  CHECK(f.changes.empty());
  f.changes.touch(5, 0, false);
  CHECK(!f.changes.empty());
  CHECK_EQ(f.seen(5 * kSectorSize + 8), before);
  f.changes.set(5 * kSectorSize + 8, 4711);
  CHECK_EQ(f.seen(5 * kSectorSize + 8), 4711u);
  CHECK_EQ(f.file.at(5 * kSectorSize + 8), before);
  CHECK(f.file.written.empty());
  CHECK_EQ(f.cache.changes(), 1u);

  // Whatever piece is read, it has the change in it and nothing else.
  for (const std::uint64_t begin :
       {4 * kSectorSize, 5 * kSectorSize, 5 * kSectorSize + 8, 5 * kSectorSize + 10})
    for (const std::uint64_t size : {std::uint64_t{2}, std::uint64_t{512}, std::uint64_t{1500}}) {
      std::vector<std::byte> got(size), wanted(size);
      f.changes.read_at(begin, got);
      f.file.read_at(begin, wanted);
      std::byte entry[4];
      unit::store_le(vmdk::MutableBytes(entry), 0, std::uint32_t{4711});
      for (std::uint64_t i = 0; i < 4; ++i) {
        const std::uint64_t at = 5 * kSectorSize + 8 + i;
        if (at >= begin && at < begin + size) wanted[at - begin] = entry[i];
      }
      CHECK(got == wanted);
    }

  f.changes.write();
  CHECK_EQ(f.file.at(5 * kSectorSize + 8), 4711u);
  CHECK_EQ(f.file.written.size(), 1u);
  CHECK(!f.changes.empty());  // not yet durable
  f.changes.forget();
  CHECK(f.changes.empty());
  CHECK_EQ(f.cache.changes(), 0u);
  CHECK_EQ(f.seen(5 * kSectorSize + 8), 4711u);
}

void test_order() {
  Fixture f(64 * kSectorSize);
  for (const std::uint64_t sector : {12u, 10u, 11u, 20u, 30u})
    f.changes.touch(sector, sector + 30, false);
  f.changes.touch(3, 0, true);
  f.changes.touch(2, 0, false);
  for (const std::uint64_t sector : {12u, 10u, 11u, 20u, 30u, 3u, 2u})
    f.changes.set(sector * kSectorSize, static_cast<std::uint32_t>(1000 + sector));
  CHECK(f.changes.has_last());
  f.changes.write();
  // Neighbours in one piece; the twins before the others.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> wanted = {
      {40 * kSectorSize, 3 * kSectorSize}, {50 * kSectorSize, kSectorSize},
      {60 * kSectorSize, kSectorSize},     {2 * kSectorSize, kSectorSize},
      {10 * kSectorSize, 3 * kSectorSize}, {20 * kSectorSize, kSectorSize},
      {30 * kSectorSize, kSectorSize},
  };
  CHECK(f.file.written == wanted);
  for (const std::uint64_t sector : {10u, 11u, 12u, 20u, 30u}) {
    CHECK_EQ(f.file.at(sector * kSectorSize), 1000 + sector);
    CHECK_EQ(f.file.at((sector + 30) * kSectorSize), 1000 + sector);
  }
  CHECK(f.file.at(3 * kSectorSize) != 1003);
  CHECK_EQ(f.seen(3 * kSectorSize), 1003u);
  f.changes.write_last();
  CHECK_EQ(f.file.at(3 * kSectorSize), 1003u);
  CHECK_EQ(f.file.written.size(), wanted.size() + 1);
}

// What could not be written is there still, and is written the next time.
void test_failure() {
  Fixture f(64 * kSectorSize);
  f.changes.touch(7, 40, false);
  f.changes.set(7 * kSectorSize + 4, 99);
  f.file.fail_at = 2;
  CHECK_EQ(unit::outcome_of([&] { f.changes.write(); }).status, VMDK_ERR_NO_SPACE);
  CHECK_EQ(f.seen(7 * kSectorSize + 4), 99u);
  CHECK(!f.changes.empty());
  f.file.fail_at = 0;
  f.changes.write();
  CHECK_EQ(f.file.at(7 * kSectorSize + 4), 99u);
  CHECK_EQ(f.file.at(40 * kSectorSize + 4), 99u);
}

// A table may end before its sector does, at the end of the file, which does not grow.
void test_end_of_file() {
  Fixture f(8 * kSectorSize + 20);
  f.changes.touch(8, 0, false);
  f.changes.set(8 * kSectorSize + 16, 5);
  CHECK_EQ(f.seen(8 * kSectorSize + 16), 5u);
  f.changes.write();
  CHECK_EQ(f.file.size(), 8 * kSectorSize + 20);
  CHECK_EQ(f.file.at(8 * kSectorSize + 16), 5u);
}

// However many there are, more than are written at once.
void test_many() {
  Fixture f(3000 * kSectorSize);
  unit::Random random(3);
  std::vector<std::uint32_t> wanted(3000);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t sector = random.below(1500);
    f.changes.touch(sector, sector + 1500, false);
    wanted[sector] = static_cast<std::uint32_t>(random.next() | 1);
    f.changes.set(sector * kSectorSize + 508, wanted[sector]);
    CHECK_EQ(f.seen(sector * kSectorSize + 508), wanted[sector]);
  }
  f.changes.write();
  for (std::uint64_t sector = 0; sector < 1500; ++sector) {
    if (wanted[sector] == 0) continue;
    CHECK_EQ(f.file.at(sector * kSectorSize + 508), wanted[sector]);
    CHECK_EQ(f.file.at((sector + 1500) * kSectorSize + 508), wanted[sector]);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_seen_before_written), UNIT_TEST(test_order), UNIT_TEST(test_failure),
      UNIT_TEST(test_end_of_file),         UNIT_TEST(test_many),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
