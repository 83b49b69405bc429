// SPDX-License-Identifier: Apache-2.0
//
// The injections that happen on a stream's own thread. Thread safety: one thread. Cost: a
// comparison if nothing is injected.

#ifndef PADDOCK_STRESS_INJECT_INJECTOR_H_
#define PADDOCK_STRESS_INJECT_INJECTOR_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/stress/inject/injections.h"
#include "paddock/stress/rng.h"

namespace paddock {

class Injector {
 public:
  static constexpr uint64_t kLongestStallNs = 3'000'000;

  Injector(const Injections& injections, uint64_t seed) : injections_(injections), rng_(seed) {}

  // A claim was just taken, or is about to be released.
  void AtLockBoundary() {
    if (injections_.set == 0 || !injections_.Has(Injection::kPreempt)) return;
    if (rng_.Chance(8)) sync::YieldThread();
  }

  // Outside of cursors: the CPU may stop inside a read-side section, answering nothing.
  void BetweenSteps(RcuDomain& rcu, const CpuPin& pin) {
    if (injections_.set == 0 || !injections_.Has(Injection::kStall) || !rng_.Chance(2048)) return;
    const RcuReadGuard guard(rcu, pin);
    const uint64_t end_ns = sync::NowNs() + rng_.Below(kLongestStallNs);
    while (sync::NowNs() < end_ns) sync::YieldThread();
  }

  // Whether this interrupt point is left out.
  bool SkipsPoll() {
    if (injections_.set == 0 || !injections_.Has(Injection::kDelay)) return false;
    return !rng_.Chance(16);
  }

 private:
  const Injections injections_;
  StreamRng rng_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_INJECT_INJECTOR_H_
