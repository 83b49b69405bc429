// SPDX-License-Identifier: Apache-2.0
//
// Which cache lines pass between CPUs that have no granule in common: docs/scaling.md.
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/scaling/line_recorder.h"
#include "paddock/tests/scaling/scaling_world.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

// Retired frames are sealed in batches of this many or more; fewer in a row see no seal.
constexpr uint64_t kLessThanABatch = RcuDomain::kLeastBatch - 4;

struct Case {
  const char* name;
  Spaces spaces;
  PageStep prepare;
  PageStep step;
  uint64_t window;  // operations in a row, between which nothing is reclaimed
  Tables tables = Tables::kOneForEach;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class SteadyState : public testing::TestWithParam<Case> {};

TEST_P(SteadyState, NoLineIsWrittenByOneCpuAndTouchedByAnother) {
  constexpr uint64_t kOperations = 2048;  // of each CPU
  const Case& each = GetParam();
  ScalingWorld world(3, each.spaces, each.tables);
  const auto window = [&] {
    world.ForEachPage(each.prepare);
    world.Settle();
    world.FillMagazines();
    return world.Record(each.step, each.window);
  };
  window();  // fills magazines, pools and software TLBs
  for (uint64_t done = 0; done < kOperations; done += each.window) {
    const Figure figure = window();
    EXPECT_GT(figure.touches, 10 * figure.operations) << "the library is not instrumented";
    ASSERT_EQ(figure.transfers, 0u) << "after " << done << " operations\n" << figure.report;
  }
}

constexpr uint64_t kTable = ScalingWorld::kPages;
constexpr uint64_t kThirdOfATable = 168;

INSTANTIATE_TEST_SUITE_P(
    Operations, SteadyState,
    testing::Values(Case{"LookUp", Spaces::kOneNeverRun, EnsureMapped, LookUp, kTable},
                    Case{"Query", Spaces::kOneNeverRun, EnsureMapped, Query, kTable},
                    Case{"Map", Spaces::kOneNeverRun, EnsureUnmapped, Map, kTable},
                    Case{"Protect", Spaces::kOneNeverRun, EnsureMapped, Protect, kTable},
                    Case{"Unmap", Spaces::kOneNeverRun, EnsureMapped, Unmap, kLessThanABatch},
                    Case{"LookUpInOwnSpace", Spaces::kOneForEach, EnsureMapped, LookUp, kTable},
                    Case{"QueryInOwnSpace", Spaces::kOneForEach, EnsureMapped, Query, kTable},
                    Case{"MapInOwnSpace", Spaces::kOneForEach, EnsureUnmapped, Map, kTable},
                    Case{"ProtectInOwnSpace", Spaces::kOneForEach, EnsureMapped, Protect, kTable},
                    Case{"UnmapInOwnSpace", Spaces::kOneForEach, EnsureMapped, Unmap,
                         kLessThanABatch},
                    Case{"LookUpWhereAllRun", Spaces::kOneRunByAll, EnsureMapped, LookUp, kTable},
                    Case{"QueryWhereAllRun", Spaces::kOneRunByAll, EnsureMapped, Query, kTable},
                    Case{"MapWhereAllRun", Spaces::kOneRunByAll, EnsureUnmapped, Map, kTable},
                    Case{"LoadInOwnSpace", Spaces::kOneForEach, EnsureMapped, Load, kTable},
                    Case{"LoadWhereAllRun", Spaces::kOneRunByAll, EnsureMapped, Load, kTable},
                    Case{"LookUpInOneTable", Spaces::kOneNeverRun, EnsureMapped, LookUp,
                         kThirdOfATable, Tables::kOneForAll},
                    Case{"QueryInOneTable", Spaces::kOneNeverRun, EnsureMapped, Query,
                         kThirdOfATable, Tables::kOneForAll},
                    Case{"MapInOneTable", Spaces::kOneNeverRun, EnsureUnmapped, Map, kThirdOfATable,
                         Tables::kOneForAll},
                    Case{"ProtectInOneTable", Spaces::kOneNeverRun, EnsureMapped, Protect,
                         kThirdOfATable, Tables::kOneForAll},
                    Case{"UnmapInOneTable", Spaces::kOneNeverRun, EnsureMapped, Unmap,
                         kLessThanABatch, Tables::kOneForAll}),
    [](const testing::TestParamInfo<Case>& info) { return std::string(info.param.name); });

// The control: as long as nothing has moved, each cursor in one leaf table writes its lock word.
TEST(OneLeafTable, IsSharedBeforeItsLocksMove) {
  constexpr uint32_t kCpus = 3;
  constexpr uint64_t kRounds = 100;
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  const Figure figure = world.Record(
      [](ScalingWorld& w, const CpuPin& pin, uint64_t) {
        // 64 pages apart: other lines of entries.
        const VirtAddr start((ScalingWorld::kPages + 64 * pin.cpu().value) * kPageSize);
        Must(w.space(pin).OpenCursorMut(pin, VirtRange{start, start.Plus(kPageSize)}).status());
      },
      kRounds);
  EXPECT_GE(figure.transfers, kCpus * (kRounds - 1)) << figure.report;
}

void Report(const char* what, uint32_t cpus, const Figure& figure) {
  std::printf("%s, %u CPUs: %.4f transfers per operation\n", what, cpus, figure.PerOperation());
}

class Reclamation : public testing::TestWithParam<uint32_t> {};

// A batch of frames is sealed and the epoch advanced twice, in one turn here. The epoch's line
// comes to the CPU and goes back to everybody's next section: n transfers. The advances look at the
// announcements of the others, who take those lines back: 2 (n - 1). CPUs that seal at the same
// time would share the advances; here they do so one after the other.
TEST_P(Reclamation, CostsThreeLinesForEachCpuAndBatch) {
  const uint32_t cpus = GetParam();
  ScalingWorld world(cpus, Spaces::kOneNeverRun);
  const uint64_t batch = world.machine().rcu().batch_size();
  Figure figure;
  for (int round = 0; round < 2; ++round) {
    world.ForEachPage(EnsureMapped);
    world.Settle();
    world.cpus().OnEach([&](const CpuPin& pin) {
      const uint64_t ahead = pin.cpu().value * batch / cpus;
      for (uint64_t i = 0; i < ahead; ++i) Unmap(world, pin, kTable - 1 - i);
    });
    figure = world.Record(Unmap, kTable / 2);
  }
  Report("unmap", cpus, figure);
  RecordProperty("transfers_per_unmap", std::to_string(figure.PerOperation()));
  EXPECT_GT(figure.transfers, 0u) << "nothing was reclaimed";
  EXPECT_LE(figure.PerOperation(), (3.0 * cpus - 2) / batch) << figure.report;
}

INSTANTIATE_TEST_SUITE_P(Cpus, Reclamation, testing::Values(2, 4, 8, 16));

// Two magazines of 512 frames stand between a CPU and the allocator that all share. A CPU whose use
// of frames swings wider gets frames that others had, and the slots that describe them.
TEST(Magazines, FramesBeyondThemComeFromOthers) {
  constexpr uint32_t kCpus = 4;
  constexpr uint64_t kTurns = 48;
  ScalingWorld world(kCpus, Spaces::kOneNeverRun);
  std::vector<std::vector<UFrame>> held(kCpus);
  for (std::vector<UFrame>& frames : held) frames.reserve(6 * kTable);
  const auto turn = [&](const CpuPin& pin, uint64_t i) {
    std::vector<UFrame>& frames = held[pin.cpu().value];
    for (uint64_t count = 0; count < kTable; ++count) {
      if (i % 12 < 6) {
        frames.push_back(Must(world.machine().frames().Allocate(Untyped{}, Zeroing::kLeave)));
      } else {
        frames.pop_back();
      }
    }
  };
  LineRecorder recorder;
  for (uint64_t i = 0; i < kTurns; ++i) {
    if (i == 12) recorder.Clear();
    // Another one comes first in each swing: else everybody gets the same frames again.
    for (uint64_t cpu = 0; cpu < kCpus; ++cpu) {
      world.cpus().On(static_cast<uint32_t>((cpu + i / 12) % kCpus), [&](const CpuPin& pin) {
        RecordingScope scope(recorder, pin.cpu().value);
        turn(pin, i);
      });
    }
  }
  const Figure figure{(kTurns - 12) * kTable * kCpus, recorder.touches(), recorder.transfers(),
                      recorder.Describe()};
  Report("allocate or free beyond magazines", kCpus, figure);
  EXPECT_GT(figure.transfers, 0u) << "no magazine was exchanged";
  EXPECT_LE(figure.PerOperation(), 0.6) << figure.report;
}

// A CPU gets the block again that it gave back, and its slots.
TEST(Blocks, StayWithTheirCpu) {
  constexpr uint64_t kTurns = 64;
  ScalingWorld world(3, Spaces::kOneNeverRun);
  const auto use_block = [](ScalingWorld& w, const CpuPin&, uint64_t) {
    Must(w.machine().frames().AllocateSegment(kTable, kTable, Untyped{}, Zeroing::kLeave).status());
  };
  world.Record(use_block, 1);
  const Figure figure = world.Record(use_block, kTurns);
  EXPECT_EQ(figure.transfers, 0u) << figure.report;
}

// The word that the target polls; what else there is of a mailbox stays where it is.
TEST(Request, PassesOneLineIfNothingIsPending) {
  constexpr uint64_t kRounds = 64;
  struct Nothing final : IpiRequest {
    void Handle(const CpuPin&) override {}
  } request;
  ScalingWorld world(2, Spaces::kOneNeverRun);
  world.Settle();  // until then the other may be idle
  LineRecorder recorder;
  for (uint64_t i = 0; i < kRounds; ++i) {
    world.cpus().On(0, [&](const CpuPin& pin) {
      RecordingScope scope(recorder, pin.cpu().value);
      EXPECT_EQ(world.machine().bus().Send(CpuId{1}, &request), Delivery::kQueued);
    });
    world.cpus().On(1, [&](const CpuPin& pin) {
      RecordingScope scope(recorder, pin.cpu().value);
      world.machine().Poll(pin);
    });
  }
  EXPECT_EQ(recorder.shared_lines(), 1u) << recorder.Describe();
  // To be written, to be looked at, to be cleared.
  EXPECT_LE(recorder.transfers(), 3 * kRounds) << recorder.Describe();
}

// What the dispatch and the answer of one CPU cost if nobody waits: the batch ends there.
TEST(SharedFlush, OfOnePageByOneOtherCpu) {
  constexpr uint64_t kRounds = 1024;
  ScalingWorld world(2, Spaces::kOneRunByAll);
  LineRecorder recorder;
  for (uint64_t i = 0; i < 2 * kRounds; ++i) {
    if (i == kRounds) recorder.Clear();  // the pools are warm
    world.cpus().On(0, [&](const CpuPin& pin) {
      RecordingScope scope(recorder, pin.cpu().value);
      TlbFlusher flusher(world.machine().tlb(), world.space(pin).tlb_context(), pin);
      flusher.Issue(world.Page(pin, i % ScalingWorld::kPages));
      flusher.Dispatch();
    });
    world.cpus().On(1, [&](const CpuPin& pin) {
      RecordingScope scope(recorder, pin.cpu().value);
      world.machine().Poll(pin);
    });
  }
  const Figure figure{kRounds, recorder.touches(), recorder.transfers(), recorder.Describe()};
  Report("one page flushed", 2, figure);
  EXPECT_LE(figure.PerOperation(), 12) << figure.report;
}

// How much of it is the transport's: a request, its queue and a parker for each other CPU.
TEST(SharedFlush, CostsSoMuchForEachCpuThatIsTold) {
  for (const PageStep step : {Protect, Unmap}) {
    constexpr uint32_t kCpus = 3;
    ScalingWorld world(kCpus, Spaces::kOneRunByAll);
    Figure figure;
    // The second round allows what the first forbade, which needs no flush.
    for (int round = 0; round < 3; ++round) {
      world.ForEachPage(EnsureMapped);
      world.Settle();
      figure = world.Record(step, 256);
      if (step == Protect && round == 1) EXPECT_EQ(figure.transfers, 0u) << figure.report;
    }
    Report(step == Protect ? "protect" : "unmap", kCpus, figure);
    EXPECT_LE(figure.PerOperation(), 24) << figure.report;
  }
}

}  // namespace
}  // namespace paddock
