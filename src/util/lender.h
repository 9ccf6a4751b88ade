// SPDX-License-Identifier: MIT
// Lends things that are dear to make, one to each user at a time, and makes more where there are
// too few.
#ifndef VMDK_UTIL_LENDER_H
#define VMDK_UTIL_LENDER_H

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace vmdk {

// Any number of threads.
template <class T>
class Lender final {
 public:
  using Make = std::function<std::unique_ptr<T>()>;

  explicit Lender(Make make = [] { return std::make_unique<T>(); }) : make_(std::move(make)) {}

  class Loan final {
   public:
    explicit Loan(Lender& from) : from_(from), thing_(from.take()) {}
    ~Loan() { from_.give_back(std::move(thing_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    T* operator->() const noexcept { return thing_.get(); }
    T& operator*() const noexcept { return *thing_; }

   private:
    Lender& from_;
    std::unique_ptr<T> thing_;
  };

 private:
  std::unique_ptr<T> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto thing = std::move(idle_.back());
        idle_.pop_back();
        return thing;
      }
      // So that give_back() never has to allocate.
      idle_.reserve(idle_.capacity() + 1);
    }
    return make_();
  }

  void give_back(std::unique_ptr<T> thing) noexcept {
    const std::lock_guard lock(mutex_);
    if (thing && idle_.size() < idle_.capacity()) idle_.push_back(std::move(thing));
  }

  Make make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace vmdk

#endif
