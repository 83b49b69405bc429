// SPDX-License-Identifier: Apache-2.0
//
// A warm machine dispatches without the heap. The binary counts every allocation it makes.

#include <atomic>
#include <cstdlib>
#include <new>
#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"

namespace {

std::atomic<uint64_t> allocations{0};

void* Counted(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}

}  // namespace

void* operator new(std::size_t bytes) { return Counted(bytes); }
void* operator new[](std::size_t bytes) { return Counted(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace paddock {
namespace {

void UnmapOne(TlbMachine& m, TlbContext& context, const CpuPin& pin, uint64_t page,
              PhysAddr frame) {
  TlbFlusher flusher(m.tlb(), context, pin);
  flusher.Issue(Pages(page, 1));
  flusher.Retire(FrameRun{frame, 1});
  flusher.Dispatch();
}

TEST(AllocationTest, NoneForADispatchThatNobodyElseHasToSee) {
  TlbMachine m(1);
  TlbContext context(m.tlb());
  CpuPin pin = m.cpus().Pin(CpuId{0}).value();
  m.tlb().Activate(pin, context);
  uint64_t warm = 0;
  uint64_t pooled = 0;
  for (int i = 0; i < 4000; ++i) {
    if (i == 2000) {
      warm = allocations;
      pooled = m.tlb().allocations();
    }
    UnmapOne(m, context, pin, i % 100, m.NewFrame());
    m.rcu().Poll(pin);
  }
  EXPECT_EQ(allocations - warm, 0u);
  EXPECT_EQ(m.tlb().allocations(), pooled);
  EXPECT_EQ(context.generation(), 1u);
  m.tlb().Deactivate(pin);
}

TEST(AllocationTest, NoneForADispatchToAnotherCpuThatIsWaitedFor) {
  TlbMachine m(2);
  TlbContext context(m.tlb());
  TestCpu cpu0(m, 0);
  TestCpu cpu1(m, 1);
  std::atomic<bool> stop = false;
  std::atomic<bool> ready = false;
  enum class Reclaim { kNothing, kWhatIsDue };
  const auto serve = [&](Reclaim reclaim) {
    ready = stop = false;
    cpu1.Start([&, reclaim](const CpuPin& pin) {
      m.tlb().Activate(pin, context);
      std::optional<RcuReadGuard> section;
      if (reclaim == Reclaim::kNothing) section.emplace(m.rcu(), pin);
      ready = true;
      while (!stop) {
        m.bus().Poll(pin);
        if (reclaim == Reclaim::kWhatIsDue) m.rcu().Poll(pin);
        std::this_thread::yield();
      }
    });
    while (!ready) std::this_thread::yield();
  };
  const auto unmap = [&](const CpuPin& pin, int times) {
    for (int i = 0; i < times; ++i) {
      TlbFlusher flusher(m.tlb(), context, pin);
      flusher.Issue(Pages(i % 100, 1));
      flusher.Retire(FrameRun{m.NewFrame(), 1});
      flusher.Sync();
      if (i % 2 == 0) m.rcu().Poll(pin);
    }
  };

  // Warm: a section that stays open holds all batches back until the end, whichever CPU retired
  // them, so there are more of them than the measured part can ever hold at once, whatever the
  // threads do.
  serve(Reclaim::kNothing);
  cpu0.Run([&](const CpuPin& pin) {
    m.tlb().Activate(pin, context);
    unmap(pin, 1500);
    stop = true;
  });
  cpu1.Run([&](const CpuPin& pin) { m.PassGracePeriods(pin); });

  uint64_t grown = 0;
  serve(Reclaim::kWhatIsDue);
  cpu0.Run([&](const CpuPin& pin) {
    const uint64_t warm = allocations;
    unmap(pin, 1000);
    grown = allocations - warm;
    stop = true;
  });
  cpu1.Finish();
  EXPECT_EQ(grown, 0u);
}

}  // namespace
}  // namespace paddock
