// SPDX-License-Identifier: Apache-2.0
//
// Accesses of kernel code: through the software TLB, whatever space is active.

#include <cstdint>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/tests/support/kernel_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

class KernelAccess : public KernelAreaTest {};

TEST_F(KernelAccess, AStoreIsLoadedBackAndStandsInTheFrame) {
  const KVirtArea area = NewArea(pin(), 2);
  const VirtAddr va = area.range().start.Plus(kPageSize + 8);
  EXPECT_TRUE(IsOk(machine().KernelStore(pin(), va, 0x1234)));
  const AccessResult loaded = Must(machine().KernelLoad(pin(), va));
  EXPECT_EQ(loaded.value, 0x1234u);
  EXPECT_EQ(loaded.frame, FrameAt(va.AlignDown(kPageSize)));
  EXPECT_EQ(loaded.generation_at_fill, loaded.generation_now);
  EXPECT_EQ(reinterpret_cast<uint64_t*>(frames().Data(loaded.frame))[1], 0x1234u);
  EXPECT_TRUE(HasAll(Walk(va)->item.property.flags, PageFlags::kAccessed | PageFlags::kDirty));
}

TEST_F(KernelAccess, AnAccessIsRefusedWithTheReason) {
  const KVirtArea area = NewArea(pin(), 1, kReadKernel);
  const VirtAddr va = area.range().start;
  EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), va)));
  EXPECT_TRUE(
      Refused(machine().KernelStore(pin(), va, 1), StatusCode::kPermissionDenied, {"forbids"}));
  EXPECT_TRUE(Refused(machine().KernelLoad(pin(), va.Plus(4)), StatusCode::kInvalidArgument,
                      {"multiple of 8"}));
  EXPECT_TRUE(Refused(machine().KernelLoad(pin(), area.range().end), StatusCode::kNotFound));
  for (const uint64_t outside : {uint64_t{0x1000}, uint64_t{0xffff'ff80'0000'0000}}) {
    EXPECT_TRUE(Refused(machine().KernelLoad(pin(), VirtAddr(outside)), StatusCode::kOutOfRange,
                        {"not an address of the kernel"}));
  }
}

TEST_F(KernelAccess, UserCodeCannotReachWhatTheKernelCan) {
  const auto space = NewSpace();
  space->Activate(pin());
  const KVirtArea area = NewArea(pin(), 1);
  EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), area.range().start)));
  EXPECT_TRUE(Refused(space->Load(pin(), area.range().start), StatusCode::kOutOfRange));
}

TEST_F(KernelAccess, DeviceMemoryTranslatesAndNothingAnswers) {
  const PhysAddr device(uint64_t{1} << 40);
  const KVirtArea area = Must(KVirtArea::MapUntracked(
      machine(), pin(), kPageSize, 0, {device, device.Plus(kPageSize)}, kReadWriteKernel));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Refused(machine().KernelLoad(pin(), area.range().start),
                        StatusCode::kFailedPrecondition, {"0x10000000000", "outside"}));
  }
  EXPECT_EQ(machine().tlb().soft_tlb(pin()).stats().hits, 1u);
}

TEST_F(KernelAccess, GoesThroughTheSpaceThatIsActive) {
  const KVirtArea area = NewArea(pin(), 1);
  const auto first = NewSpace();
  const auto second = NewSpace();
  const SoftTlb& tlb = machine().tlb().soft_tlb(pin());
  EXPECT_TRUE(IsOk(machine().KernelStore(pin(), area.range().start, 5)));
  EXPECT_EQ(tlb.stats().inserts, 1u);
  for (const auto& space : {first, second, first}) {
    space->Activate(pin());
    EXPECT_EQ(Must(machine().KernelLoad(pin(), area.range().start)).value, 5u);
  }
  // Each space has its own entry of it, and the first one's was still there.
  EXPECT_EQ(tlb.stats().inserts, 3u);
}

TEST_F(KernelAccess, AGlobalMappingIsFilledOnceForAllSpaces) {
  PageProperty global = kReadWriteKernel;
  global.flags |= PageFlags::kGlobal;
  const KVirtArea area = NewArea(pin(), 1, global);
  const SoftTlb& tlb = machine().tlb().soft_tlb(pin());
  EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), area.range().start)));
  for (int i = 0; i < 3; ++i) {
    const auto space = NewSpace();
    space->Activate(pin());
    EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), area.range().start)));
  }
  EXPECT_EQ(tlb.stats().inserts, 1u);
}

TEST_F(KernelAccess, AFlushReachesTheEntriesOfEverySpace) {
  for (const PageFlags extra : {PageFlags::kNone, PageFlags::kGlobal}) {
    KVirtArea area = NewArea(pin(), 1, PageProperty{kReadWriteKernel.flags | extra});
    const VirtAddr va = area.range().start;
    const auto first = NewSpace();
    const auto second = NewSpace();
    for (const auto& space : {first, second}) {
      space->Activate(pin());
      EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), va)));
    }
    EXPECT_TRUE(IsOk(area.Destroy(pin())));
    EXPECT_TRUE(IsOk(machine().KernelLoad(pin(), va))) << "the entry stays until the flush";
    kernel().FlushDestroyedAreas(pin());
    for (const auto& space : {second, first}) {
      space->Activate(pin());
      EXPECT_TRUE(Refused(machine().KernelLoad(pin(), va), StatusCode::kNotFound));
    }
    machine().DeactivateSpace(pin());
    EXPECT_TRUE(Refused(machine().KernelLoad(pin(), va), StatusCode::kNotFound));
  }
}

}  // namespace
}  // namespace paddock
