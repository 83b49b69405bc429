// SPDX-License-Identifier: Apache-2.0
//
// What Linux does for a program that maps anonymous memory page by page: a mapping is mmap and a
// touch, which faults a zeroed page in. Real page tables and TLBs, through system calls.
//
// Thread safety: any thread. Failure: the process stops. Frames are the kernel's own: those of the
// caller are taken and given back, not used.

#ifndef PADDOCK_STRESS_BENCH_BASELINES_LINUX_MEMORY_H_
#define PADDOCK_STRESS_BENCH_BASELINES_LINUX_MEMORY_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#include "benchmark/benchmark.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/stress/bench/baselines/plain_entry.h"

namespace paddock::bench {

class LinuxMemory {
 public:
  void Map(uint64_t address, uint64_t /*frame*/) { MapAndTouch(address, 1); }
  void Protect(uint64_t address, Right right) {
    const int rights = right == Right::kWrite ? PROT_READ | PROT_WRITE : PROT_READ;
    PADDOCK_CHECK(mprotect(At(address), kPageSize, rights) == 0, "mprotect failed");
    benchmark::DoNotOptimize(*At(address));
  }
  uint64_t Unmap(uint64_t address) {
    Remove(address, 1);
    return 0;
  }
  template <typename Next>
  void MapRange(uint64_t address, uint64_t pages, Next next) {
    MapAndTouch(address, pages);
    for (uint64_t i = 0; i < pages; ++i) next();
  }
  template <typename Release>
  void UnmapRange(uint64_t address, uint64_t pages, Release release) {
    Remove(address, pages);
    for (uint64_t i = 0; i < pages; ++i) release(0);
  }

 private:
  // Far from where the system puts what asks for no address.
  static constexpr uint64_t kBase = uint64_t{0x2000} << 32;

  static std::byte* At(uint64_t address) { return reinterpret_cast<std::byte*>(kBase + address); }

  static void Remove(uint64_t address, uint64_t pages) {
    PADDOCK_CHECK(munmap(At(address), pages * kPageSize) == 0, "munmap failed");
  }
  static void MapAndTouch(uint64_t address, uint64_t pages) {
    std::byte* const start = At(address);
    const void* const mapped = mmap(start, pages * kPageSize, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    PADDOCK_CHECK(mapped == start, "mmap failed");
    if (pages > 1) madvise(start, pages * kPageSize, MADV_NOHUGEPAGE);
    for (uint64_t i = 0; i < pages; ++i) start[i * kPageSize] = std::byte{1};
    benchmark::ClobberMemory();
  }
};

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_BASELINES_LINUX_MEMORY_H_
