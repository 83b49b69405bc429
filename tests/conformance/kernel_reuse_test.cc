// SPDX-License-Identifier: Apache-2.0
//
// "Kernel half" and "Known failures": an address of an area is not used again before it was flushed
// everywhere; that costs a flush per batch of areas; and a flush that is not done is seen.

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/transport.h"
#include "paddock/tests/conformance/kernel_oracle.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/parallel.h"

namespace paddock {
namespace {

using absl::StatusCode;

class KernelReuse : public KernelAreaTest {
 protected:
  explicit KernelReuse(Machine::Options options = SmallWindow())
      : KernelAreaTest(std::move(options)) {}

  AccessResult Load(const CpuPin& cpu, VirtAddr va) { return Must(machine().KernelLoad(cpu, va)); }
  // `destroy` puts all of the window into quarantine while CPU 1 runs and comes to no interrupt
  // point. CPU 2 then creates an area of the whole window: it sends a flush, and is done only when
  // CPU 1 has acknowledged that.
  void ExpectCreationWaitsForAFlushAfter(absl::FunctionRef<void()> destroy) {
    Event active, may_poll, created;
    CpuThreads threads(machine().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      active.Set();
      EXPECT_TRUE(may_poll.Await());  // without an interrupt point
      EXPECT_TRUE(created.Await([&] { machine().Poll(cpu); }));
    });
    ASSERT_TRUE(active.Await());
    destroy();
    EXPECT_EQ(kernel().stats().quarantined_pages, kWindowPages);
    const uint64_t batches = machine().tlb().stats().batches;
    threads.Run(2, [&](const CpuPin& cpu) {
      const KVirtArea area = NewArea(cpu, kWindowPages);
      created.Set();
    });
    EXPECT_TRUE(Eventually([&] { return machine().tlb().stats().batches == batches + 1; },
                           [&] { machine().Poll(pin()); }));
    EXPECT_FALSE(created.IsSet());
    EXPECT_EQ(kernel().stats().quarantined_pages, kWindowPages);
    may_poll.Set();
    EXPECT_TRUE(AwaitServing(created));
  }
  // The main thread is CPU 0 and has to acknowledge flushes while it waits.
  [[nodiscard]] bool AwaitServing(const Event& event) {
    return event.Await([&] { machine().Poll(pin()); });
  }
};

TEST_F(KernelReuse, WaitsForACpuThatMayHaveTheAddressesInItsTlb) {
  KVirtArea old_area = NewArea(pin(), kWindowPages);
  const VirtAddr va = old_area.range().start;
  const PhysAddr old_frame = FrameAt(va);
  Event loaded, may_poll, created, judged;
  PhysAddr new_frame;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    EXPECT_EQ(Load(cpu, va).frame, old_frame);
    loaded.Set();
    EXPECT_TRUE(may_poll.Await());  // without an interrupt point
    const AccessResult stale = Load(cpu, va);
    EXPECT_EQ(stale.frame, old_frame) << "its entry is stale by right";
    EXPECT_EQ(stale.generation_at_fill, stale.generation_now) << "a freed frame was reached";
    EXPECT_TRUE(created.Await([&] { machine().Poll(cpu); }));
    EXPECT_EQ(Load(cpu, va).frame, new_frame);
    judged.Set();
  });
  ASSERT_TRUE(loaded.Await());
  EXPECT_TRUE(IsOk(old_area.Destroy(pin())));
  EXPECT_FALSE(machine().bus().HasPending(CpuId{1})) << "nobody is interrupted for one area";
  threads.Run(2, [&](const CpuPin& cpu) {
    KVirtArea area = NewArea(cpu, kWindowPages);
    EXPECT_EQ(area.range().start, va);
    new_frame = FrameAt(cpu, va);
    created.Set();
    EXPECT_TRUE(judged.Await([&] { machine().Poll(cpu); }));
    EXPECT_TRUE(IsOk(area.Destroy(cpu)));
  });
  // The creation needs the addresses and asks CPU 1 for its acknowledgement: it cannot be done.
  EXPECT_TRUE(Eventually([&] { return machine().bus().HasPending(CpuId{1}); },
                         [&] { machine().Poll(pin()); }));
  EXPECT_FALSE(created.IsSet());
  may_poll.Set();
  EXPECT_TRUE(AwaitServing(judged));
  threads.Join();
}

TEST_F(KernelReuse, DoesNotWaitForAnIdleCpuWhichFlushesOnWaking) {
  KVirtArea old_area = NewArea(pin(), kWindowPages);
  const VirtAddr va = old_area.range().start;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) { EXPECT_EQ(Load(cpu, va).frame, FrameAt(cpu, va)); });
  threads.Join();
  EXPECT_TRUE(IsOk(old_area.Destroy(pin())));
  const KVirtArea area = NewArea(pin(), kWindowPages);
  ASSERT_EQ(area.range().start, va);
  threads.Run(1, [&](const CpuPin& cpu) { EXPECT_EQ(Load(cpu, va).frame, FrameAt(cpu, va)); });
  threads.Join();
}

TEST_F(KernelReuse, TheDestroyingCpuIsFlushedLikeAnyOther) {
  for (int round = 0; round < 3; ++round) {
    KVirtArea area = NewArea(pin(), kWindowPages);
    const VirtAddr va = area.range().start;
    EXPECT_EQ(Load(pin(), va).frame, FrameAt(va));
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
  }
}

// Its owner unmapped it with a cursor, whose flush was sent and not acknowledged: nothing is left
// to unmap when the area goes, and still CPUs may have it.
TEST_F(KernelReuse, WaitsForAFlushThatTheOwnersCursorSent) {
  KVirtArea area = NewArea(pin(), kWindowPages);
  ExpectCreationWaitsForAFlushAfter([&] {
    {
      auto cursor = Must(kernel().table().OpenCursorMut(pin(), area.range()));
      EXPECT_EQ(Must(cursor.Unmap(cursor.remaining())).pages, kWindowPages);
    }
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
  });
}

class KernelReuseWithPromptFlushes : public KernelReuse {
 protected:
  static Machine::Options Prompt() {
    Machine::Options options = SmallWindow();
    options.kernel.quarantine_areas = 0;
    return options;
  }
  KernelReuseWithPromptFlushes() : KernelReuse(Prompt()) {}
};

// A flush of the addresses was sent before, by another CPU, and not acknowledged. Who needs them
// sends one of its own, rather than to wait for somebody else's.
TEST_F(KernelReuseWithPromptFlushes, WaitsForAFlushOfItsOwnIfOthersAreUnderWay) {
  KVirtArea area = NewArea(pin(), kWindowPages);
  ExpectCreationWaitsForAFlushAfter([&] {
    const uint64_t batches = machine().tlb().stats().batches;
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
    EXPECT_EQ(machine().tlb().stats().batches, batches + 1);
  });
}

class KernelReuseInBatches : public KernelReuse {
 protected:
  static Machine::Options Batches() {
    Machine::Options options = SmallWindow(1024);
    options.kernel.quarantine_areas = 8;
    options.kernel.quarantine_pages = 100;
    return options;
  }
  KernelReuseInBatches() : KernelReuse(Batches()) {}
};

TEST_F(KernelReuseInBatches, ManyAreasAreFlushedAtOnceAndWithoutWaiting) {
  Event active, finish;
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin&) {
    active.Set();
    EXPECT_TRUE(finish.Await());  // never acknowledges
  });
  ASSERT_TRUE(active.Await());
  const TlbStats before = machine().tlb().stats();
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 8; ++i) NewArea(pin(), 1).Destroy(pin()).IgnoreError();
    EXPECT_EQ(machine().tlb().stats().batches, before.batches + round - 1);
    NewArea(pin(), 1).Destroy(pin()).IgnoreError();
    EXPECT_EQ(machine().tlb().stats().batches, before.batches + round);
  }
  EXPECT_EQ(machine().tlb().stats().interrupts, before.interrupts + 1) << "one kick for all";
  EXPECT_EQ(kernel().stats().quarantined_pages, 27u);
  finish.Set();
  threads.Join();
  // The next one to come finds them acknowledged.
  EXPECT_TRUE(IsOk(NewArea(pin(), 1).Destroy(pin())));
  EXPECT_EQ(kernel().stats().quarantined_pages, 1u);
}

TEST_F(KernelReuseInBatches, ManyPagesAreFlushedAtOnceToo) {
  const TlbStats before = machine().tlb().stats();
  EXPECT_TRUE(IsOk(NewArea(pin(), 100).Destroy(pin())));
  EXPECT_EQ(machine().tlb().stats().batches, before.batches);
  EXPECT_TRUE(IsOk(NewArea(pin(), 1).Destroy(pin())));
  EXPECT_EQ(machine().tlb().stats().batches, before.batches + 1);
  EXPECT_EQ(kernel().stats().free_pages, 1024u) << "nobody had to acknowledge";
}

// Each creation needs the addresses of what was destroyed, and with it the other's acknowledgement.
TEST_F(KernelReuse, CpusThatWaitForEachOthersFlushesFinish) {
  std::atomic<int> finished{0};
  CpuThreads threads(machine().cpus());
  for (const uint32_t id : {1u, 2u, 3u}) {
    threads.Run(id, [&](const CpuPin& cpu) {
      for (int i = 0; i < 200; ++i) {
        auto area = TryNewArea(cpu, kWindowPages / 4);
        if (area.ok()) {
          EXPECT_TRUE(IsOk(area->Destroy(cpu)));
        } else {
          EXPECT_TRUE(Refused(area, StatusCode::kResourceExhausted));
        }
        if (i % 7 == 0) kernel().FlushDestroyedAreas(cpu);
        machine().Poll(cpu);
      }
      ++finished;
    });
  }
  EXPECT_TRUE(Eventually([&] { return finished == 3; }, [&] { machine().Poll(pin()); }));
  threads.Join();
}

// Says that every CPU has flushed; none but the caller has.
class LyingTransport final : public ShootdownTransport {
 public:
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }
};

struct HasLyingTransport {
  Machine::Options Lying(Machine::Options options) {
    options.transport = &lying;
    return options;
  }
  LyingTransport lying;
};

class KernelReuseWithoutFlushes : protected HasLyingTransport, public KernelReuse {
 protected:
  KernelReuseWithoutFlushes() : KernelReuse(HasLyingTransport::Lying(SmallWindow())) {}

  // CPU 1 has an entry of the old area's; the new one has the same addresses. Returns what CPU 1
  // then reaches.
  AccessResult AccessAfterReuse(VirtAddr va, absl::FunctionRef<void()> reuse) {
    Event loaded, reused;
    AccessResult result;
    CpuThreads threads(machine().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      Load(cpu, va);
      loaded.Set();
      EXPECT_TRUE(reused.Await([&] { machine().Poll(cpu); }));
      result = Load(cpu, va);
      oracle_.CheckAccess(cpu, va, result);
    });
    EXPECT_TRUE(AwaitServing(loaded));
    reuse();
    reused.Set();
    threads.Join();
    return result;
  }

  KernelOracle oracle_;
};

TEST_F(KernelReuseWithoutFlushes, TheTlbOracleSeesAFreedFrameReachedThroughReusedAddresses) {
  std::optional<KVirtArea> area = NewArea(pin(), kWindowPages);
  const VirtAddr va = area->range().start;
  AccessAfterReuse(va, [&] {
    area.reset();
    area = NewArea(pin(), kWindowPages);
    ASSERT_EQ(area->range().start, va);
    machine().rcu().Drain(pin());
  });
  EXPECT_EQ(oracle_.violations(), 1u);
}

TEST_F(KernelReuseWithoutFlushes, AWrongFrameIsReachedEvenIfItWasNotFreed) {
  UFrame frame = NewFrame();
  const UFrame kept = Must(frame.Clone());
  KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), kWindowPages * kPageSize, 0,
                                             absl::MakeSpan(&frame, 1), kReadWriteKernel));
  const VirtAddr va = area.range().start;
  const AccessResult reached = AccessAfterReuse(va, [&] {
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
    area = NewArea(pin(), kWindowPages);
  });
  EXPECT_EQ(reached.frame, kept.start());
  EXPECT_NE(reached.frame, FrameAt(va)) << "which is why addresses wait, not only frames";
}

}  // namespace
}  // namespace paddock
