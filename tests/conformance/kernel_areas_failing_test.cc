// SPDX-License-Identifier: Apache-2.0
//
// "Kernel half" and "Mapping": a failed frame allocation at every possible point of creating and
// splitting an area leaves tables, areas and books unchanged.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/failing_allocator.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr PhysAddr kDevice{uint64_t{1} << 40};
constexpr uint64_t kHuge = 512 * kPageSize;

class KernelAreasFailing : protected HasFailingAllocator, public KernelAreaTest {
 protected:
  KernelAreasFailing()
      : KernelAreaTest(HasFailingAllocator::Failing(SmallWindow(uint64_t{4} << 18))) {}

  // Tries `step` with no allocation succeeding, then with one, and so on. Each failure must leave
  // mappings, areas, and frames in use as they were. Returns how many allocations it took.
  template <typename Step>
  int SucceedsAfter(Step step) {
    for (int allowed = 0; allowed < 64; ++allowed) {
      const AbstractTable view = View();
      const KernelSpaceStats before = kernel().stats();
      const uint64_t used = frames().used_pages();
      failing->FailFrom(allowed + 1);
      const absl::Status status = step();
      failing->Heal();
      if (status.ok()) return allowed;
      EXPECT_TRUE(Refused(status, StatusCode::kResourceExhausted));
      EXPECT_FALSE(FirstDifference(view, View(), HardwareBits::kExact));
      EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
      // Tables at the ends of the range may stay, empty: the wide cursor takes them out.
      if (before.areas == 0) ExpectNoAreas();
      Settle();
      EXPECT_EQ(kernel().stats().areas, before.areas);
      EXPECT_EQ(kernel().stats().free_pages, before.free_pages);
      EXPECT_EQ(frames().used_pages(), used);
    }
    ADD_FAILURE() << "never succeeded";
    return -1;
  }

 private:
  AbstractTable View() {
    return ViewOf<UserFormat>(machine().memory(), machine().kernel_table().root(),
                              KernelPtConfig::kTopLevelFirst, KernelPtConfig::kTopLevelLast);
  }
};

TEST_F(KernelAreasFailing, OfAnyTableForASegment) {
  // From the last page before a border of tables to the first behind the next one; no huge page
  // fits frames that start one behind an aligned one.
  USegment frames = NewFrames(515, 1024);
  ASSERT_TRUE(frames.TakeFirst());
  const PhysAddr first = frames.start();
  KVirtArea area;
  const int needed = SucceedsAfter([&] {
    auto made = KVirtArea::MapFrames(machine(), pin(), 3 * kHuge, kHuge - kPageSize,
                                     std::move(frames), kReadWriteKernel);
    if (made.ok()) {
      area = *std::move(made);
    } else {
      EXPECT_EQ(frames.pages(), 514u);  // NOLINT(bugprone-use-after-move): untouched
      EXPECT_EQ(References(first.Plus(513 * kPageSize)), 1u);
    }
    return made.status();
  });
  EXPECT_EQ(needed, 4) << "one table of level 2, three of level 1";
  EXPECT_EQ(FrameAt(area.range().start.Plus(kHuge - kPageSize)), first);
}

TEST_F(KernelAreasFailing, OfAnyTableForSingleFrames) {
  std::vector<UFrame> list;
  for (int i = 0; i < 3; ++i) list.push_back(NewFrame());
  KVirtArea area;
  const int needed = SucceedsAfter([&] {
    auto made = KVirtArea::MapFrames(machine(), pin(), kHuge + 2 * kPageSize, kHuge - kPageSize,
                                     absl::MakeSpan(list), kReadWriteKernel);
    if (made.ok()) area = *std::move(made);
    for (const UFrame& frame : list) EXPECT_EQ(frame.empty(), !area.empty());
    return area.empty() ? made.status() : absl::OkStatus();
  });
  EXPECT_EQ(needed, 3);
}

TEST_F(KernelAreasFailing, OfAnyTableForUntrackedMemory) {
  KVirtArea area;
  const PhysRange memory{PhysAddr(kDevice.value() - kPageSize), kDevice.Plus(kHuge + kPageSize)};
  const int needed = SucceedsAfter([&] {
    auto made = KVirtArea::MapUntracked(machine(), pin(), memory.size(), 0, memory, kReadKernel);
    if (made.ok()) area = *std::move(made);
    return area.empty() ? made.status() : absl::OkStatus();
  });
  // Before the huge page and behind it: two base tables.
  EXPECT_EQ(needed, 3);
}

TEST_F(KernelAreasFailing, OfAnyTableForASplit) {
  const PhysRange memory{kDevice, kDevice.Plus(uint64_t{1} << 30)};
  KVirtArea low =
      Must(KVirtArea::MapUntracked(machine(), pin(), memory.size(), 0, memory, kReadKernel));
  KVirtArea high;
  const int needed = SucceedsAfter([&] {
    auto rest = low.Split(pin(), kPageSize);
    if (rest.ok()) high = *std::move(rest);
    EXPECT_EQ(low.range().size(), high.empty() ? memory.size() : kPageSize);
    return high.empty() ? rest.status() : absl::OkStatus();
  });
  EXPECT_EQ(needed, 2);
  // No frame is needed to destroy either.
  failing->FailFrom(1);
  EXPECT_TRUE(IsOk(low.Destroy(pin())));
  EXPECT_TRUE(IsOk(high.Destroy(pin())));
  failing->Heal();
}

TEST_F(KernelAreasFailing, OfTheLinearMapOfANewMachine) {
  for (int allowed = 0;; ++allowed) {
    ASSERT_LT(allowed, 64);
    // The memory ends in the middle of a huge page: the map needs tables down to the last level.
    Machine::Options options;
    options.memory_bytes = (uint64_t{16} << 20) + kPageSize;
    options.kernel.linear_mapping = LinearMapping::kAllMemory;
    options.frames.wrap_allocator = [&](std::unique_ptr<FrameAllocator> inner) {
      auto made = std::make_unique<FailingAllocator>(std::move(inner));
      made->FailFrom(allowed + 1);
      return made;
    };
    const auto machine = Machine::Create(std::move(options));
    if (machine.ok()) {
      // The root, seven tables below it, and two for the map.
      EXPECT_EQ(allowed, 10);
      break;
    }
    EXPECT_TRUE(Refused(machine, StatusCode::kResourceExhausted));
  }
}

}  // namespace
}  // namespace paddock
