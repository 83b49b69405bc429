// SPDX-License-Identifier: Apache-2.0
//
// What is held back stays within bounds: those of the machine's options while everything that one
// CPU gives up is retired by another, which only comes to interrupt points, and a reader holds up
// every grace period; and those of the memory.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/parallel.h"

namespace paddock {
namespace {

constexpr uint64_t kCpus = 4;
constexpr uint64_t kBacklogLimit = 16;
constexpr uint64_t kBatchSize = 4;
constexpr uint64_t kInFlightLimit = 8;
constexpr int kRounds = 2000;

class Flood : public MachineTest {
 public:
  Flood() : MachineTest(Options()) {}

 protected:
  static Machine::Options Options() {
    Machine::Options options = SmallMachine();
    options.cpus = kCpus;
    options.rcu.backlog_limit = kBacklogLimit;
    options.rcu.batch_size = kBatchSize;
    options.rcu.stall_ns = std::chrono::nanoseconds(kPatience).count();
    options.tlb.in_flight_limit = kInFlightLimit;
    return options;
  }

  // When CPU 1 comes to its interrupt points.
  enum class Polls : uint8_t { kAlways, kWhenNothingGetsOn };

  // Runs `change` on this CPU again and again. CPU 1 runs the space and acknowledges; CPU 2 reads
  // until that does not help any more. Returns the most that was retired and not reclaimed.
  template <typename Change>
  uint64_t Run(VmSpace& space, Polls polls, Change change) {
    std::atomic<bool> done{false};
    Event active, reading, stuck;
    CpuThreads threads(machine().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      space.Activate(cpu);
      active.Set();
      uint64_t before = 0;
      for (uint32_t quiet = 0; !done; ++quiet) {
        const uint64_t acquired = machine().page_tables().lock_stats().acquired;
        if (std::exchange(before, acquired) != acquired) quiet = 0;
        if (polls == Polls::kAlways || quiet > kQuiet) machine().Poll(cpu);
        if (quiet == 10 * kQuiet) stuck.Set();
        std::this_thread::yield();
      }
      machine().DeactivateSpace(cpu);
    });
    threads.Run(2, [&](const CpuPin& cpu) {
      RcuReadGuard section(machine().rcu(), cpu);
      reading.Set();
      EXPECT_TRUE(stuck.Await());
    });
    EXPECT_TRUE(active.Await() && reading.Await());
    uint64_t most = 0;
    for (uint64_t round = 0; round < kRounds; ++round) {
      change();
      const RcuStats stats = machine().rcu().stats();
      most = std::max(most, stats.retired - stats.reclaimed);
    }
    stuck.Set();  // if nothing ever held this CPU back
    done = true;
    threads.Join();
    return most;
  }

  static constexpr uint32_t kQuiet = 50;
};

TEST_F(Flood, OfUnmappedPagesIsHeldBack) {
  const auto space = NewSpace();
  const uint64_t most = Run(*space, Polls::kAlways, [&] {
    MapNew(*space, Page(1));
    EXPECT_EQ(Must(Must(space->OpenCursorMut(pin(), Page(1))).Unmap(kPageSize)).pages, 1u);
  });
  // Sealed, not sealed yet, on the way to the CPU that retires, and what one step adds.
  EXPECT_LE(most, (kCpus + 1) * kBacklogLimit + kCpus * kBatchSize + kInFlightLimit + 2);
}

TEST_F(Flood, OfFlushesIsHeldBack) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  const uint64_t before = machine().tlb().allocations();
  constexpr uint64_t kSpares = 128;  // that CPU 1 keeps for itself before this one gets them back
  bool writable = true;
  Run(*space, Polls::kWhenNothingGetsOn, [&] {
    writable = !writable;
    EXPECT_TRUE(IsOk(
        Must(space->OpenCursorMut(pin(), Page(1))).Protect(kPageSize, [&](PageProperty property) {
          property.flags =
              writable ? property.flags | PageFlags::kWrite : property.flags & ~PageFlags::kWrite;
          return property;
        })));
  });
  EXPECT_LE(machine().tlb().allocations() - before, kSpares + kInFlightLimit + 2);
}

// More than the machine's memory is mapped and unmapped in large pieces, by one CPU, while nobody
// reads: what is retired must come back before memory runs out.
class LargeUnmaps : public MachineTest {
 protected:
  static constexpr uint64_t kMachinePages = 4096;
  static constexpr uint64_t kPages = 500;
  static constexpr uint64_t kRounds = kMachinePages / kPages + 4;

  void MapAndUnmap(VmSpace::CursorMut& cursor) {
    const VirtAddr start = cursor.virt_addr();
    for (uint64_t i = 0; i < kPages; ++i)
      Must(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser)));
    Must(cursor.Jump(start));
    EXPECT_EQ(Must(cursor.Unmap(kPages * kPageSize)).pages, kPages);
    Must(cursor.Jump(start));
  }
  static VirtRange Range() { return {VirtAddr(0), VirtAddr(kPages * kPageSize)}; }
};

TEST_F(LargeUnmaps, DoNotExhaustMemory) {
  const auto space = NewSpace();
  for (uint64_t round = 0; round < kRounds; ++round) {
    VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), Range()));
    MapAndUnmap(cursor);
  }
}

TEST_F(LargeUnmaps, ByCursorsThatNeverWaitDoNotExhaustMemory) {
  const auto space = NewSpace();
  for (uint64_t round = 0; round < kRounds; ++round) {
    VmSpace::CursorMut cursor = Must(space->TryOpenCursorMut(pin(), Range()));
    MapAndUnmap(cursor);
  }
}

TEST_F(LargeUnmaps, ThroughOneCursorDoNotExhaustMemory) {
  const auto space = NewSpace();
  VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), Range()));
  for (uint64_t round = 0; round < kRounds; ++round) MapAndUnmap(cursor);
}

TEST_F(LargeUnmaps, OfKernelAreasDoNotExhaustMemory) {
  constexpr uint64_t kAreaPages = 64;
  for (uint64_t round = 0; round < 2 * kMachinePages / kAreaPages; ++round) {
    USegment segment = Must(frames().AllocateSegment(kAreaPages, 1, Untyped{}, Zeroing::kLeave));
    KVirtArea area = Must(KVirtArea::MapFrames(machine(), pin(), kAreaPages * kPageSize, 0,
                                               std::move(segment), kReadWriteKernel));
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
    machine().Poll(pin());
  }
}

// Tables without a page weigh, too.
TEST_F(LargeUnmaps, CountTheTablesBelowTheOneThatIsCutOut) {
  constexpr uint64_t kTables = 16;
  constexpr uint64_t kSpan = uint64_t{2} << 20;
  const auto space = NewSpace();
  for (uint64_t i = 0; i < kTables; ++i) {
    const VirtAddr start(i * kSpan);
    const VirtRange page{start, start.Plus(kPageSize)};
    MapNew(*space, page);
    EXPECT_EQ(Must(Must(space->OpenCursorMut(pin(), page)).Unmap(kPageSize)).pages, 1u);
  }
  const uint64_t before = machine().rcu().stats().retired;
  constexpr VirtRange kWhole{VirtAddr(0), VirtAddr(uint64_t{1} << 30)};
  EXPECT_EQ(Must(Must(space->OpenCursorMut(pin(), kWhole)).Unmap(kWhole.size())).pages, 0u);
  EXPECT_EQ(machine().rcu().stats().retired - before, 1 + kTables);
}

TEST_F(LargeUnmaps, OfWholeTablesDoNotExhaustMemory) {
  const auto space = NewSpace();
  constexpr uint64_t kSpan = uint64_t{2} << 20;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const VirtAddr start(round * kSpan);
    VmSpace::CursorMut cursor = Must(space->OpenCursorMut(pin(), {start, start.Plus(kSpan)}));
    for (uint64_t i = 0; i < kPages; ++i)
      Must(cursor.Map(MappedFrames(NewFrame(), kReadWriteUser)));
    Must(cursor.Jump(start));
    EXPECT_EQ(Must(cursor.Unmap(kSpan)).pages, kPages);
  }
}

}  // namespace
}  // namespace paddock
