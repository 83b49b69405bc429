// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/workload/generator.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/space/configs.h"
#include "paddock/stress/memory_words.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr int kSteps = 3000;

std::vector<Op> Stream(const WorkloadInfo& info, const StreamId& id, int steps = kSteps) {
  const std::unique_ptr<Generator> generator = MakeStream(info, id);
  std::vector<Op> ops;
  for (int i = 0; i < steps; ++i) generator->Next(ops);
  return ops;
}

class EveryWorkload : public testing::TestWithParam<std::string> {
 protected:
  const WorkloadInfo& info() const { return *FindWorkload(GetParam()); }
};

TEST_P(EveryWorkload, StreamIsAFunctionOfSeedNumberAndRound) {
  const uint64_t seed = TestSeed();
  const StreamId id{.seed = seed, .stream = 1, .streams = 3, .round = 5};
  const std::vector<Op> ops = Stream(info(), id);
  EXPECT_EQ(ops, Stream(info(), id));
  EXPECT_NE(ops, Stream(info(), {.seed = seed + 1, .stream = 1, .streams = 3, .round = 5}));
  EXPECT_NE(ops, Stream(info(), {.seed = seed, .stream = 2, .streams = 3, .round = 5}));
  EXPECT_NE(ops, Stream(info(), {.seed = seed, .stream = 1, .streams = 3, .round = 6}));
}

TEST_P(EveryWorkload, EveryTransactionIsClosedAndStaysInItsRange) {
  bool open = false;
  VirtRange range;
  for (const Op& op : Stream(info(), {.seed = TestSeed(), .streams = 2})) {
    if (const OpenOp* begin = std::get_if<OpenOp>(&op)) {
      ASSERT_FALSE(open) << Print(op);
      open = true;
      range = begin->range;
      ASSERT_FALSE(range.IsEmpty() || range.IsReversed()) << Print(op);
      ASSERT_TRUE(range.IsAligned(kPageSize)) << Print(op);
      ASSERT_LE(range.end, kUserEnd) << Print(op);
      ASSERT_LT(begin->space, info().fixed_spaces + info().churned_spaces) << Print(op);
    } else if (std::holds_alternative<CloseOp>(op)) {
      ASSERT_TRUE(open);
      open = false;
    } else if (const JumpOp* jump = std::get_if<JumpOp>(&op)) {
      ASSERT_TRUE(open && range.Contains(jump->to)) << Print(op);
    } else if (const AccessOp* access = std::get_if<AccessOp>(&op)) {
      ASSERT_FALSE(open) << Print(op);
      ASSERT_LT(access->va, kUserEnd);
    }
  }
  EXPECT_FALSE(open);
}

TEST_P(EveryWorkload, AsksEveryOracleFromTheFirstStepOn) {
  bool access = false;
  bool walk = false;
  bool retire = false;
  bool read = false;
  bool map = false;
  for (const Op& op : Stream(info(), {.seed = TestSeed()}, 1)) {
    access = access || std::holds_alternative<AccessOp>(op);
    walk = walk || std::holds_alternative<WalkOp>(op);
    retire = retire || std::holds_alternative<RetireOp>(op);
    read = read || std::holds_alternative<ReadOp>(op);
    map = map || std::holds_alternative<MapOp>(op);
  }
  EXPECT_TRUE(access && walk && retire && read && map);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const WorkloadInfo& info : Workloads()) names.emplace_back(info.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Workloads, EveryWorkload, testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

TEST(Generators, WorkloadsAreFoundByName) {
  EXPECT_EQ(Workloads().size(), 11u);
  ASSERT_NE(FindWorkload("mixed"), nullptr);
  EXPECT_EQ(FindWorkload("mixed")->name, "mixed");
  EXPECT_EQ(FindWorkload("Mixed"), nullptr);
  EXPECT_EQ(FindWorkload("trace"), nullptr) << "it has no streams of its own";
}

TEST(Generators, IoReadsAndWritesInEveryWayAndItsOwnPagesAreWrittenByTheirStreamOnly) {
  constexpr uint32_t kMe = 1;
  bool reads[6] = {};
  bool writes[6] = {};
  for (const Op& op :
       Stream(*FindWorkload("io"), {.seed = TestSeed(), .stream = kMe, .streams = 3})) {
    const auto mine = [](VirtAddr first, VirtAddr last) {
      const VirtAddr own(kIoOwnStart + kMe * kIoOwnBytes);
      return first.value() >= kIoSharedStart || (first >= own && last < own.Plus(kIoOwnBytes));
    };
    if (const auto* read = std::get_if<ReadMemoryOp>(&op)) {
      reads[static_cast<size_t>(read->way)] = true;
      ASSERT_LE(read->bytes, kIoLongest) << Print(op);
    } else if (const auto* write = std::get_if<WriteMemoryOp>(&op)) {
      writes[static_cast<size_t>(write->way)] = true;
      ASSERT_LE(write->bytes, kIoLongest) << Print(op);
      ASSERT_TRUE(mine(write->va, write->va.Plus(write->bytes - 1))) << Print(op);
    } else if (const auto* open = std::get_if<OpenOp>(&op)) {
      if (open->range.start.value() < kIoOwnStart) continue;
      ASSERT_TRUE(mine(open->range.start, open->range.last())) << Print(op);
    }
  }
  for (size_t way = 0; way < 6; ++way) EXPECT_TRUE(reads[way] && writes[way]) << way;
}

TEST(Generators, KvirtUsesEveryKindOfAreaAndEveryEnd) {
  bool kinds[5] = {};
  bool ends[3] = {};
  bool huge = false;
  bool split = false;
  for (const Op& op : Stream(*FindWorkload("kvirt"), {.seed = TestSeed()})) {
    if (const auto* create = std::get_if<CreateAreaOp>(&op)) {
      kinds[static_cast<size_t>(create->kind)] = true;
      huge = huge || create->pages == 512;
      ASSERT_LT(create->area, kKernelAreas);
    } else if (const auto* destroy = std::get_if<DestroyAreaOp>(&op)) {
      ends[static_cast<size_t>(destroy->end)] = true;
    }
    split = split || std::holds_alternative<SplitAreaOp>(op);
  }
  for (const bool kind : kinds) EXPECT_TRUE(kind);
  for (const bool end : ends) EXPECT_TRUE(end);
  EXPECT_TRUE(huge && split);
}

TEST(Generators, SubtreeCutsTablesOfBothLevels) {
  bool level1 = false;
  bool level2 = false;
  for (const Op& op : Stream(*FindWorkload("subtree"), {.seed = TestSeed()})) {
    const OpenOp* open = std::get_if<OpenOp>(&op);
    if (open == nullptr || open->intent != Intent::kNoMap) continue;
    level2 = level2 || open->range.IsAligned(uint64_t{1} << 30);
    level1 = level1 || (open->range.IsAligned(uint64_t{2} << 20) &&
                        !open->range.IsAligned(uint64_t{1} << 30));
  }
  EXPECT_TRUE(level1 && level2);
}

}  // namespace
}  // namespace paddock
