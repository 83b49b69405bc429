// SPDX-License-Identifier: Apache-2.0
//
// "Kernel half", the table: one, seen through the root of every space, whenever it was changed.

#include <cstdint>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock {
namespace {

constexpr uint64_t kWindow = 0xffff'fc00'0000'0000;  // the last 4 TiB
constexpr uint64_t kRootEntrySpan = uint64_t{1} << 39;
constexpr uint64_t kEntries = 7;  // the last one is not for cursors

class KernelHalf : public MachineTest {
 protected:
  std::optional<MappedPage> Seen(const VmSpace& space, VirtAddr va) {
    return SoftWalk<UserFormat>(machine().memory(), space.root(), va);
  }
  CursorMut<KernelPtConfig> OpenKernel(VirtRange range) {
    return Must(machine().kernel_table().OpenCursorMut(pin(), range));
  }
};

TEST_F(KernelHalf, AMappingMadeLaterIsSeenThroughEverySpace) {
  const auto before = NewSpace();
  for (uint64_t entry = 0; entry < kEntries; ++entry) {
    const VirtAddr va(kWindow + entry * kRootEntrySpan + 5 * kPageSize);
    UFrame frame = NewFrame();
    const PhysAddr address = frame.start();
    Must(OpenKernel({va, va.Plus(kPageSize)}).Map(KernelItem(std::move(frame), kReadWriteKernel)));
    const auto after = NewSpace();
    for (const auto& space : {before, after}) {
      const auto page = Seen(*space, va);
      ASSERT_TRUE(page) << entry;
      EXPECT_EQ(page->frame, address);
      EXPECT_EQ(page->property, kReadWriteKernel);
    }
    EXPECT_EQ(Must(OpenKernel({va, va.Plus(kPageSize)}).Unmap(kPageSize)).pages, 1u);
    EXPECT_FALSE(Seen(*before, va));
  }
  Settle();
  // Base tables that were emptied by narrow cursors stay until a wide one comes.
  for (uint64_t entry = 0; entry < kEntries; ++entry) {
    const VirtAddr start(kWindow + entry * kRootEntrySpan);
    const VirtRange all{start, VirtAddr(start.value() + kRootEntrySpan)};
    EXPECT_EQ(Must(OpenKernel(all).Unmap(kRootEntrySpan)).pages, 0u);
  }
}

TEST_F(KernelHalf, SharedTablesCannotBeRemoved) {
  const auto space = NewSpace();
  const VirtAddr va(kWindow);
  UFrame frame = NewFrame();
  Must(OpenKernel({va, va.Plus(kPageSize)}).Map(KernelItem(std::move(frame), kReadKernel)));
  const auto shared = TableAt<UserFormat>(machine().memory(), space->root(), va, 3);
  ASSERT_TRUE(shared);
  {
    CursorMut<KernelPtConfig> everything = OpenKernel(kKernelRange);
    EXPECT_EQ(Must(everything.Unmap(everything.remaining())).pages, 1u);
  }
  Settle();
  EXPECT_EQ(TableAt<UserFormat>(machine().memory(), space->root(), va, 3), shared);
  EXPECT_EQ(TableAt<UserFormat>(machine().memory(), machine().kernel_table().root(), va, 3),
            shared);
  EXPECT_EQ(frames().slot(*shared).stray.load(sync::seq_cst), 0);
}

TEST_F(KernelHalf, SpacesShareTheKernelsTopLevelEntries) {
  const auto first = NewSpace();
  const auto second = NewSpace();
  for (uint64_t entry = KernelPtConfig::kTopLevelFirst; entry < KernelPtConfig::kTopLevelLast;
       ++entry) {
    const Pte pte = RawEntry(machine().memory(), machine().kernel_table().root(), entry);
    EXPECT_EQ(UserFormat::Kind(pte, UserFormat::kLevels), EntryKind::kTable);
    for (const auto& space : {first, second}) {
      EXPECT_EQ(RawEntry(machine().memory(), space->root(), entry), pte);
    }
  }
}

TEST_F(KernelHalf, ASpaceThatGoesLeavesTheKernelsTables) {
  const VirtAddr va(kWindow + 3 * kPageSize);
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  Must(OpenKernel({va, va.Plus(kPageSize)}).Map(KernelItem(std::move(frame), kReadKernel)));
  NewSpace().reset();
  Settle();
  const auto space = NewSpace();
  EXPECT_EQ(Seen(*space, va)->frame, address);
  const VirtRange all{VirtAddr(kWindow), VirtAddr(kWindow + kRootEntrySpan)};
  EXPECT_EQ(Must(OpenKernel(all).Unmap(kRootEntrySpan)).pages, 1u);
}

TEST_F(KernelHalf, GlobalPagesSurviveARoundTripHere) {
  const auto space = NewSpace();
  PageProperty property = kReadWriteKernel;
  property.flags |= PageFlags::kGlobal;
  const VirtRange all{VirtAddr(kWindow), VirtAddr(kWindow + kRootEntrySpan)};
  CursorMut<KernelPtConfig> cursor = OpenKernel(all);
  Must(cursor.Map(
      KernelItem(Must(frames().AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave)), property)));
  Must(cursor.Map(KernelItem(NewFrame(), property)));
  EXPECT_EQ(Seen(*space, all.start)->property, property);
  EXPECT_EQ(Seen(*space, all.start)->level, 2);
  EXPECT_EQ(Seen(*space, all.start.Plus(512 * kPageSize))->property, property);
  ASSERT_TRUE(IsOk(cursor.Jump(all.start)));
  EXPECT_EQ(Must(cursor.Unmap(kRootEntrySpan)).pages, 513u);
}

TEST_F(KernelHalf, UserCursorsCannotReachIt) {
  const auto space = NewSpace();
  EXPECT_TRUE(
      Refused(space->OpenCursorMut(pin(), {VirtAddr(kWindow), VirtAddr(kWindow + kPageSize)}),
              absl::StatusCode::kOutOfRange, {"0xfffffc0000000000"}));
  RcuReadGuard guard(machine().rcu(), pin());
  EXPECT_FALSE(space->Walk(guard, VirtAddr(kWindow)));
}

TEST_F(KernelHalf, CursorsReachUpToTheirBoundAndNoFurther) {
  const VirtRange last{VirtAddr(kKernelRange.end.value() - kPageSize), kKernelRange.end};
  const auto space = NewSpace();
  UFrame frame = NewFrame();
  const PhysAddr address = frame.start();
  Must(OpenKernel(last).Map(KernelItem(std::move(frame), kReadKernel)));
  EXPECT_EQ(Seen(*space, last.start)->frame, address);
  for (const VirtAddr end : {last.end.Plus(kPageSize), VirtAddr(0)}) {
    EXPECT_TRUE(Refused(machine().kernel_table().OpenCursorMut(pin(), {last.start, end}),
                        absl::StatusCode::kOutOfRange, {"passes 0xffffff8000000000"}));
  }
  const VirtRange all{VirtAddr(last.end.value() - kRootEntrySpan), last.end};
  EXPECT_EQ(Must(OpenKernel(all).Unmap(kRootEntrySpan)).pages, 1u);
}

}  // namespace
}  // namespace paddock
