// SPDX-License-Identifier: MIT
// util/turn_mutex: readers share, writers are alone, and neither waits for ever.
#include "util/turn_mutex.h"

#include <atomic>
#include <thread>
#include <vector>

#include "../support/unit_check.h"

namespace {

void test_exclusion() {
  vmdk::TurnMutex mutex;
  std::atomic<int> readers{0}, writers{0}, most_readers{0}, wrong{0};
  long value = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        if ((i + t) % 4 == 0) {
          const std::unique_lock lock(mutex);
          if (++writers != 1 || readers != 0) ++wrong;
          ++value;
          --writers;
        } else {
          const std::shared_lock lock(mutex);
          const int now = ++readers;
          if (now > most_readers) most_readers = now;
          if (writers != 0) ++wrong;
          --readers;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(value, 4 * 500);
}

void test_readers_share() {
  vmdk::TurnMutex mutex;
  const std::shared_lock first(mutex);
  std::atomic<bool> in{false};
  std::thread second([&] {
    const std::shared_lock lock(mutex);
    in = true;
  });
  second.join();  // does not end if readers keep each other out
  CHECK(in.load());
}

// Readers that are never all gone do not keep a writer waiting, nor writers a reader.
void test_no_starvation() {
  vmdk::TurnMutex mutex;
  std::atomic<bool> stop{false};
  std::atomic<long> reads{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&] {
      while (!stop) {
        const std::shared_lock lock(mutex);
        ++reads;
        std::this_thread::yield();
      }
    });
  for (int i = 0; i < 500; ++i) const std::unique_lock lock(mutex);
  while (reads < 100) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : readers) thread.join();
  CHECK(reads >= 100);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_exclusion),
      UNIT_TEST(test_readers_share),
      UNIT_TEST(test_no_starvation),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
