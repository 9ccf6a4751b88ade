// SPDX-License-Identifier: MIT
// util/worker_pool: all work is done, nothing is touched after forget(), and the pool ends in any
// state.
#include "util/worker_pool.h"

#include <atomic>
#include <memory>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::WorkerPool;
using vmdk::Workload;

// A number of pieces of work; each must be done once.
class Pieces final : public Workload {
 public:
  explicit Pieces(std::size_t count) : done_(count) {}

  bool work() noexcept override {
    inside_.fetch_add(1);
    const std::size_t piece = next_.fetch_add(1);
    if (piece < done_.size()) {
      done_[piece].fetch_add(1);
      finished_.fetch_add(1);
    }
    inside_.fetch_sub(1);
    return piece + 1 < done_.size();
  }

  bool all_done_once() const {
    for (const auto& times : done_)
      if (times.load() != 1) return false;
    return true;
  }
  std::size_t finished() const { return finished_.load(); }
  int inside() const { return inside_.load(); }

 private:
  std::vector<std::atomic<int>> done_;
  std::atomic<std::size_t> next_{0}, finished_{0};
  std::atomic<int> inside_{0};
};

void test_work_is_done() {
  for (const unsigned workers : {1u, 2u, 3u, 8u}) {
    const unit::Row row(unit::show(workers) + " workers");
    WorkerPool pool(workers);
    Pieces pieces(10000);
    while (pieces.finished() < 10000) {
      pool.call(pieces);
      std::this_thread::yield();
    }
    pool.forget(pieces);
    CHECK(pieces.all_done_once());
    CHECK_EQ(pieces.inside(), 0);
  }
}

void test_no_workers() {
  WorkerPool pool(0);
  Pieces pieces(10);
  pool.call(pieces);
  pool.forget(pieces);
  CHECK_EQ(pieces.finished(), 0u);
}

// Never called: no thread is started, and it ends all the same.
void test_unused() {
  WorkerPool pool(4);
  Pieces pieces(1);
  pool.forget(pieces);
  CHECK_EQ(pieces.finished(), 0u);
}

// Work without end, until it is told to stop.
class Endless final : public Workload {
 public:
  bool work() noexcept override {
    times_.fetch_add(1);
    std::this_thread::yield();
    return !stop_.load();
  }
  void stop() { stop_ = true; }
  std::uint64_t times() const { return times_.load(); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> times_{0};
};

// forget() while others are busy: it waits for its own workload alone, and nobody is inside of that
// afterwards, so that it can be destroyed.
void test_forget() {
  WorkerPool pool(3);
  Endless other;
  pool.call(other);  // keeps one of the three
  while (other.times() == 0) std::this_thread::yield();
  for (int round = 0; round < 300; ++round) {
    auto load = std::make_unique<Endless>();
    do pool.call(*load);
    while (round % 3 != 0 && load->times() == 0);
    load->stop();
    pool.forget(*load);
    const std::uint64_t before = load->times();
    std::this_thread::yield();
    CHECK_EQ(load->times(), before);
  }
  other.stop();
  pool.forget(other);
}

// The pool may end while calls wait and workers are busy.
void test_destruction() {
  for (int round = 0; round < 200; ++round) {
    Pieces first(100), second(100);
    {
      WorkerPool pool(2);
      pool.call(first);
      pool.call(second);
    }
    CHECK_EQ(first.inside() + second.inside(), 0);
  }
}

void test_many_workloads() {
  WorkerPool pool(4);
  std::vector<std::unique_ptr<Pieces>> all;
  for (int i = 0; i < 20; ++i) all.push_back(std::make_unique<Pieces>(500));
  const auto caller = [&](std::size_t first) {
    for (std::size_t i = first; i < all.size(); i += 4) {
      while (all[i]->finished() < 500) {
        pool.call(*all[i]);
        std::this_thread::yield();
      }
      pool.forget(*all[i]);
    }
  };
  std::vector<std::thread> callers;
  for (std::size_t t = 0; t < 4; ++t) callers.emplace_back(caller, t);
  for (std::thread& thread : callers) thread.join();
  for (const auto& pieces : all) CHECK(pieces->all_done_once() && pieces->inside() == 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_work_is_done), UNIT_TEST(test_no_workers),  UNIT_TEST(test_unused),
      UNIT_TEST(test_forget),       UNIT_TEST(test_destruction), UNIT_TEST(test_many_workloads),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
