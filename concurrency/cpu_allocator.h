// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_CPU_ALLOCATOR_H_
#define PADDOCK_CONCURRENCY_CPU_ALLOCATOR_H_

#include <cstddef>
#include <new>

#include "paddock/concurrency/cpu.h"

namespace paddock {

// For containers that one CPU writes often: memory of the heap that starts and ends at multiples of
// kCpuStride, and so has no cache line in common with a neighbour.
//
//   std::vector<Slot, CpuAllocator<Slot>> slots_;
template <class T>
struct CpuAllocator {
  using value_type = T;

  CpuAllocator() = default;
  // Implicit: containers make allocators of their nodes from it.
  template <class U>
  CpuAllocator(const CpuAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t n) {
    return static_cast<T*>(::operator new(Bytes(n), std::align_val_t{kCpuStride}));
  }
  void deallocate(T* memory, size_t n) {
    ::operator delete(memory, Bytes(n), std::align_val_t{kCpuStride});
  }

  friend bool operator==(const CpuAllocator&, const CpuAllocator&) = default;

 private:
  static size_t Bytes(size_t n) { return (n * sizeof(T) + kCpuStride - 1) & ~(kCpuStride - 1); }
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_CPU_ALLOCATOR_H_
