// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_SYNC_STD_H_
#define PADDOCK_CONCURRENCY_SYNC_STD_H_

// The backend of sync.h for real threads: std::atomic, std::thread and the Linux futex. Include
// sync.h, never this file.

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <utility>

namespace paddock::sync {
inline namespace std_backend {

struct BackendAnchor {
  char name[16];
};
extern const BackendAnchor kBackendAnchor;

using Order = std::memory_order;
// order: names of the standard's orders; each use says what it pairs with.
inline constexpr Order relaxed = std::memory_order_relaxed;
inline constexpr Order acquire = std::memory_order_acquire;
inline constexpr Order release = std::memory_order_release;
inline constexpr Order acq_rel = std::memory_order_acq_rel;
inline constexpr Order seq_cst = std::memory_order_seq_cst;

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

// An integer, an enum or a pointer that threads share; zero by default. Every operation is
// lock-free. `compare_exchange` fails only if the values differ; the weak form may fail without
// a reason.
template <class T>
class Atomic {
 public:
  using Difference = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

  constexpr Atomic() = default;
  explicit constexpr Atomic(T value) : value_(value) {}
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(Order order) const { return value_.load(order); }
  void store(T value, Order order) { value_.store(value, order); }
  T exchange(T value, Order order) { return value_.exchange(value, order); }
  bool compare_exchange(T& expected, T desired, Order success, Order failure) {
    return value_.compare_exchange_strong(expected, desired, success, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure) {
    return value_.compare_exchange_weak(expected, desired, success, failure);
  }
  T fetch_add(Difference n, Order order) { return value_.fetch_add(n, order); }
  T fetch_sub(Difference n, Order order) { return value_.fetch_sub(n, order); }
  T fetch_or(T bits, Order order) { return value_.fetch_or(bits, order); }
  T fetch_and(T bits, Order order) { return value_.fetch_and(bits, order); }

 private:
  static_assert(std::atomic<T>::is_always_lock_free);
  std::atomic<T> value_{};
};

// The same operations on an object that others know as plain memory. While any AtomicRef to an
// object is in use, every access of a thread to it goes through one.
template <class T>
class AtomicRef {
 public:
  explicit AtomicRef(T& object) : ref_(object) {}

  T load(Order order) const { return ref_.load(order); }
  void store(T value, Order order) const { ref_.store(value, order); }
  T exchange(T value, Order order) const { return ref_.exchange(value, order); }
  bool compare_exchange(T& expected, T desired, Order success, Order failure) const {
    return ref_.compare_exchange_strong(expected, desired, success, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure) const {
    return ref_.compare_exchange_weak(expected, desired, success, failure);
  }
  T fetch_add(T n, Order order) const { return ref_.fetch_add(n, order); }
  T fetch_sub(T n, Order order) const { return ref_.fetch_sub(n, order); }
  T fetch_or(T bits, Order order) const { return ref_.fetch_or(bits, order); }
  T fetch_and(T bits, Order order) const { return ref_.fetch_and(bits, order); }

 private:
  static_assert(std::atomic_ref<T>::is_always_lock_free);
  std::atomic_ref<T> ref_;
};

// Data that a lock or an owner protects. Free of cost here; ThreadSanitizer sees the accesses.
template <class T>
class Plain {
 public:
  Plain() = default;
  explicit constexpr Plain(T value) : value_(std::move(value)) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  T Read() const { return value_; }
  void Write(T value) { value_ = std::move(value); }

 private:
  T value_{};
};

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm("yield");
#endif
}

// Lets another runnable thread of the system have this core.
void YieldThread();

// Nanoseconds on CLOCK_MONOTONIC. About 20 ns.
uint64_t NowNs();

// How many of `rounds` attempts a bounded spin makes before it sleeps: all of them. A model makes
// none, and so comes to the sleep, where the interleavings are that matter.
constexpr int SpinRounds(int rounds) { return rounds; }

// Pauses between attempts: 1, 2, 4 ... 64 relaxations, then one yield for each attempt.
class Backoff {
 public:
  void Pause() {
    if (relaxations_ > kMostRelaxations) return YieldThread();
    for (uint32_t i = 0; i < relaxations_; ++i) CpuRelax();
    relaxations_ *= 2;
  }

 private:
  static constexpr uint32_t kMostRelaxations = 64;
  uint32_t relaxations_ = 1;
};

// Waits until `done()` holds, for waits that are short: it never sleeps. `done` runs at least
// once, and once more after each pause.
template <class Pred>
void Spin(Pred done) {
  Backoff backoff;
  while (!done()) backoff.Pause();
}

// Sleeps while `word` holds `expected`, until a wake or the deadline (in nanoseconds of NowNs());
// may return early without a reason. False: the deadline passed. Orders nothing: the caller reads
// the word again. Call it through Parker or a lock.
bool WaitOnWord(const Atomic<uint32_t>& word, uint32_t expected, uint64_t deadline_ns);
// Wakes one or all threads that sleep on `word`. The word is not touched, only its address is
// used, so it may be gone by now.
void WakeOne(const Atomic<uint32_t>& word);
void WakeAll(const Atomic<uint32_t>& word);

// Parks one thread at a time until another one hands it the token.
//
//   waiter: while (!done()) parker.Park();          waker: make done() true; parker.Unpark();
//
// The token is sticky: an Unpark that comes first makes the next Park return at once, so no
// wake-up is lost; several Unparks leave one token. Park may return without a token (spuriously):
// always wait in a loop. What the waker did before Unpark is visible after the Park that took its
// token. Cost: Unpark is one exchange, plus a system call if a thread is parked.
class Parker {
 public:
  void Park() { ParkUntil(kNoDeadline); }
  // False: the deadline passed without a token.
  bool ParkUntil(uint64_t deadline_ns);
  void Unpark();

 private:
  enum State : uint32_t { kEmpty, kToken, kParked };
  Atomic<uint32_t> state_{kEmpty};
};

// A thread that is joined when its handle goes.
class Thread {
 public:
  Thread() = default;
  template <std::invocable F>
  explicit Thread(F body) : thread_(std::move(body)) {}
  Thread(Thread&&) = default;
  Thread& operator=(Thread&& other) noexcept {
    Join();
    thread_ = std::move(other.thread_);
    return *this;
  }
  ~Thread() { Join(); }

  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

// A few pointers of the calling thread, each stored under the address of an object. Get of an
// absent key is null. Set is false if all kCapacity slots hold other keys. About 1 ns.
class ThreadSlots {
 public:
  static constexpr size_t kCapacity = 8;

  static void* Get(const void* key) {
    for (const Slot& slot : slots_) {
      if (slot.key == key) return slot.value;
    }
    return nullptr;
  }
  static bool Set(const void* key, void* value) {
    Slot* free = nullptr;
    for (Slot& slot : slots_) {
      if (slot.key == key) {
        slot.value = value;
        return true;
      }
      if (slot.key == nullptr && free == nullptr) free = &slot;
    }
    if (free == nullptr) return false;
    *free = {key, value};
    return true;
  }

 private:
  struct Slot {
    const void* key;
    void* value;
  };
  static constinit inline thread_local std::array<Slot, kCapacity> slots_{};
};

}  // namespace std_backend
}  // namespace paddock::sync

#endif  // PADDOCK_CONCURRENCY_SYNC_STD_H_
