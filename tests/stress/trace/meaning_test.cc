// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/meaning.h"

#include <array>

#include "gtest/gtest.h"

namespace paddock {
namespace {

constexpr uint64_t kUserEnd = uint64_t{1} << 47;
constexpr uint64_t kEnomem = ~uint64_t{0} - 11;

VirtRange Range(uint64_t start, uint64_t end) { return {VirtAddr(start), VirtAddr(end)}; }

TraceMeaning Interpret(TraceCall call, std::array<uint64_t, 5> args, uint64_t result,
                       TraceHeap& heap) {
  TraceEvent enter;
  enter.call = call;
  enter.phase = TracePhase::kEnter;
  enter.args = args;
  TraceEvent exit;
  exit.call = call;
  exit.phase = TracePhase::kExit;
  exit.args = {result};
  TraceMeaning meaning = InterpretTraceCall(enter, exit, kUserEnd, heap);
  if (meaning.operation) {
    EXPECT_EQ(TraceCallOf(meaning.operation->kind), call);
  }
  return meaning;
}

TraceMeaning Interpret(TraceCall call, std::array<uint64_t, 5> args, uint64_t result = 0) {
  TraceHeap heap;
  return Interpret(call, args, result, heap);
}

void ExpectOperation(const TraceMeaning& meaning, TraceOpKind kind, VirtRange range) {
  ASSERT_TRUE(meaning.operation.has_value()) << meaning.skipped;
  EXPECT_EQ(TraceOpKindName(meaning.operation->kind), TraceOpKindName(kind));
  EXPECT_EQ(meaning.operation->range, range);
}

void ExpectSkipped(const TraceMeaning& meaning, std::string_view reason) {
  EXPECT_FALSE(meaning.operation.has_value());
  EXPECT_EQ(meaning.skipped, reason);
}

TEST(TraceMeaning, MmapReservesWhereTheKernelPutIt) {
  const TraceMeaning meaning = Interpret(TraceCall::kMmap, {0, 0x1001, 3, 0x22}, 0x70000);
  ExpectOperation(meaning, TraceOpKind::kReserve, Range(0x70000, 0x72000));
  EXPECT_EQ(meaning.operation->access, kTraceRead | kTraceWrite);
  EXPECT_EQ(meaning.operation->backing, TraceBacking::kOnFault);
}

TEST(TraceMeaning, FixedMmapReservesAsAnyOther) {
  const TraceMeaning meaning = Interpret(TraceCall::kMmap, {0x70000, 0x1000, 5, 0x812}, 0x70000);
  ExpectOperation(meaning, TraceOpKind::kReserve, Range(0x70000, 0x71000));
  EXPECT_EQ(meaning.operation->access, kTraceRead | kTraceExecute);
}

TEST(TraceMeaning, PopulatedMmapIsBackedNow) {
  EXPECT_EQ(Interpret(TraceCall::kMmap, {0, 0x1000, 3, 0x8022}, 0x70000).operation->backing,
            TraceBacking::kNow);
  EXPECT_EQ(Interpret(TraceCall::kMmap, {0, 0x1000, 0, 0x8022}, 0x70000).operation->backing,
            TraceBacking::kOnFault)
      << "nothing is populated where nothing may be touched";
  ExpectSkipped(Interpret(TraceCall::kMmap, {0, kMaxTracePopulateBytes + 1, 3, 0x8022}, 0x70000),
                "populating more than 4 GiB");
}

TEST(TraceMeaning, FailedCallsHaveNoEffect) {
  ExpectSkipped(Interpret(TraceCall::kMmap, {0, 0x1000, 3, 0x22}, kEnomem), "failed mmap");
  ExpectSkipped(Interpret(TraceCall::kMunmap, {0x1000, 0x1000}, kEnomem), "failed munmap");
  ExpectSkipped(Interpret(TraceCall::kMprotect, {0x1000, 0x1000, 1}, kEnomem), "failed mprotect");
  ExpectSkipped(Interpret(TraceCall::kMadvise, {0x1000, 0x1000, 4}, kEnomem), "failed madvise");
  ExpectSkipped(Interpret(TraceCall::kMremap, {0x1000, 0x1000, 0x2000}, kEnomem), "failed mremap");
}

TEST(TraceMeaning, MunmapAndMprotectTakeWholePages) {
  ExpectOperation(Interpret(TraceCall::kMunmap, {0x5000, 0xb11f}), TraceOpKind::kUnmap,
                  Range(0x5000, 0x11000));
  const TraceMeaning meaning = Interpret(TraceCall::kMprotect, {0x5000, 1, 5});
  ExpectOperation(meaning, TraceOpKind::kProtect, Range(0x5000, 0x6000));
  EXPECT_EQ(meaning.operation->access, kTraceRead | kTraceExecute);
}

TEST(TraceMeaning, EmptyRangesAndKernelAddressesAreSkipped) {
  ExpectSkipped(Interpret(TraceCall::kMprotect, {0x5000, 0, 1}), "empty range");
  ExpectSkipped(Interpret(TraceCall::kMunmap, {kUserEnd - 0x1000, 0x2000}), "outside user space");
  ExpectSkipped(Interpret(TraceCall::kMunmap, {0x1000, ~uint64_t{0}}), "outside user space");
  ExpectSkipped(Interpret(TraceCall::kMunmap, {0x1000, ~uint64_t{0} - 0x1800}),
                "outside user space");
  ExpectOperation(Interpret(TraceCall::kMunmap, {kUserEnd - 0x1000, 0x1000}), TraceOpKind::kUnmap,
                  Range(kUserEnd - 0x1000, kUserEnd));
}

TEST(TraceMeaning, OnlySomeAdviceChangesMappings) {
  for (const uint64_t drops : {4, 8, 9, 21, 24, 102}) {
    ExpectOperation(Interpret(TraceCall::kMadvise, {0x5000, 0x1000, drops}), TraceOpKind::kDiscard,
                    Range(0x5000, 0x6000));
  }
  for (const uint64_t fetches : {22, 23}) {
    ExpectOperation(Interpret(TraceCall::kMadvise, {0x5000, 0x1000, fetches}),
                    TraceOpKind::kPopulate, Range(0x5000, 0x6000));
  }
  for (const uint64_t other : {0, 1, 2, 3, 10, 14, 16, 20, 25}) {
    ExpectSkipped(Interpret(TraceCall::kMadvise, {0x5000, 0x1000, other}),
                  "advice that maps and unmaps nothing");
  }
  ExpectSkipped(Interpret(TraceCall::kMadvise, {0x5000, kMaxTracePopulateBytes + 1, 23}),
                "populating more than 4 GiB");
}

TEST(TraceMeaning, BrkGrowsAndShrinksTheHeapByWholePages) {
  TraceHeap heap;
  ExpectSkipped(Interpret(TraceCall::kBrk, {0}, 0x9000, heap), "query of the heap's end");
  const TraceMeaning grown = Interpret(TraceCall::kBrk, {0xa800}, 0xa800, heap);
  ExpectOperation(grown, TraceOpKind::kHeapGrow, Range(0x9000, 0xb000));
  EXPECT_EQ(grown.operation->access, kTraceRead | kTraceWrite);
  ExpectSkipped(Interpret(TraceCall::kBrk, {0xaf00}, 0xaf00, heap), "brk within a page");
  ExpectOperation(Interpret(TraceCall::kBrk, {0x9001}, 0x9001, heap), TraceOpKind::kHeapShrink,
                  Range(0xa000, 0xb000));
  ExpectSkipped(Interpret(TraceCall::kBrk, {0xf000}, 0x9001, heap), "failed brk");
  ExpectOperation(Interpret(TraceCall::kBrk, {0xb000}, 0xb000, heap), TraceOpKind::kHeapGrow,
                  Range(0xa000, 0xb000));
}

TEST(TraceMeaning, BrkNeedsToKnowWhereTheHeapEnded) {
  TraceHeap heap;
  ExpectSkipped(Interpret(TraceCall::kBrk, {0xa000}, 0xa000, heap),
                "brk before the heap's end is known");
  ExpectOperation(Interpret(TraceCall::kBrk, {0xb000}, 0xb000, heap), TraceOpKind::kHeapGrow,
                  Range(0xa000, 0xb000));
  ExpectSkipped(Interpret(TraceCall::kBrk, {~uint64_t{0}}, ~uint64_t{0}, heap),
                "outside user space");
}

TEST(TraceMeaning, MremapMovesGrowsAndShrinks) {
  const TraceMeaning moved = Interpret(TraceCall::kMremap, {0x5000, 0x2000, 0x3000, 1, 0}, 0x20000);
  ExpectOperation(moved, TraceOpKind::kMove, Range(0x20000, 0x23000));
  EXPECT_EQ(moved.operation->source, Range(0x5000, 0x7000));
  ExpectOperation(Interpret(TraceCall::kMremap, {0x5000, 0x2000, 0x3000, 1, 0}, 0x5000),
                  TraceOpKind::kGrow, Range(0x7000, 0x8000));
  ExpectOperation(Interpret(TraceCall::kMremap, {0x5000, 0x2000, 0x1000, 0, 0}, 0x5000),
                  TraceOpKind::kShrink, Range(0x6000, 0x7000));
  ExpectSkipped(Interpret(TraceCall::kMremap, {0x5000, 0x1800, 0x2000, 0, 0}, 0x5000),
                "mremap that changes nothing");
  ExpectSkipped(Interpret(TraceCall::kMremap, {0x5000, 0x2000, 0x2000, 1, 0}, 0x6000),
                "mremap onto its own source");
  ExpectSkipped(Interpret(TraceCall::kMremap, {0x5000, 0x2000, 0x2000, 1, 0}, kUserEnd),
                "outside user space");
}

TEST(TraceMeaning, MremapOfAnEmptySourceMovesNothing) {
  const TraceMeaning view = Interpret(TraceCall::kMremap, {0x5000, 0, 0x2000, 1, 0}, 0x20000);
  ExpectOperation(view, TraceOpKind::kMove, Range(0x20000, 0x22000));
  EXPECT_TRUE(view.operation->source.IsEmpty());
}

TEST(TraceMeaning, FaultsTouchOnePage) {
  TraceEvent fault;
  fault.args[0] = 0x5fff;
  ExpectOperation(InterpretTraceFault(fault, kUserEnd), TraceOpKind::kFault, Range(0x5000, 0x6000));
  EXPECT_EQ(TraceCallOf(TraceOpKind::kFault), TraceCall::kPageFault);
  fault.args[0] = 8;
  ExpectSkipped(InterpretTraceFault(fault, kUserEnd), "fault on the null page");
  for (const uint64_t address :
       {kUserEnd, uint64_t{0xffffffffff600000}, ~uint64_t{0}, uint64_t{1} << 63}) {
    fault.args[0] = address;
    ExpectSkipped(InterpretTraceFault(fault, kUserEnd), "outside user space");
  }
}

}  // namespace
}  // namespace paddock
