// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_CONCURRENCY_RCU_OBJECTS_H_
#define PADDOCK_TESTS_CONCURRENCY_RCU_OBJECTS_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"

namespace paddock {

// An object that notes when it is reclaimed, and then runs what the test asks for.
class Retired : public RcuHead {
 public:
  explicit Retired(std::function<void(const CpuPin&)> then = nullptr) : then_(std::move(then)) {
    reclaim = [](RcuHead* head, const CpuPin& pin) {
      auto* const self = static_cast<Retired*>(head);
      self->times_.fetch_add(1, sync::seq_cst);
      if (self->then_) self->then_(pin);
    };
  }
  // How often it was reclaimed: once is right.
  uint32_t times() const { return times_.load(sync::seq_cst); }

 private:
  sync::Atomic<uint32_t> times_;
  std::function<void(const CpuPin&)> then_;
};

// More polls than any object needs if no section is in the way.
inline void PollOften(RcuDomain& rcu, const CpuPin& pin) {
  for (uint32_t i = 0; i < 10 * RcuDomain::kPollsBeforeSeal; ++i) rcu.Poll(pin);
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_CONCURRENCY_RCU_OBJECTS_H_
