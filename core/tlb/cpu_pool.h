// SPDX-License-Identifier: Apache-2.0
//
// A pool of objects that are taken on one CPU and often given back on another: a list per CPU, and
// a shared one that they exchange whole handfuls with. Grows when everything is in use, never
// shrinks.
//
//   CpuPool<FrameRunChunk> chunks(cpus, 32, [] { return std::make_unique<FrameRunChunk>(); });
//   FrameRunChunk* chunk = chunks.Take(pin);
//   chunks.Put(pin, chunk);
//
// T has a member `T* pool_next`, which belongs to the pool while the object is in it. Objects are
// not destroyed, constructed or cleared between uses.
//
// Thread safety: Take and Put from any CPU's thread; the rest any time. Failure: destroying the
// pool while an object is in use is a broken invariant. Cost: a few instructions; the shared list's
// lock once per handful; a heap allocation only while the pool grows.

#ifndef PADDOCK_CORE_TLB_CPU_POOL_H_
#define PADDOCK_CORE_TLB_CPU_POOL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/spin_lock.h"

namespace paddock {

template <typename T>
class CpuPool {
 public:
  // A CPU keeps fewer than 2 * `handful` unused objects to itself.
  CpuPool(const CpuRegistry& cpus, uint32_t handful, std::function<std::unique_ptr<T>()> make)
      : handful_(handful), make_(std::move(make)), local_(cpus) {}
  // Everything was given back.
  ~CpuPool() { PADDOCK_CHECK(InUse() == 0, "a pool is destroyed while its objects are in use"); }
  CpuPool(const CpuPool&) = delete;
  CpuPool& operator=(const CpuPool&) = delete;

  T* Take(const CpuPin& pin) {
    Local& local = local_.Get(pin);
    if (local.unused.count == 0) Refill(local);
    return local.unused.Pop();
  }

  void Put(const CpuPin& pin, T* object) {
    Local& local = local_.Get(pin);
    local.unused.Push(object);
    if (local.unused.count == 2 * handful_) Spill(local);
  }

  // Objects that exist.
  uint64_t allocated() const {
    SpinLockGuard guard(lock_);
    return all_.size();
  }

  // Objects taken and not given back. Only while no CPU uses the pool.
  uint64_t InUse() const {
    SpinLockGuard guard(lock_);
    uint64_t unused = shared_.count;
    for (uint32_t cpu = 0; cpu < local_.size(); ++cpu) unused += local_.At(CpuId{cpu}).unused.count;
    return all_.size() - unused;
  }

 private:
  struct List {
    T* first = nullptr;
    uint64_t count = 0;

    void Push(T* object) {
      object->pool_next = first;
      first = object;
      ++count;
    }
    T* Pop() {
      T* object = first;
      first = object->pool_next;
      --count;
      return object;
    }
  };
  // invariant: touched by the thread on that CPU only.
  struct Local {
    List unused;
  };

  ABSL_ATTRIBUTE_NOINLINE void Refill(Local& local) {
    SpinLockGuard guard(lock_);
    if (shared_.count == 0) {
      all_.push_back(make_());
      local.unused.Push(all_.back().get());
      return;
    }
    while (shared_.count != 0 && local.unused.count < handful_) local.unused.Push(shared_.Pop());
  }

  ABSL_ATTRIBUTE_NOINLINE void Spill(Local& local) {
    SpinLockGuard guard(lock_);
    while (local.unused.count > handful_) shared_.Push(local.unused.Pop());
  }

  const uint32_t handful_;
  const std::function<std::unique_ptr<T>()> make_;
  mutable CpuLocal<Local> local_;
  // Apart from what every Take and Put reads.
  alignas(kCpuStride) mutable SpinLock lock_;
  List shared_ ABSL_GUARDED_BY(lock_);
  std::vector<std::unique_ptr<T>> all_ ABSL_GUARDED_BY(lock_);
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_CPU_POOL_H_
