// SPDX-License-Identifier: MIT
// extent/read_ahead: whatever the order of reads and the number of readers, each gets its grains or
// its error, and the object may end at any moment.
#include "extent/read_ahead.h"

#include <atomic>
#include <memory>
#include <set>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::GrainBuffers;
using vmdk::ReadAhead;
using vmdk::WorkerPool;

constexpr std::uint64_t kGrain = 512;

// Grains that can be told apart. Every `hole`-th one is not stored; some fail.
class Source final : public vmdk::GrainSource {
 public:
  Source(std::uint64_t size, std::uint64_t hole = 0) : size_(size), hole_(hole) {}

  static std::byte at(std::uint64_t offset) noexcept {
    return static_cast<std::byte>(unit::Random::mix(offset / 8) >> (offset % 8 * 8) & 0xff);
  }
  std::uint64_t grains() const { return (size_ + kGrain - 1) / kGrain; }
  std::uint64_t size() const { return size_; }

  bool is_stored(std::uint64_t grain) const override { return grain < grains() && !is_hole(grain); }
  bool is_hole(std::uint64_t grain) const { return hole_ != 0 && grain % hole_ == 0; }

  void inflate(std::uint64_t grain, vmdk::MutableBytes out) const override {
    inflated_.fetch_add(1);
    if (is_hole(grain) || grain * kGrain + out.size() > size_) wrong_.fetch_add(1);
    {
      const std::lock_guard lock(mutex_);
      if (bad_.contains(grain))
        throw vmdk::Error(VMDK_ERR_CORRUPT, "grain " + std::to_string(grain));
    }
    if (slow_) std::this_thread::yield();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = at(grain * kGrain + i);
  }

  void fail(std::uint64_t grain) {
    const std::lock_guard lock(mutex_);
    bad_.insert(grain);
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    bad_.clear();
  }
  void make_slow() { slow_ = true; }
  std::uint64_t inflated() const { return inflated_.load(); }
  int wrong() const { return wrong_.load(); }

 private:
  std::uint64_t size_, hole_;
  bool slow_ = false;
  mutable std::mutex mutex_;
  std::set<std::uint64_t> bad_;
  mutable std::atomic<std::uint64_t> inflated_{0};
  mutable std::atomic<int> wrong_{0};  // grains that should not have been asked for
};

struct Rig {
  Rig(const Source& source, unsigned threads, std::uint64_t buffer_bytes = 1 << 20)
      : buffers(buffer_bytes),
        pool(threads - 1),
        ahead(std::make_unique<ReadAhead>(source, pool, buffers, threads, kGrain, source.size())) {}

  GrainBuffers buffers;
  WorkerPool pool;
  std::unique_ptr<ReadAhead> ahead;
};

// Reads grains and tells whether they are right.
bool read_holds(ReadAhead& ahead, const Source& source, std::uint64_t first, std::uint64_t count) {
  const std::uint64_t begin = first * kGrain, end = std::min(begin + count * kGrain, source.size());
  std::vector<std::byte> out(end - begin, std::byte{0x5a});
  ahead.read(first, out);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i] != Source::at(begin + i)) return false;
  return true;
}

void test_in_order() {
  for (const unsigned threads : {2u, 4u, 8u}) {
    for (const std::uint64_t step : {1u, 3u, 64u, 1000u}) {
      for (const std::uint64_t buffer_bytes :
           {std::uint64_t{0}, kGrain, 3 * kGrain, std::uint64_t{1} << 20}) {
        const unit::Row row(unit::show(threads) + " threads, " + unit::show(step) + " grains, " +
                            unit::show(buffer_bytes));
        const Source source(1000 * kGrain - 100);  // the last grain is cut off
        Rig rig(source, threads, buffer_bytes);
        for (std::uint64_t g = 0; g < source.grains(); g += step)
          CHECK(read_holds(*rig.ahead, source, g, step));
        CHECK_EQ(source.wrong(), 0);
        rig.ahead.reset();
        CHECK(source.inflated() >= source.grains());
        CHECK(source.inflated() < 2 * source.grains());
      }
    }
  }
}

// Grains that are not stored are passed over, in any number.
void test_holes() {
  for (const std::uint64_t hole : {2u, 3u, 10u}) {
    const Source source(3000 * kGrain, hole);
    Rig rig(source, 4);
    for (std::uint64_t g = 0; g < source.grains(); ++g)
      if (!source.is_hole(g)) CHECK(read_holds(*rig.ahead, source, g, 1));
    rig.ahead.reset();
    CHECK_EQ(source.wrong(), 0);
  }
}

void test_random() {
  const Source source(500 * kGrain - 1);
  Rig rig(source, 4);
  unit::Random random(15);
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t first = random.below(source.grains());
    const std::uint64_t run = random.between(1, random.one_in(10) ? 200 : 4);
    for (std::uint64_t more = random.one_in(8) ? 6 : 1, g = first; more > 0 && g < source.grains();
         --more, g += run)
      if (!read_holds(*rig.ahead, source, g, std::min(run, source.grains() - g))) CHECK_EQ(i, -1);
  }
  rig.ahead.reset();
  CHECK_EQ(source.wrong(), 0);
}

// One grain here and there gives nobody else work.
void test_scattered() {
  const Source source(100000 * kGrain);
  Rig rig(source, 4);
  constexpr std::uint64_t kReads = 500;
  for (std::uint64_t i = 0; i < kReads; ++i)
    CHECK(read_holds(*rig.ahead, source, 99999 - i * 150, 1));
  rig.ahead.reset();
  CHECK_EQ(source.inflated(), kReads);
}

// An error comes with the read that asks for the bad grain and no other; afterwards all is well.
void test_errors() {
  for (const unsigned threads : {2u, 4u}) {
    for (const std::uint64_t step : {1u, 7u, 100u}) {
      const unit::Row row(unit::show(threads) + " threads, " + unit::show(step) + " grains");
      Source source(1000 * kGrain);
      for (const std::uint64_t bad : {0u, 13u, 14u, 500u, 999u}) source.fail(bad);
      Rig rig(source, threads);
      const auto has_bad = [&](std::uint64_t first) {
        for (const std::uint64_t bad : {0u, 13u, 14u, 500u, 999u})
          if (bad >= first && bad < first + step) return true;
        return false;
      };
      for (int round = 0; round < 2; ++round) {
        for (std::uint64_t g = 0; g < 1000; g += step) {
          const std::uint64_t count = std::min(step, 1000 - g);
          bool good = true;
          const auto result =
              unit::outcome_of([&] { good = read_holds(*rig.ahead, source, g, count); });
          CHECK_EQ(result.status, has_bad(g) ? VMDK_ERR_CORRUPT : VMDK_OK);
          CHECK(good);
        }
      }
      source.heal();
      for (std::uint64_t g = 0; g < 1000; g += step)
        CHECK(read_holds(*rig.ahead, source, g, std::min(step, 1000 - g)));
    }
  }
}

// Readers in order, at random and of the same grains at once, some of them of bad ones.
void test_many_readers() {
  Source source(2000 * kGrain - 10);
  source.make_slow();
  source.fail(777);
  Rig rig(source, 4, 64 * kGrain);
  std::atomic<int> wrong{0};
  const auto reader = [&](std::uint64_t seed) {
    unit::Random random(seed);
    std::uint64_t next = random.below(100);
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t count = random.between(1, seed % 2 == 0 ? 8 : 40);
      if (next + count > source.grains() || (seed % 3 == 0 && random.one_in(4)))
        next = random.below(source.grains() - count);
      const bool bad = next <= 777 && 777 < next + count;
      bool good = true;
      const auto result =
          unit::outcome_of([&] { good = read_holds(*rig.ahead, source, next, count); });
      if (!good || result.status != (bad ? VMDK_ERR_CORRUPT : VMDK_OK)) ++wrong;
      next += count;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t) threads.emplace_back(reader, t + 40);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(source.wrong(), 0);
}

// It ends while workers are at grains that nobody waits for; several share the pool and the memory.
void test_destruction() {
  GrainBuffers buffers(256 * kGrain);
  WorkerPool pool(3);
  for (int round = 0; round < 150; ++round) {
    Source source(5000 * kGrain), other(5000 * kGrain);
    source.make_slow();
    ReadAhead second(other, pool, buffers, 4, kGrain, other.size());
    {
      ReadAhead ahead(source, pool, buffers, 4, kGrain, source.size());
      for (std::uint64_t g = 0; g < 4; ++g) {
        CHECK(read_holds(ahead, source, g, 1));
        CHECK(read_holds(second, other, g * 2, 2));
      }
    }
    const std::uint64_t inflated = source.inflated();
    CHECK(read_holds(second, other, 8, 2));
    CHECK_EQ(source.inflated(), inflated);
  }
  // All memory came back.
  std::vector<vmdk::Buffer> all;
  for (int i = 0; i < 256; ++i) all.push_back(buffers.take(kGrain));
  CHECK(std::all_of(all.begin(), all.end(),
                    [](const vmdk::Buffer& buffer) { return buffer.size() == kGrain; }));
  CHECK_EQ(buffers.take(kGrain).size(), 0u);
  for (vmdk::Buffer& buffer : all) buffers.give_back(std::move(buffer));
}

void test_buffers() {
  GrainBuffers buffers(1000);
  vmdk::Buffer a = buffers.take(600);
  CHECK_EQ(a.size(), 600u);
  CHECK_EQ(buffers.take(600).size(), 0u);
  vmdk::Buffer b = buffers.take(400);
  CHECK_EQ(b.size(), 400u);
  CHECK_EQ(buffers.take(1).size(), 0u);
  const std::byte* const place = a.first(1).data();
  buffers.give_back(std::move(a));
  a = buffers.take(600);
  CHECK(a.first(1).data() == place);  // the same memory
  buffers.give_back(std::move(a));
  buffers.give_back(std::move(b));
  buffers.give_back(vmdk::Buffer());
  a = buffers.take(1000);  // those of other sizes make room
  CHECK_EQ(a.size(), 1000u);
  CHECK_EQ(buffers.take(1001).size(), 0u);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_in_order),    UNIT_TEST(test_holes),   UNIT_TEST(test_random),
      UNIT_TEST(test_scattered),   UNIT_TEST(test_errors),  UNIT_TEST(test_many_readers),
      UNIT_TEST(test_destruction), UNIT_TEST(test_buffers),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
