// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/granule_claim.h"

namespace paddock {
namespace {

// Short enough that a waiter with the holder's CPU lets it run soon, long enough for one-page
// cursors to pass each other without sleeping.
constexpr int kSpinRounds = 100;
constexpr int kYieldRounds = 4;

}  // namespace

bool GranuleClaimer::ClaimAll(const GranuleLock& lock, uint64_t mask, uint64_t held) {
  for (;;) {
    held |= held == mask ? 0 : TakeGranules(env_.claim_queues(), lock, mask & ~held);
    if (held == mask) return true;
    const uint64_t next = LowestBit(mask & ~held);
    switch (Await(lock, next, IfWoken::kTryAgain, [] {})) {
      case Outcome::kTaken:
        held |= next;
        break;
      case Outcome::kMissed:
      case Outcome::kGaveUp:
        if (held != 0) ReleaseGranules(env_.claim_queues(), lock, held);
        return false;
    }
  }
}

GranuleClaimer::Outcome GranuleClaimer::AwaitFirst(const GranuleLock& lock, uint64_t bit,
                                                   absl::FunctionRef<void()> leave_section) {
  return Await(lock, bit, IfWoken::kReturn, leave_section);
}

bool GranuleClaimer::SpinFor(const GranuleLock& lock, uint64_t bit) {
  for (int round = 0; round < sync::SpinRounds(kSpinRounds + kYieldRounds); ++round) {
    if (TakeGranules(env_.claim_queues(), lock, bit) != 0) return true;
    // The holder may be waiting for this CPU to acknowledge a flush.
    env_.bus().Poll(pin_);
    if (round < kSpinRounds) {
      sync::CpuRelax();
    } else {
      sync::YieldThread();
    }
  }
  return false;
}

GranuleClaimer::Outcome GranuleClaimer::Await(const GranuleLock& lock, uint64_t bit,
                                              IfWoken if_woken,
                                              absl::FunctionRef<void()> before_sleep) {
  using Leaving = ClaimQueues::Leaving;
  using State = ClaimWaiter::State;
  env_.CountContended(pin_);
  if (wait_ == Wait::kTry) return Outcome::kGaveUp;
  if (SpinFor(lock, bit)) return Outcome::kTaken;

  if (waiting_since_ns_ == 0) waiting_since_ns_ = sync::NowNs();
  ClaimQueues& queues = env_.claim_queues();
  ClaimWaiter waiter(lock.slot(), bit, pin_.cpu(), waiting_since_ns_);
  queues.Enqueue(waiter);
  bool slept = false;
  for (;;) {
    // Once it has slept, only a claimer whose node is kept alive may look at the lock. The look,
    // not the taking, is the waiter's half of the race in ClaimQueues::Enqueue.
    const bool may_look = !slept || if_woken == IfWoken::kTryAgain;
    if (may_look && !lock.IsHeld(bit) && TakeGranules(queues, lock, bit) != 0) {
      queues.Withdraw(waiter, Leaving::kWithGranule);
      return Outcome::kTaken;
    }
    if (!slept) before_sleep();
    slept = true;
    // Batches of other CPUs end here meanwhile: what they retire must not pile up on one that
    // waits.
    const auto is_over = [this, &waiter] {
      env_.rcu().Poll(pin_);
      return waiter.state() != State::kWaiting;
    };
    const bool in_time = env_.bus().WaitUntil(pin_, is_over, latest_ns_);
    if (waiter.state() == State::kWoken && in_time && if_woken == IfWoken::kTryAgain) {
      queues.Rearm(waiter);
      continue;
    }
    const State last = queues.Withdraw(waiter, Leaving::kWithoutGranule);
    if (last == State::kGranted) return Outcome::kTaken;
    return in_time ? Outcome::kMissed : Outcome::kGaveUp;
  }
}

}  // namespace paddock
