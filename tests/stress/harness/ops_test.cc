// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/ops.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace paddock {
namespace {

// The printed form of an operation is the source text that makes it.
#define EXPECT_PRINTS_ITSELF(...)       \
  do {                                  \
    const Op op = __VA_ARGS__;          \
    EXPECT_EQ(Print(op), #__VA_ARGS__); \
  } while (false)

TEST(OpsPrint, TransactionsPrintAsTheirOwnInitialisers) {
  EXPECT_PRINTS_ITSELF(OpenOp{.space = 3,
                              .range = VirtRange{VirtAddr(0x1000), VirtAddr(0x3000)},
                              .kind = CursorKind::kLook,
                              .intent = Intent::kNoMap,
                              .anchor = Anchor::kLow,
                              .wait = Wait::kDeadline});
  EXPECT_PRINTS_ITSELF(
      MapOp{.pages = 512,
            .content = MapContent::kWords,
            .property =
                PageProperty{.flags = PageFlags(0x0b), .cache = CachePolicy(2), .software = 0x03}});
  EXPECT_PRINTS_ITSELF(UnmapOp{.bytes = 0x2000});
  EXPECT_PRINTS_ITSELF(ProtectOp{.bytes = 0x1000,
                                 .edit = PropertyEdit{.set = PageFlags(0x02),
                                                      .clear = PageFlags(0x04),
                                                      .software_set = 0x01,
                                                      .software_clear = 0x02}});
  EXPECT_PRINTS_ITSELF(ProtectNextOp{.bytes = 0x1000,
                                     .edit = PropertyEdit{.set = PageFlags(0x00),
                                                          .clear = PageFlags(0x02),
                                                          .software_set = 0x00,
                                                          .software_clear = 0x00}});
  EXPECT_PRINTS_ITSELF(QueryOp{});
  EXPECT_PRINTS_ITSELF(FindNextOp{.bytes = 0x200000});
  EXPECT_PRINTS_ITSELF(JumpOp{.to = VirtAddr(0x7000)});
  EXPECT_PRINTS_ITSELF(TakeNextOp{.bytes = 0x1000});
  EXPECT_PRINTS_ITSELF(SyncOp{});
  EXPECT_PRINTS_ITSELF(CloseOp{});
}

TEST(OpsPrint, OperationsOutsideOfTransactionsPrintAsTheirOwnInitialisers) {
  EXPECT_PRINTS_ITSELF(AccessOp{.space = 1, .va = VirtAddr(0x5000), .kind = AccessKind::kStore});
  EXPECT_PRINTS_ITSELF(WalkOp{.space = 0, .va = VirtAddr(0x5000)});
  EXPECT_PRINTS_ITSELF(ActivateOp{.space = 2});
  EXPECT_PRINTS_ITSELF(DeactivateOp{});
  EXPECT_PRINTS_ITSELF(IdleOp{.yields = 3});
  EXPECT_PRINTS_ITSELF(CreateSpaceOp{.space = 4});
  EXPECT_PRINTS_ITSELF(DestroySpaceOp{.space = 4});
  EXPECT_PRINTS_ITSELF(RetireOp{.cell = 9});
  EXPECT_PRINTS_ITSELF(ReadOp{.cell = 9, .spins = 100});
  EXPECT_PRINTS_ITSELF(GraceOp{});
}

TEST(OpsPrint, MemoryIoPrintsAsItsOwnInitialisers) {
  EXPECT_PRINTS_ITSELF(ReadMemoryOp{.space = 1,
                                    .va = VirtAddr(0x5001),
                                    .bytes = 0x18,
                                    .way = IoWay::kValue,
                                    .on_fault = OnFault::kMap});
  EXPECT_PRINTS_ITSELF(WriteMemoryOp{.space = 0,
                                     .va = VirtAddr(0x5008),
                                     .bytes = 0x8,
                                     .way = IoWay::kCollect,
                                     .on_fault = OnFault::kEnd});
}

TEST(OpsPrint, KernelAreasPrintAsTheirOwnInitialisers) {
  EXPECT_PRINTS_ITSELF(CreateAreaOp{.area = 3,
                                    .kind = AreaKind::kSegment,
                                    .before = 1,
                                    .pages = 512,
                                    .behind = 2,
                                    .rights = AccessKind::kLoad});
  EXPECT_PRINTS_ITSELF(DestroyAreaOp{.area = 3, .end = AreaEnd::kDestructorOnIdleCpu});
  EXPECT_PRINTS_ITSELF(SplitAreaOp{.area = 3, .rest = 4, .page = 17});
  EXPECT_PRINTS_ITSELF(QueryAreaOp{.area = 3, .page = 17});
  EXPECT_PRINTS_ITSELF(AccessAreaOp{.area = 3, .page = 17, .kind = AccessKind::kStore});
  EXPECT_PRINTS_ITSELF(FlushAreasOp{});
  EXPECT_PRINTS_ITSELF(CheckAreasOp{});
}

TEST(OpsPrint, SeveralPrintAsABracedList) {
  const std::vector<Op> ops = {MapOp{}, CloseOp{}};
  EXPECT_EQ(
      Print(ops),
      "{\n    MapOp{.pages = 1, .content = MapContent::kStamp, .property = PageProperty{.flags "
      "= PageFlags(0x0b), .cache = CachePolicy(0), .software = 0x00}},\n    CloseOp{},\n}");
}

TEST(OpsDigest, DependsOnEveryFieldAndOnTheKind) {
  const uint64_t base = DigestOp(1, OpenOp{});
  EXPECT_EQ(base, DigestOp(1, OpenOp{}));
  EXPECT_NE(base, DigestOp(2, OpenOp{}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.space = 1}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.range = VirtRange{VirtAddr(0), VirtAddr(0x1000)}}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.kind = CursorKind::kLook}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.intent = Intent::kNoMap}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.anchor = Anchor::kLow}));
  EXPECT_NE(base, DigestOp(1, OpenOp{.wait = Wait::kTry}));
  EXPECT_NE(DigestOp(1, QueryOp{}), DigestOp(1, SyncOp{}));
}

TEST(OpsNames, EveryKindHasOne) {
  for (size_t i = 0; i < kOpKinds; ++i) EXPECT_NE(OpName(i), "none");
  EXPECT_EQ(OpName(Op(MapOp{}).index()), "map");
  EXPECT_EQ(OpName(Op(GraceOp{}).index()), "grace");
  EXPECT_EQ(OpName(Op(CheckAreasOp{}).index()), "check_areas");
  EXPECT_EQ(OpName(kOpKinds), "none");
}

}  // namespace
}  // namespace paddock
