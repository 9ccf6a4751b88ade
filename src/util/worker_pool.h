// SPDX-License-Identifier: MIT
// The one place that starts threads.
#ifndef VMDK_UTIL_WORKER_POOL_H
#define VMDK_UTIL_WORKER_POOL_H

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace vmdk {

// Processors that this process may use; 0 if that is not known.
unsigned processors() noexcept;

// Something that has work for workers.
class Workload {
 public:
  // Does one piece of work if there is any; called on a worker. Returns whether there may be more.
  // What goes wrong is kept for the thread that wants the result: nothing is thrown.
  virtual bool work() noexcept = 0;

 protected:
  ~Workload() = default;
};

// Threads that call the workloads they are told of. They start with the first call. Any number of
// threads may use it.
class WorkerPool final {
 public:
  explicit WorkerPool(unsigned workers) : wanted_(workers) {}
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // `load` has work: idle workers call it until it has none. If no thread can be started, nothing
  // happens, and whoever wants the work done does it.
  void call(Workload& load) noexcept;

  // Returns when no worker is inside `load` nor will call it. It must not be told of meanwhile.
  void forget(Workload& load) noexcept;

 private:
  void start() noexcept;
  void run() noexcept;
  void linger() noexcept;

  static constexpr std::chrono::microseconds kLinger{300};

  unsigned wanted_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Workload*> calls_;
  std::vector<Workload*> busy_;  // one entry for each worker inside a workload
  std::vector<std::thread> threads_;
  std::atomic<bool> called_{false};  // calls_ is not empty
  bool started_ = false, stop_ = false;
};

}  // namespace vmdk

#endif
