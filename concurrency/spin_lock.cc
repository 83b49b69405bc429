// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/spin_lock.h"

namespace paddock {

void SpinLock::LockSlow() {
  // About 5 us: seven pauses that double, then yields.
  constexpr int kAttempts = sync::SpinRounds(12);
  sync::Backoff backoff;
  for (int i = 0; i < kAttempts; ++i) {
    backoff.Pause();
    // order: relaxed: a look before the attempt, so that waiters share the line; TakeFree acquires.
    if (word_.load(sync::relaxed) == kFree && TakeFree()) return;
  }
  // The exchange may take the lock as contended although nobody else sleeps: one wasted wake.
  // race: why a sleeper never sets kHeld:
  //   1. A and B sleep, the word is kContended   2. the owner unlocks (kFree) and wakes A
  //   3. A takes the lock as kHeld               4. A unlocks, finds kHeld, and B sleeps for ever.
  // order: acquire pairs with the release in Unlock.
  while (word_.exchange(kContended, sync::acquire) != kFree) {
    sync::WaitOnWord(word_, kContended, sync::kNoDeadline);
  }
}

}  // namespace paddock
