// SPDX-License-Identifier: MIT
// extent/table_cache: whatever is read through it is what the file holds, however small it is and
// however many threads read.
#include "extent/table_cache.h"

#include <thread>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::TableCache;

constexpr std::uint64_t kBlock = TableCache::kBlockSize;

bool read_holds(TableCache& cache, const unit::PatternFile& file, std::uint32_t number,
                std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size, std::byte{0x5a});
  cache.read(file, number, offset, bytes);
  return file.holds(offset, bytes);
}

void test_boundaries() {
  TableCache cache(0);  // the smallest there is
  const unit::PatternFile file(1, 5 * kBlock + 1004);
  const std::uint32_t number = cache.add_file();
  for (const std::uint64_t around :
       {std::uint64_t{0}, kBlock, 2 * kBlock, 4 * kBlock, 5 * kBlock, file.size()}) {
    for (const int before : {0, 4, 8, 512, 4092, 4096, 4100}) {
      for (const std::size_t size : {0u, 4u, 8u, 508u, 512u, 4092u, 4096u, 4100u, 8192u, 12288u}) {
        const std::uint64_t offset = around - static_cast<std::uint64_t>(before);
        const unit::Row row(unit::show(size) + " bytes at " + unit::show(offset));
        if (offset > file.size() || size > file.size() - offset) {
          std::vector<std::byte> bytes(size);
          CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, offset, bytes); }).status,
                   VMDK_ERR_CORRUPT);
        } else {
          CHECK(read_holds(cache, file, number, offset, size));
        }
      }
    }
  }
}

// A file that is no whole block is read to its end and not beyond.
void test_last_block() {
  for (const std::uint64_t size :
       {std::uint64_t{4}, std::uint64_t{512}, kBlock - 4, kBlock, kBlock + 4, 3 * kBlock + 516}) {
    const unit::Row row(unit::show(size));
    TableCache cache(1 << 20);
    const unit::PatternFile file(size, size);
    const std::uint32_t number = cache.add_file();
    CHECK(read_holds(cache, file, number, size - 4, 4));
    CHECK(read_holds(cache, file, number, 0, size));
    std::array<std::byte, 8> bytes;
    CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, size - 4, bytes); }).status,
             VMDK_ERR_CORRUPT);
    CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, size, bytes); }).status,
             VMDK_ERR_CORRUPT);
    CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, UINT64_MAX - 3, bytes); }).status,
             VMDK_ERR_CORRUPT);
    CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, size, {}); }).status, VMDK_OK);
  }
}

void test_kept() {
  TableCache cache(1 << 20);
  const unit::PatternFile file(2, 64 * kBlock);
  const std::uint32_t number = cache.add_file();
  for (int round = 0; round < 3; ++round)
    for (std::uint64_t block = 0; block < 64; ++block)
      CHECK(read_holds(cache, file, number, block * kBlock + 8, 4));
  // A set may hold too few of them; most are read once.
  CHECK(file.reads() < 100);
  CHECK(file.reads() >= 64);
}

// Equal blocks of other files are not taken for each other, near the ends of numbers as well.
void test_files_apart() {
  TableCache cache(1 << 20);
  constexpr std::uint64_t kFar = std::uint64_t{1} << 52;  // block 2^40
  const unit::PatternFile a(3, kFar + kBlock * 4), b(4, kFar + kBlock * 4);
  const std::uint32_t first = cache.add_file(), second = cache.add_file();
  CHECK_EQ(first, 0u);
  CHECK_EQ(second, 1u);
  const std::uint64_t offsets[] = {0,    kBlock,       kFar / 2, kFar - 2 * kBlock, kFar - kBlock,
                                   kFar, kFar + kBlock};
  const std::uint32_t numbers[] = {first, second, 2, (1u << 23) - 1, 1u << 23, UINT32_MAX};
  for (int round = 0; round < 2; ++round) {
    for (const std::uint64_t offset : offsets) {
      for (const std::uint32_t number : numbers) {
        const unit::Row row("file " + unit::show(number) + " at " + unit::show(offset));
        CHECK(read_holds(cache, number % 2 == 0 ? a : b, number, offset, 64));
      }
      CHECK(read_holds(cache, a, first, offset - (offset < kBlock ? 0 : 8), 16));
    }
  }
}

void test_random() {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, std::uint64_t{1} << 20, std::uint64_t{4} << 20, UINT64_MAX / 2}) {
    const unit::Row row(unit::show(bytes));
    TableCache cache(std::min(bytes, std::uint64_t{64} << 20));
    const unit::PatternFile files[] = {
        {5, 3000 * kBlock + 12}, {6, 2000 * kBlock}, {7, 100 * kBlock + 4092}};
    const std::uint32_t numbers[] = {cache.add_file(), cache.add_file(), cache.add_file()};
    unit::Random random(bytes + 13);
    for (int i = 0; i < 3000; ++i) {
      const std::size_t f = random.below(3);
      const std::uint64_t offset = random.below(files[f].size() / 4) * 4;
      const std::uint64_t left = files[f].size() - offset;
      const std::uint64_t most = random.one_in(20) ? 3 * kBlock : 64;
      const std::size_t size = std::min(left, random.below(most / 4 + 1) * 4);
      if (!read_holds(cache, files[f], numbers[f], offset, size)) CHECK_EQ(i, -1);
    }
  }
}

// Four threads, a cache of one shard and far more blocks: blocks are replaced while they are read.
void test_threads() {
  TableCache cache(0);
  const unit::PatternFile files[] = {{8, 2000 * kBlock + 40}, {9, 2000 * kBlock}};
  const std::uint32_t numbers[] = {cache.add_file(), cache.add_file()};
  std::atomic<int> wrong{0};
  const auto reader = [&](std::uint64_t seed) {
    unit::Random random(seed);
    for (int i = 0; i < 5000; ++i) {
      const std::size_t f = random.below(2);
      const std::uint64_t offset = random.below(files[f].size() / 4 - 16) * 4;
      if (!read_holds(cache, files[f], numbers[f], offset, random.between(0, 16) * 4)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) threads.emplace_back(reader, t + 20);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
}

// What could not be read is not kept, and what is kept stays right.
void test_errors() {
  TableCache cache(1 << 20);
  const unit::PatternFile whole(10, 8 * kBlock);
  unit::ThrowingFile file(whole);
  const std::uint32_t number = cache.add_file();
  std::array<std::byte, 64> bytes;
  cache.read(file, number, 0, bytes);
  file.fail(2 * kBlock + 512, 512);
  file.fail(0, kBlock);
  const auto result = unit::outcome_of([&] { cache.read(file, number, 2 * kBlock, bytes); });
  CHECK_EQ(result.status, VMDK_ERR_IO);
  CHECK_EQ(result.os_error, EIO);
  CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, 2 * kBlock - 32, bytes); }).status,
           VMDK_ERR_IO);
  CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, 0, bytes); }).status,
           VMDK_OK);  // it is here
  CHECK(whole.holds(0, bytes));
  file.heal();
  CHECK_EQ(unit::outcome_of([&] { cache.read(file, number, 2 * kBlock, bytes); }).status, VMDK_OK);
  CHECK(whole.holds(2 * kBlock, bytes));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_boundaries),  UNIT_TEST(test_last_block), UNIT_TEST(test_kept),
      UNIT_TEST(test_files_apart), UNIT_TEST(test_random),     UNIT_TEST(test_threads),
      UNIT_TEST(test_errors),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
