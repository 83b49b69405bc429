// SPDX-License-Identifier: Apache-2.0
//
// Tracked and untracked items in a kernel's table: an entry says which it holds, whatever becomes
// of it, and nothing ever looks for the frames of an untracked one. In any format.

#include "paddock/core/space/kernel_config.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/space/map_range.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

// The upper half of the root's entries; cursors leave out the last one.
template <typename F>
using UpperHalf = KernelConfig<F, (kLastRootEntry<F> + 1) / 2, kLastRootEntry<F>,
                               kLastRootEntry<F> * Geometry<F>::EntrySpan(F::kLevels)>;

template <typename F>
class KernelConfigTest : public TableTest<UpperHalf<F>> {
 protected:
  using Config = UpperHalf<F>;
  using Geo = Geometry<F>;

  static constexpr VirtAddr kStart =
      Geo::ToVirt(Config::kTopLevelFirst * Geo::EntrySpan(F::kLevels));
  // Aligned to every leaf, far outside of the memory of 16 MiB.
  static constexpr PhysAddr kDevice{uint64_t{1} << 39};

  static VirtRange At(uint64_t first, uint64_t pages) {
    return {kStart.Plus(first * kPageSize), kStart.Plus((first + pages) * kPageSize)};
  }
  static PhysRange Physical(PhysAddr start, uint64_t pages) {
    return {start, start.Plus(pages * kPageSize)};
  }
  uint32_t References(PhysAddr frame) {
    return this->frames().slot(frame).ref_count.load(sync::seq_cst);
  }
  UFrame NewFrame() { return Must(this->frames().Allocate(Untyped{}, Zeroing::kLeave)); }

  void MapUntracked(VirtRange range, PhysAddr to, PageProperty property = kReadWriteKernel) {
    CursorMut<Config> cursor = this->Open(range);
    Must(MapRange(cursor, Physical(to, range.size() / kPageSize), property).status);
  }
};

using Formats =
    testing::Types<tiny::Format<3, 2>, tiny::Format<4, 3, 2>, x86_64::Format4, x86_64::Format5>;
TYPED_TEST_SUITE(KernelConfigTest, Formats);

TYPED_TEST(KernelConfigTest, RestoresExactlyWhatWasConsumed) {
  using Geo = typename TestFixture::Geo;
  const typename TestFixture::Config config(this->frames());
  PageProperty property = kReadWriteKernel;
  property.software = 0b1010;
  for (int level = 1; level < Geo::kLevels; ++level) {
    if (!TypeParam::IsLeafLevel(level)) continue;
    const uint64_t pages = this->PagesAt(level);
    KernelItem untracked(this->Physical(this->kDevice, pages), property);
    const RawItem raw = config.ItemIntoRaw(std::move(untracked));
    EXPECT_EQ(raw.level, level);
    EXPECT_FALSE(config.IsTracked(raw));
    const KernelItem restored = config.ItemFromRaw(raw);
    EXPECT_FALSE(restored.tracked());
    EXPECT_EQ(restored.untracked, this->Physical(this->kDevice, pages));
    EXPECT_EQ(restored.property, property);

    if (pages > 512) continue;
    USegment frames =
        Must(this->frames().AllocateSegment(pages, pages, Untyped{}, Zeroing::kLeave));
    const FrameRun run = frames.run();
    const RawItem tracked = config.ItemIntoRaw(KernelItem(std::move(frames), property));
    EXPECT_EQ(tracked.level, level);
    EXPECT_TRUE(config.IsTracked(tracked));
    EXPECT_EQ(this->References(run.start), 1u);
    const KernelItem owner = config.ItemFromRaw(tracked);
    EXPECT_EQ(owner.frames.run(), run);
    EXPECT_EQ(owner.property, property);
  }
}

TYPED_TEST(KernelConfigTest, SizesThatNoEntryMapsAreRefused) {
  CursorMut<typename TestFixture::Config> cursor = this->Open(this->At(0, 8));
  const PhysAddr device = this->kDevice;
  for (const PhysRange& range :
       {this->Physical(device, 3), PhysRange{device, device.Plus(8)}, PhysRange{device, device},
        PhysRange{device.Plus(kPageSize), device}}) {
    EXPECT_TRUE(Refused(cursor.Map(KernelItem(range, kReadKernel)), StatusCode::kInvalidArgument));
  }
  EXPECT_TRUE(Refused(
      cursor.Map(KernelItem(PhysRange{device.Plus(8), device.Plus(8 + kPageSize)}, kReadKernel)),
      StatusCode::kInvalidArgument, {"not aligned"}));
  EXPECT_TRUE(this->View().empty());
}

TYPED_TEST(KernelConfigTest, TrackedFramesAreCountedUntrackedOnesAreNot) {
  UFrame frame = this->NewFrame();
  const PhysAddr address = frame.start();
  this->MapUntracked(this->At(0, 1), address);
  this->MapUntracked(this->At(1, 1), this->kDevice);
  EXPECT_EQ(this->References(address), 1u);
  Must(this->Open(this->At(2, 1)).Map(KernelItem(Must(frame.Clone()), kReadKernel)));
  EXPECT_EQ(this->References(address), 2u);
  {
    CursorMut<typename TestFixture::Config> cursor = this->Open(this->At(0, 3));
    const auto untracked = Must(cursor.QueryItem());
    EXPECT_EQ(untracked.item->untracked, this->Physical(address, 1));
    EXPECT_EQ(untracked.item->property, kReadWriteKernel);
    EXPECT_EQ(this->References(address), 2u);
    ASSERT_TRUE(IsOk(cursor.Jump(this->At(2, 1).start)));
    EXPECT_EQ(Must(cursor.QueryItem()).item->frames.start(), address);
    ASSERT_TRUE(IsOk(cursor.Jump(this->At(0, 1).start)));
    EXPECT_EQ(Must(cursor.Unmap(3 * kPageSize)).pages, 3u);
  }
  this->world().Settle(this->pin());
  EXPECT_EQ(this->References(address), 1u);
}

TYPED_TEST(KernelConfigTest, APieceOfAnUntrackedHugePageIsUntracked) {
  using Geo = typename TestFixture::Geo;
  const int level = TypeParam::IsLeafLevel(3) && Geo::kLevels > 3 ? 3 : 2;
  const uint64_t pages = this->PagesAt(level);
  const VirtRange huge = this->At(0, pages);
  this->MapUntracked(huge, this->kDevice);
  EXPECT_EQ(this->Hardware(huge.start)->level, level);
  CursorMut<typename TestFixture::Config> cursor = this->Open(huge);
  ASSERT_TRUE(IsOk(cursor.Jump(huge.start.Plus(kPageSize))));
  EXPECT_EQ(Must(cursor.Unmap(kPageSize)).pages, 1u);
  const auto after = Must(cursor.QueryItem());
  ASSERT_TRUE(after.item);
  EXPECT_FALSE(after.item->tracked());
  EXPECT_EQ(after.item->untracked.start, this->kDevice.Plus(2 * kPageSize));
  EXPECT_EQ(after.item->property, kReadWriteKernel);
  // All that is left is released with the table, as nothing: no frame was ever owned.
}

TYPED_TEST(KernelConfigTest, PropertiesCannotChangeWhoOwnsTheFrames) {
  UFrame frame = this->NewFrame();
  const PhysAddr address = frame.start();
  Must(this->Open(this->At(0, 1)).Map(KernelItem(std::move(frame), kReadWriteKernel)));
  this->MapUntracked(this->At(1, 1), this->kDevice);
  const AbstractTable before = this->View();
  CursorMut<typename TestFixture::Config> cursor = this->Open(this->At(0, 2));
  const auto flip = [](PageProperty property) {
    property.software ^= kUntrackedSoftwareBit;
    return property;
  };
  for (const uint64_t page : {0, 1}) {
    ASSERT_TRUE(IsOk(cursor.Jump(this->At(page, 1).start)));
    EXPECT_TRUE(Refused(cursor.ProtectNext(kPageSize, flip), StatusCode::kInvalidArgument,
                        {"software bits 0x1", "belong to the table"}));
    EXPECT_TRUE(Refused(cursor.Protect(kPageSize, flip), StatusCode::kInvalidArgument));
  }
  EXPECT_TRUE(SameView(before, this->View()));
  // The other bits are the caller's.
  ASSERT_TRUE(IsOk(cursor.Jump(this->At(0, 1).start)));
  EXPECT_EQ(Must(cursor.Protect(2 * kPageSize,
                                [](PageProperty property) {
                                  property.flags = PageFlags::kRead;
                                  property.software |= 0b110;
                                  return property;
                                })),
            2u);
  ASSERT_TRUE(IsOk(cursor.Jump(this->At(0, 1).start)));
  const auto tracked = Must(cursor.QueryItem());
  EXPECT_EQ(tracked.item->frames.start(), address);
  EXPECT_EQ(tracked.item->property.software, 0b110);
  ASSERT_TRUE(IsOk(cursor.Jump(this->At(1, 1).start)));
  const auto untracked = Must(cursor.QueryItem());
  EXPECT_EQ(untracked.item->untracked, this->Physical(this->kDevice, 1));
  EXPECT_EQ(untracked.item->property.software, 0b110);
}

TYPED_TEST(KernelConfigTest, AnItemWithTheTablesOwnBitIsRefusedAndStaysWithTheCaller) {
  PageProperty property = kReadKernel;
  property.software = kUntrackedSoftwareBit;
  CursorMut<typename TestFixture::Config> cursor = this->Open(this->At(0, 1));
  KernelItem item(this->NewFrame(), property);
  EXPECT_TRUE(
      Refused(cursor.Map(std::move(item)), StatusCode::kInvalidArgument, {"software bits 0x1"}));
  EXPECT_TRUE(item.tracked());
  EXPECT_TRUE(Refused(cursor.Map(KernelItem(this->Physical(this->kDevice, 1), property)),
                      StatusCode::kInvalidArgument));
}

TYPED_TEST(KernelConfigTest, TakenItemsAreWhatWasMapped) {
  UFrame frame = this->NewFrame();
  const PhysAddr address = frame.start();
  Must(this->Open(this->At(0, 1)).Map(KernelItem(std::move(frame), kReadKernel)));
  this->MapUntracked(this->At(1, 1), this->kDevice);
  CursorMut<typename TestFixture::Config> cursor = this->Open(this->At(0, 2));
  const auto tracked = Must(cursor.TakeNext(2 * kPageSize));
  EXPECT_EQ(tracked->item->frames.start(), address);
  const auto untracked = Must(cursor.TakeNext(kPageSize));
  EXPECT_EQ(untracked->item->untracked, this->Physical(this->kDevice, 1));
}

TYPED_TEST(KernelConfigTest, CursorsEndByTheBoundAndSayWhichItIs) {
  using Geo = typename TestFixture::Geo;
  const VirtAddr bound = Geo::ToVirt(TestFixture::Config::kLockedEndBound);
  const VirtAddr last(bound.value() - kPageSize);
  EXPECT_TRUE(IsOk(this->table().OpenCursor(this->pin(), {last, bound})));
  const std::string name = absl::StrFormat("passes %#x", bound.value());
  for (const VirtRange& range :
       {VirtRange{last, bound.Plus(kPageSize)}, VirtRange{bound, bound.Plus(kPageSize)}}) {
    EXPECT_TRUE(
        Refused(this->table().OpenCursor(this->pin(), range), StatusCode::kOutOfRange, {name}));
    EXPECT_TRUE(
        Refused(this->table().OpenCursorMut(this->pin(), range), StatusCode::kOutOfRange, {name}));
  }
  EXPECT_TRUE(Refused(this->table().OpenCursor(this->pin(), {VirtAddr(0), VirtAddr(kPageSize)}),
                      StatusCode::kOutOfRange, {"outside the managed addresses"}));
}

TYPED_TEST(KernelConfigTest, TopTablesStay) {
  using Geo = typename TestFixture::Geo;
  const uint64_t span = Geo::EntrySpan(Geo::kLevels);
  this->MapUntracked(this->At(0, 1), this->kDevice);
  const auto top = this->NodeOf(this->kStart, Geo::kLevels - 1);
  ASSERT_TRUE(top);
  {
    CursorMut<typename TestFixture::Config> cursor =
        this->Open({this->kStart, this->kStart.Plus(span)});
    EXPECT_EQ(Must(cursor.Unmap(span)).pages, 1u);
  }
  this->world().Settle(this->pin());
  EXPECT_EQ(this->NodeOf(this->kStart, Geo::kLevels - 1), top);
}

// A transport that acts on frames can act on those only that the machine has.
class NotingTransport final : public ShootdownTransport {
 public:
  TransportScope scope() const override { return TransportScope::kEveryBatch; }
  void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
    batch.ForEachFrameRun([this](FrameRun run) { named.push_back(run); });
    targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
  }
  std::vector<FrameRun> named;
};

TEST(KernelConfigFrames, AFlushNamesTheFramesOfTheMachineOnly) {
  using Config = UpperHalf<x86_64::Format4>;
  const VirtAddr start = Geometry<x86_64::Format4>::ToVirt(uint64_t{256} << 39);
  NotingTransport transport;
  TableWorld::Options options;
  options.transport = &transport;
  TableWorld world(std::move(options));
  {
    const CpuPin pin = world.Pin(0);
    auto table = Must(PageTable<Config>::Create(world.env(), pin));
    const PhysAddr end(uint64_t{16} << 20);
    {
      // The last page of the memory, and the first behind it.
      auto cursor = Must(table->OpenCursorMut(pin, {start, start.Plus(2 * kPageSize)}));
      const PhysRange both{PhysAddr(end.value() - kPageSize), end.Plus(kPageSize)};
      Must(MapRange(cursor, both, kReadWriteKernel).status);
      ASSERT_TRUE(IsOk(cursor.Jump(start)));
      EXPECT_EQ(Must(cursor.Unmap(2 * kPageSize)).pages, 2u);
    }
    ASSERT_EQ(transport.named.size(), 1u);
    EXPECT_EQ(transport.named[0], (FrameRun{PhysAddr(end.value() - kPageSize), 1}));
    table.reset();
    world.ExpectNothingLeft(pin);
  }
}

}  // namespace
}  // namespace paddock
