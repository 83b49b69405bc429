// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/sync_std.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

// Defined by every backend: see sync.h.
extern "C" {
extern const int paddock_has_one_sync_backend;
const int paddock_has_one_sync_backend = 1;
}

namespace paddock::sync {
inline namespace std_backend {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

// The kernel reads the word itself, and compares it before it sleeps.
long Futex(const Atomic<uint32_t>& word, int operation, uint32_t value, const timespec* until) {
  static_assert(sizeof(Atomic<uint32_t>) == sizeof(uint32_t));
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, until, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

const BackendAnchor kBackendAnchor = {"std"};

void YieldThread() { sched_yield(); }

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

bool WaitOnWord(const Atomic<uint32_t>& word, uint32_t expected, uint64_t deadline_ns) {
  timespec deadline;
  const timespec* until = nullptr;
  if (deadline_ns != kNoDeadline) {
    deadline.tv_sec = static_cast<time_t>(deadline_ns / kNsPerSecond);
    deadline.tv_nsec = static_cast<long>(deadline_ns % kNsPerSecond);
    until = &deadline;
  }
  // With a bit set, FUTEX_WAIT takes an absolute time on CLOCK_MONOTONIC.
  return Futex(word, FUTEX_WAIT_BITSET, expected, until) == 0 || errno != ETIMEDOUT;
}

void WakeOne(const Atomic<uint32_t>& word) { Futex(word, FUTEX_WAKE, 1, nullptr); }

void WakeAll(const Atomic<uint32_t>& word) { Futex(word, FUTEX_WAKE, INT_MAX, nullptr); }

bool Parker::ParkUntil(uint64_t deadline_ns) {
  bool in_time = true;
  uint32_t expected = kEmpty;
  // order: relaxed: announcing the sleep publishes nothing; the exchange below takes the token.
  if (state_.compare_exchange(expected, kParked, relaxed, relaxed)) {
    in_time = WaitOnWord(state_, kParked, deadline_ns);
  }
  // order: acquire pairs with the release in Unpark.
  return state_.exchange(kEmpty, acquire) == kToken || in_time;
}

void Parker::Unpark() {
  // The exchange is needed even if a token is there already: its waiter may be taking it right now
  // and would not see what this thread did before.
  // order: release pairs with the acquire in ParkUntil.
  if (state_.exchange(kToken, release) == kParked) WakeOne(state_);
}

}  // namespace std_backend
}  // namespace paddock::sync
