// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_SYNC_MODEL_H_
#define PADDOCK_CONCURRENCY_MODEL_SYNC_MODEL_H_

// The backend of sync.h for exploration: every operation is a step of a model::Execution, which
// decides who goes on and what a load reads. Include sync.h, never this file.
//
// Outside of an execution, and while an execution has one thread, operations are plain accesses to
// memory. Atomic<T> is as large as T, since what the model knows is kept by address: zeroed memory
// is an array of atomics here too, and pages may be recycled.

#include <source_location>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "paddock/concurrency/model/execution.h"
#include "paddock/concurrency/model/order.h"

namespace paddock::sync {
inline namespace model_backend {

struct BackendAnchor {
  char name[16];
};
extern const BackendAnchor kBackendAnchor;

using Order = model::Order;
// order: names of the standard's orders; each use says what it pairs with.
inline constexpr Order relaxed = Order::kRelaxed;
inline constexpr Order acquire = Order::kAcquire;
inline constexpr Order release = Order::kRelease;
inline constexpr Order acq_rel = Order::kAcqRel;
inline constexpr Order seq_cst = Order::kSeqCst;

inline constexpr uint64_t kNoDeadline = ~uint64_t{0};

namespace internal {

using Place = std::source_location;

template <class T>
uint64_t ToBits(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T FromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class T>
using Difference = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

template <class T>
T Load(const T& object, Order order, Place where) {
  model::Execution* const execution = model::Execution::Concurrent();
  if (execution == nullptr) return object;
  return FromBits<T>(execution->Load(&object, sizeof(T), order, where));
}
template <class T>
void Store(T& object, T value, Order order, Place where) {
  model::Execution* const execution = model::Execution::Concurrent();
  if (execution == nullptr) {
    object = value;
  } else {
    execution->Store(&object, sizeof(T), ToBits(value), order, where);
  }
}
template <class T, class Change>
T Update(T& object, Order order, Change change, const char* name, Place where) {
  model::Execution* const execution = model::Execution::Concurrent();
  if (execution == nullptr) {
    const T before = object;
    object = change(before);
    return before;
  }
  return FromBits<T>(execution->Update(
      &object, sizeof(T), order,
      [&](uint64_t bits) { return ToBits<T>(change(FromBits<T>(bits))); }, name, where));
}
template <class T>
bool CompareExchange(T& object, T& expected, T desired, Order success, Order failure, Place where) {
  model::Execution* const execution = model::Execution::Concurrent();
  if (execution == nullptr) {
    const bool succeeds = object == expected;
    (succeeds ? object : expected) = succeeds ? desired : object;
    return succeeds;
  }
  uint64_t bits = ToBits(expected);
  const bool succeeds = execution->CompareExchange(&object, sizeof(T), bits, ToBits(desired),
                                                   success, failure, where);
  if (!succeeds) expected = FromBits<T>(bits);
  return succeeds;
}

}  // namespace internal

// As in the other backend. The weak compare-exchange does not fail without a reason.
template <class T>
class Atomic {
 public:
  using Difference = internal::Difference<T>;
  using Place = internal::Place;

  constexpr Atomic() { Begin(); }
  explicit constexpr Atomic(T value) : value_(value) { Begin(); }
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;
  constexpr ~Atomic() {
    if (std::is_constant_evaluated()) return;
    if (model::Execution* const execution = model::Execution::Concurrent()) {
      execution->Destroyed(&value_);
    }
  }

  T load(Order order, Place where = Place::current()) const {
    return internal::Load(value_, order, where);
  }
  void store(T value, Order order, Place where = Place::current()) {
    internal::Store(value_, value, order, where);
  }
  T exchange(T value, Order order, Place where = Place::current()) {
    return internal::Update(value_, order, [&](T) { return value; }, "exchange", where);
  }
  bool compare_exchange(T& expected, T desired, Order success, Order failure,
                        Place where = Place::current()) {
    return internal::CompareExchange(value_, expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure,
                             Place where = Place::current()) {
    return internal::CompareExchange(value_, expected, desired, success, failure, where);
  }
  T fetch_add(Difference n, Order order, Place where = Place::current()) {
    return internal::Update(
        value_, order, [&](T v) { return static_cast<T>(v + n); }, "fetch_add", where);
  }
  T fetch_sub(Difference n, Order order, Place where = Place::current()) {
    return internal::Update(
        value_, order, [&](T v) { return static_cast<T>(v - n); }, "fetch_sub", where);
  }
  T fetch_or(T bits, Order order, Place where = Place::current()) {
    return internal::Update(
        value_, order, [&](T v) { return static_cast<T>(v | bits); }, "fetch_or", where);
  }
  T fetch_and(T bits, Order order, Place where = Place::current()) {
    return internal::Update(
        value_, order, [&](T v) { return static_cast<T>(v & bits); }, "fetch_and", where);
  }

 private:
  constexpr void Begin() {
    if (std::is_constant_evaluated()) return;
    if (model::Execution* const execution = model::Execution::Concurrent()) {
      execution->Constructed(&value_, sizeof(T));
    }
  }

  T value_{};
};

template <class T>
class AtomicRef {
 public:
  using Place = internal::Place;

  explicit AtomicRef(T& object) : object_(object) {}

  T load(Order order, Place where = Place::current()) const {
    return internal::Load(object_, order, where);
  }
  void store(T value, Order order, Place where = Place::current()) const {
    internal::Store(object_, value, order, where);
  }
  T exchange(T value, Order order, Place where = Place::current()) const {
    return internal::Update(object_, order, [&](T) { return value; }, "exchange", where);
  }
  bool compare_exchange(T& expected, T desired, Order success, Order failure,
                        Place where = Place::current()) const {
    return internal::CompareExchange(object_, expected, desired, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, Order success, Order failure,
                             Place where = Place::current()) const {
    return internal::CompareExchange(object_, expected, desired, success, failure, where);
  }
  T fetch_add(T n, Order order, Place where = Place::current()) const {
    return internal::Update(
        object_, order, [&](T v) { return static_cast<T>(v + n); }, "fetch_add", where);
  }
  T fetch_sub(T n, Order order, Place where = Place::current()) const {
    return internal::Update(
        object_, order, [&](T v) { return static_cast<T>(v - n); }, "fetch_sub", where);
  }
  T fetch_or(T bits, Order order, Place where = Place::current()) const {
    return internal::Update(
        object_, order, [&](T v) { return static_cast<T>(v | bits); }, "fetch_or", where);
  }
  T fetch_and(T bits, Order order, Place where = Place::current()) const {
    return internal::Update(
        object_, order, [&](T v) { return static_cast<T>(v & bits); }, "fetch_and", where);
  }

 private:
  T& object_;
};

// Every access is checked for races; none is a scheduling point.
template <class T>
class Plain {
 public:
  using Place = internal::Place;

  Plain() = default;
  explicit constexpr Plain(T value) : value_(std::move(value)) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;

  T Read(Place where = Place::current()) const {
    Note(false, where);
    return value_;
  }
  void Write(T value, Place where = Place::current()) {
    Note(true, where);
    value_ = std::move(value);
  }

 private:
  void Note(bool writes, Place where) const {
    if (model::Execution* const execution = model::Execution::Concurrent()) {
      execution->PlainAccess(this, writes, where);
    }
  }

  T value_{};
};

// Both let the others go first, once.
void CpuRelax();
void YieldThread();

// The modelled time, which passes only when nothing else can happen.
uint64_t NowNs();

// None: a thread that spins before it sleeps does nothing that one which sleeps at once, or comes
// later, does not do.
constexpr int SpinRounds(int) { return 0; }

// A pause waits until something changes that was read since the last one.
class Backoff {
 public:
  Backoff();
  ~Backoff();
  Backoff(const Backoff&) = delete;
  Backoff& operator=(const Backoff&) = delete;
  void Pause(internal::Place where = internal::Place::current());

 private:
  size_t begin_ = 0;
};

template <class Pred>
void Spin(Pred done, internal::Place where = internal::Place::current()) {
  Backoff backoff;
  while (!done()) backoff.Pause(where);
}

bool WaitOnWord(const Atomic<uint32_t>& word, uint32_t expected, uint64_t deadline_ns,
                internal::Place where = internal::Place::current());
// One of several sleepers: any.
void WakeOne(const Atomic<uint32_t>& word, internal::Place where = internal::Place::current());
void WakeAll(const Atomic<uint32_t>& word, internal::Place where = internal::Place::current());

class Parker {
 public:
  using Place = internal::Place;

  void Park(Place where = Place::current()) { ParkUntil(kNoDeadline, where); }
  bool ParkUntil(uint64_t deadline_ns, Place where = Place::current());
  void Unpark(Place where = Place::current());

 private:
  enum State : uint32_t { kEmpty, kToken, kParked };
  Atomic<uint32_t> state_{kEmpty};
};

// A thread of the execution, inside of one; outside there are no threads.
class Thread {
 public:
  Thread() = default;
  template <std::invocable F>
  explicit Thread(F body) {
    auto* const heap_body = new F(std::move(body));
    Start(
        [](void* argument) {
          auto* const own = static_cast<F*>(argument);
          (*own)();
          delete own;
        },
        heap_body);
  }
  Thread(Thread&& other) noexcept : id_(std::exchange(other.id_, kNone)) {}
  Thread& operator=(Thread&& other) noexcept {
    Join();
    id_ = std::exchange(other.id_, kNone);
    return *this;
  }
  ~Thread() { Join(); }

  void Join(internal::Place where = internal::Place::current());

 private:
  static constexpr uint32_t kNone = ~0u;
  void Start(void (*body)(void*), void* argument);

  uint32_t id_ = kNone;
};

class ThreadSlots {
 public:
  static constexpr size_t kCapacity = model::Execution::kMaxSlots;

  static void* Get(const void* key);
  static bool Set(const void* key, void* value);
};

}  // namespace model_backend
}  // namespace paddock::sync

#endif  // PADDOCK_CONCURRENCY_MODEL_SYNC_MODEL_H_
