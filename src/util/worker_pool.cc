// SPDX-License-Identifier: MIT
#include "util/worker_pool.h"

#include <algorithm>
#include <csignal>
#include <exception>

namespace vmdk {

unsigned processors() noexcept { return std::thread::hardware_concurrency(); }

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    called_.store(true, std::memory_order_relaxed);
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Fewer threads than wanted, or none, is slower and nothing else. Signals are the program's
// business: they do not arrive on our threads.
void WorkerPool::start() noexcept {
  started_ = true;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads_.reserve(wanted_);
    busy_.reserve(wanted_);
    while (threads_.size() < wanted_) threads_.emplace_back([this] { run(); });
  } catch (const std::exception&) {
    wanted_ = static_cast<unsigned>(threads_.size());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WorkerPool::call(Workload& load) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!started_) start();
    // One call for each idle worker is enough; each goes on while there is work.
    const auto pending = static_cast<std::size_t>(std::count(calls_.begin(), calls_.end(), &load));
    if (threads_.empty() || busy_.size() + pending >= threads_.size()) return;
    try {
      calls_.push_back(&load);
      called_.store(true, std::memory_order_relaxed);
    } catch (const std::exception&) {
      return;
    }
  }
  wake_.notify_one();
}

void WorkerPool::forget(Workload& load) noexcept {
  std::unique_lock lock(mutex_);
  calls_.erase(std::remove(calls_.begin(), calls_.end(), &load), calls_.end());
  done_.wait(lock, [&] { return std::find(busy_.begin(), busy_.end(), &load) == busy_.end(); });
}

// More work comes soon after the last, as a rule. To sleep and be woken for each piece costs more
// than the wait, and keeps the threads on one processor.
void WorkerPool::linger() noexcept {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point until = Clock::now() + kLinger;
  while (!called_.load(std::memory_order_relaxed) && Clock::now() < until)
    std::this_thread::yield();
}

void WorkerPool::run() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    if (calls_.empty() && !stop_) {
      lock.unlock();
      linger();
      lock.lock();
    }
    wake_.wait(lock, [this] { return stop_ || !calls_.empty(); });
    if (stop_) return;
    Workload* const load = calls_.front();
    calls_.pop_front();
    called_.store(!calls_.empty(), std::memory_order_relaxed);
    busy_.push_back(load);  // has room: see start()
    lock.unlock();
    while (load->work()) {
    }
    lock.lock();
    busy_.erase(std::find(busy_.begin(), busy_.end(), load));
    done_.notify_all();
  }
}

}  // namespace vmdk
