// SPDX-License-Identifier: MIT
// extent/grain_cache: inflated grains that are kept, and lent states.
#include "extent/grain_cache.h"

#include <atomic>
#include <set>
#include <thread>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::Buffer;
using vmdk::GrainCache;

std::byte byte_of(std::uint64_t key, std::size_t at) {
  return static_cast<std::byte>(unit::Random::mix(key * 1000003 + at) & 0xff);
}

Buffer grain_of(std::uint64_t key, std::size_t size) {
  Buffer grain(size);
  for (std::size_t i = 0; i < size; ++i) grain.first(size)[i] = byte_of(key, i);
  return grain;
}

bool is_here(GrainCache& cache, std::uint64_t key, std::size_t at, std::size_t size) {
  std::vector<std::byte> out(size, std::byte{0x5a});
  if (!cache.read(key, at, out)) return false;
  for (std::size_t i = 0; i < size; ++i)
    if (out[i] != byte_of(key, at + i)) CHECK_EQ(key, UINT64_MAX);
  return true;
}

void test_read_and_put() {
  GrainCache cache(1 << 20);
  CHECK(!is_here(cache, 7, 0, 1));
  cache.put(7, grain_of(7, 1000), 1000);
  CHECK(is_here(cache, 7, 0, 1000));
  CHECK(is_here(cache, 7, 999, 1));
  CHECK(!is_here(cache, 7, 1000, 1));  // beyond the grain
  CHECK(!is_here(cache, 7, 0, 1001));
  CHECK(!is_here(cache, 8, 0, 1));
  // The memory may be larger than the grain; what lies behind it is not given away.
  cache.put(9, grain_of(9, 4096), 512);
  CHECK(is_here(cache, 9, 0, 512));
  CHECK(!is_here(cache, 9, 0, 513));
}

// The ones that were used last stay, in as many bytes as allowed.
void test_order() {
  GrainCache cache(4096);
  for (std::uint64_t key = 1; key <= 4; ++key)
    CHECK_EQ(cache.put(key, grain_of(key, 1024), 1024).size(), 0u);
  for (std::uint64_t key = 1; key <= 4; ++key) CHECK(is_here(cache, key, 0, 1024));
  CHECK(is_here(cache, 1, 0, 1));  // used again: 2 is the oldest now
  const Buffer spare = cache.put(5, grain_of(5, 1024), 1024);
  CHECK_EQ(spare.size(), 1024u);  // memory to use again
  CHECK(!is_here(cache, 2, 0, 1));
  for (const std::uint64_t key : {1u, 3u, 4u, 5u}) CHECK(is_here(cache, key, 0, 1024));
  // One that needs the room of three.
  cache.put(6, grain_of(6, 3000), 3000);
  int left = 0;
  for (const std::uint64_t key : {1u, 3u, 4u, 5u}) left += is_here(cache, key, 0, 1) ? 1 : 0;
  CHECK_EQ(left, 1);
  CHECK(is_here(cache, 6, 0, 3000));
}

// Another thread put the same grain first: its memory comes back.
void test_put_twice() {
  GrainCache cache(1 << 20);
  cache.put(3, grain_of(3, 100), 100);
  CHECK_EQ(cache.put(3, grain_of(4, 100), 100).size(), 100u);
  CHECK(is_here(cache, 3, 0, 100));
}

void test_small_limits() {
  for (const std::uint64_t limit : {0u, 1u, 1023u, 1024u}) {
    const unit::Row row(unit::show(limit));
    GrainCache cache(limit);
    for (std::uint64_t key = 1; key <= 3; ++key) {
      cache.put(key, grain_of(key, 1024), 1024);
      CHECK(is_here(cache, key, 0, 1024));  // the last one is always kept
      CHECK(!is_here(cache, key - 1, 0, 1024));
    }
  }
}

void test_add_extent() {
  GrainCache cache(1024);
  CHECK_EQ(cache.add_extent(10), 0u);
  CHECK_EQ(cache.add_extent(0), 10u);
  CHECK_EQ(cache.add_extent(std::uint64_t{1} << 40), 10u);
  CHECK_EQ(cache.add_extent(1), 10 + (std::uint64_t{1} << 40));
}

void test_threads() {
  GrainCache cache(20 * 512);
  std::atomic<int> hits{0};
  const auto user = [&](std::uint64_t seed) {
    unit::Random random(seed);
    Buffer spare;
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t key = random.below(40);
      const std::size_t at = random.below(512);
      if (is_here(cache, key, at, random.between(1, 512 - at))) {
        ++hits;
        continue;
      }
      spare.reserve(512);
      for (std::size_t b = 0; b < 512; ++b) spare.first(512)[b] = byte_of(key, b);
      spare = cache.put(key, std::move(spare), 512);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) threads.emplace_back(user, t + 30);
  for (std::thread& thread : threads) thread.join();
  CHECK(hits.load() > 0);
}

void test_states() {
  vmdk::InflateStates states;
  const vmdk::InflateState* used = nullptr;
  {
    const vmdk::InflateStates::Loan loan(states);
    used = &*loan;
    loan->packed.reserve(100);
  }
  {
    const vmdk::InflateStates::Loan again(states), other(states);
    CHECK(&*again == used);  // with the memory it has
    CHECK(again->packed.size() >= 100);
    CHECK(&*other != &*again);
  }
  std::mutex mutex;
  std::set<const vmdk::InflateState*> lent;
  std::atomic<int> twice{0};
  const auto user = [&] {
    for (int i = 0; i < 5000; ++i) {
      const vmdk::InflateStates::Loan loan(states);
      {
        const std::lock_guard lock(mutex);
        if (!lent.insert(&*loan).second) ++twice;
      }
      const std::lock_guard lock(mutex);
      lent.erase(&*loan);
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back(user);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(twice.load(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_read_and_put), UNIT_TEST(test_order),      UNIT_TEST(test_put_twice),
      UNIT_TEST(test_small_limits), UNIT_TEST(test_add_extent), UNIT_TEST(test_threads),
      UNIT_TEST(test_states),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
