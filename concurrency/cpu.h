// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_CPU_H_
#define PADDOCK_CONCURRENCY_CPU_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/concurrency/sync.h"

namespace paddock {

class CpuPin;
class CpuRegistry;

// What one CPU writes often stands at least this far from what another one writes: two cache
// lines, since x86 fetches lines in pairs.
inline constexpr size_t kCpuStride = 128;

// Told when a CPU wakes (its outermost pin was taken) and when it goes idle (its outermost pin is
// about to be dropped). Both run on the CPU's thread, with that pin; both may pin the CPU again,
// neither may wait for another CPU. Waking calls the observers in the order in which they were
// added, going idle in the reverse order.
class CpuObserver {
 public:
  virtual void OnWake(const CpuPin& pin) = 0;
  virtual void OnIdle(const CpuPin& pin) = 0;

 protected:
  ~CpuObserver() = default;
};

namespace internal {

// One logical CPU.
struct alignas(kCpuStride) CpuState {
  CpuRegistry* registry = nullptr;
  CpuId id;
  // invariant: both touched by the thread that holds `taken` only
  uint32_t nesting = 0;
  CpuState* next_of_thread = nullptr;  // another CPU, of another registry, that the thread is on
  sync::Atomic<uint32_t> taken{};      // 1: a thread is on this CPU
};

// The CPUs that the calling thread is on: a list, the last joined first. Any number.
class CpusOfThread {
 public:
  static CpuState* First() { return static_cast<CpuState*>(sync::ThreadSlots::Get(&kKey)); }
  static CpuState* Of(const CpuRegistry* registry) {
    CpuState* state = First();
    while (state != nullptr && state->registry != registry) [[unlikely]]
      state = state->next_of_thread;
    return state;
  }
  static void Add(CpuState& state);
  static void Remove(CpuState& state);

 private:
  static void SetFirst(CpuState* first);

  static constexpr char kKey = 0;  // its address is what counts
};

}  // namespace internal

// Proof that the calling thread is on a logical CPU and stays on it: as long as a pin lives, no
// other thread is on that CPU. Per-CPU data is reached by showing one.
//
//   absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
//   if (!pin.ok()) return pin.status();
//   RcuReadGuard guard(rcu, *pin);
//
// Pins nest and are counted. Move-only; a pin is used and dropped on the thread that took it. A
// moved-from pin may only be assigned to or destroyed.
class [[nodiscard]] CpuPin {
 public:
  CpuPin(CpuPin&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  CpuPin& operator=(CpuPin&& other) noexcept {
    if (this != &other) {
      Drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~CpuPin() { Drop(); }

  CpuId cpu() const {
    PADDOCK_DCHECK(state_ != nullptr, "a moved-from pin is used");
    return state_->id;
  }
  CpuRegistry& registry() const {
    PADDOCK_DCHECK(state_ != nullptr, "a moved-from pin is used");
    return *state_->registry;
  }

 private:
  friend class CpuRegistry;
  explicit CpuPin(internal::CpuState* state) : state_(state) {}

  inline void Drop();

  internal::CpuState* state_;
};

// The logical CPUs of one machine. A thread joins a CPU with Pin and leaves it with the last pin;
// it may be on one CPU of each of any number of registries at a time.
//
//   CpuRegistry registry(4);
//   absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{2});
//
// Thread-safe, except for the constructor, the destructor, AddObserver and RemoveObserver, during
// which no CPU may be pinned (checked: abort). Cost: a nested pin is a thread-local look-up and an
// increment, plus a step for each registry that the thread has joined since; the outermost one adds
// a compare-exchange and the observers.
class CpuRegistry {
 public:
  static constexpr uint32_t kDefaultMaxNesting = 1u << 20;

  // `cpus` is 1 .. kMaxCpus (checked). `max_nesting` pins of one CPU may be alive at once.
  explicit CpuRegistry(uint32_t cpus, uint32_t max_nesting = kDefaultMaxNesting);
  ~CpuRegistry();
  CpuRegistry(const CpuRegistry&) = delete;
  CpuRegistry& operator=(const CpuRegistry&) = delete;

  // Errors, which change nothing:
  //   INVALID_ARGUMENT      `cpu` is not below size()
  //   UNAVAILABLE           another thread is on `cpu`
  //   FAILED_PRECONDITION   the calling thread is on another CPU of this registry
  //   RESOURCE_EXHAUSTED    max_nesting pins are alive
  absl::StatusOr<CpuPin> Pin(CpuId cpu) {
    internal::CpuState* const mine = internal::CpusOfThread::Of(this);
    if (mine != nullptr && mine->id == cpu && mine->nesting < max_nesting_) [[likely]] {
      ++mine->nesting;
      return CpuPin(mine);
    }
    return PinSlow(cpu, mine);
  }

  uint32_t size() const { return size_; }

  // The CPU that the calling thread is on, if any.
  std::optional<CpuId> CurrentCpu() const {
    const internal::CpuState* const mine = internal::CpusOfThread::Of(this);
    if (mine == nullptr) return std::nullopt;
    return mine->id;
  }

  // Whether `pin` is one of this registry. Whoever reaches per-CPU data with a pin that a caller
  // passed asks first: the same number is another CPU elsewhere. Cost: a comparison.
  bool Owns(const CpuPin& pin) const { return &pin.registry() == this; }
  // What to return to such a caller: INVALID_ARGUMENT.
  static absl::Status ForeignPinError(const CpuPin& pin);

  // The observer lives until it is removed. Not while any CPU is pinned (checked).
  void AddObserver(CpuObserver* observer);
  void RemoveObserver(CpuObserver* observer);

 private:
  friend class CpuPin;

  absl::StatusOr<CpuPin> PinSlow(CpuId cpu, const internal::CpuState* mine);
  void GoIdle(CpuPin& last);
  void CheckNoneIsPinned() const;

  const uint32_t size_;
  const uint32_t max_nesting_;
  std::unique_ptr<internal::CpuState[]> states_;
  std::vector<CpuObserver*> observers_;
};

inline void CpuPin::Drop() {
  if (state_ == nullptr) return;
  PADDOCK_DCHECK(state_->registry->CurrentCpu() == state_->id,
                 "a pin is dropped on a thread that did not take it");
  if (state_->nesting == 1) [[unlikely]] {
    state_->registry->GoIdle(*this);
  } else {
    --state_->nesting;
  }
  state_ = nullptr;
}

// One T for each CPU, each on cache lines of its own. T is default-constructed and stays in place.
//
//   CpuLocal<Magazine> magazines(registry);
//   magazines.Get(pin).Put(frame);       // this CPU's: no other thread gets it that way
//   magazines.At(CpuId{3})               // any CPU's: T must allow for its owner
//
// A pin of another registry is a broken invariant. `registry` may die first.
template <class T>
class CpuLocal {
 public:
  explicit CpuLocal(const CpuRegistry& registry)
      : registry_(&registry),
        size_(registry.size()),
        items_(std::make_unique<Item[]>(registry.size())) {}

  T& Get(const CpuPin& pin) {
    PADDOCK_DCHECK(&pin.registry() == registry_, "a pin of another registry");
    return At(pin.cpu());
  }
  const T& Get(const CpuPin& pin) const {
    PADDOCK_DCHECK(&pin.registry() == registry_, "a pin of another registry");
    return At(pin.cpu());
  }
  T& At(CpuId cpu) {
    PADDOCK_DCHECK(cpu.value < size_, "a CPU of another registry");
    return items_[cpu.value].value;
  }
  const T& At(CpuId cpu) const {
    PADDOCK_DCHECK(cpu.value < size_, "a CPU of another registry");
    return items_[cpu.value].value;
  }
  uint32_t size() const { return size_; }

 private:
  struct alignas(kCpuStride) Item {
    T value{};
  };

  const CpuRegistry* registry_;  // compared, never followed
  uint32_t size_;
  std::unique_ptr<Item[]> items_;
};

// A statistic: each CPU adds to its own part, any thread reads the sum. Exact once the CPUs are
// quiet, else somewhere between the sums before and after the call. Wraps at 2^64.
class CpuCounter {
 public:
  explicit CpuCounter(const CpuRegistry& registry) : parts_(registry) {}

  void Add(const CpuPin& pin, uint64_t n = 1) {
    sync::Atomic<uint64_t>& part = parts_.Get(pin);
    // order: relaxed: only the pinned thread writes its part, and the sum orders nothing.
    part.store(part.load(sync::relaxed) + n, sync::relaxed);
  }

  uint64_t Sum() const {
    uint64_t sum = 0;
    for (uint32_t cpu = 0; cpu < parts_.size(); ++cpu) {
      // order: relaxed: a statistic; see Add.
      sum += parts_.At(CpuId{cpu}).load(sync::relaxed);
    }
    return sum;
  }

 private:
  CpuLocal<sync::Atomic<uint64_t>> parts_;
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_CPU_H_
