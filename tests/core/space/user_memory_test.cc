// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers of a space: who may have one, what its accesses leave in the tables, and that
// nothing which was looked up is used after a fault handler ran.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/space/user_io.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

class UserMemoryTest : public MachineTest {
 protected:
  // Without the discipline of views, since what is written is read back while the writer is there.
  std::shared_ptr<VmSpace> NewSpace() {
    return MachineTest::NewSpace({.views = ViewDiscipline::kOff});
  }
  PageFlags FlagsAt(VmSpace& space, uint64_t va) {
    RcuReadGuard guard(machine().rcu(), pin());
    return space.Walk(guard, VirtAddr(va))->item.property.flags;
  }
};

TEST_F(UserMemoryTest, ReadingSetsAccessedAndWritingSetsDirty) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  MapNew(*space, Page(2));
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), 8));
  auto writer = Must(space->Writer(pin(), VirtAddr(0x2000), 8));
  EXPECT_EQ(FlagsAt(*space, 0x1000), kReadWriteUser.flags);
  EXPECT_EQ(FlagsAt(*space, 0x2000), kReadWriteUser.flags);
  EXPECT_EQ(reader.Read(writer).bytes, 8u);
  EXPECT_EQ(FlagsAt(*space, 0x1000), kReadWriteUser.flags | PageFlags::kAccessed);
  EXPECT_EQ(FlagsAt(*space, 0x2000),
            kReadWriteUser.flags | PageFlags::kAccessed | PageFlags::kDirty);
}

TEST_F(UserMemoryTest, ReadersAndWritersThatWereMovedFromHaveNothingLeft) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), 8));
  auto writer = Must(space->Writer(pin(), VirtAddr(0x1000), 8));
  auto other_reader = std::move(reader);
  auto other_writer = std::move(writer);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_TRUE(Refused(reader.ReadVal<uint64_t>(), StatusCode::kOutOfRange));
  EXPECT_TRUE(Refused(writer.WriteVal<uint64_t>(1), StatusCode::kOutOfRange));
  EXPECT_EQ(other_reader.Read(writer).bytes, 0u);
  // NOLINTEND(bugprone-use-after-move)
  reader = std::move(other_reader);
  EXPECT_EQ(other_reader.remain(), 0u);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(reader.Read(other_writer).bytes, 8u);
}

TEST_F(UserMemoryTest, AHandlerMaySetAnother) {
  const auto space = NewSpace();
  const std::vector<uint64_t> captured(100, 7);
  int calls = 0;
  space->SetFaultHandler([&, captured](VmSpace& here, const CpuPin&, VirtAddr, Access) {
    here.SetFaultHandler(nullptr);
    calls += captured.back() == 7 ? 1 : 0;
    return absl::OkStatus();
  });
  space->Activate(pin());
  EXPECT_TRUE(Refused(space->Load(pin(), VirtAddr(0x1000)), StatusCode::kNotFound));
  EXPECT_EQ(calls, 1);
}

TEST_F(UserMemoryTest, PermissionsOfThePageAreKept) {
  const auto space = NewSpace();
  MapNew(*space, Page(1), kReadUser);
  MapNew(*space, Page(2), kReadWriteKernel);
  space->Activate(pin());
  const UserIo io(*space, pin());
  EXPECT_TRUE(IsOk(io.ReadVal<uint64_t>(0x1000)));
  EXPECT_TRUE(Refused(io.WriteVal<uint64_t>(0x1000, 1), StatusCode::kPermissionDenied, {"0x1000"}));
  EXPECT_TRUE(Refused(io.ReadVal<uint64_t>(0x2000), StatusCode::kPermissionDenied, {"0x2000"}));
  EXPECT_TRUE(Refused(io.WriteOnce<uint8_t>(0x2000, 1), StatusCode::kPermissionDenied, {"0x2000"}));
}

TEST_F(UserMemoryTest, EveryAccessLooksWhetherTheSpaceIsStillActive) {
  const auto space = NewSpace();
  const auto other = NewSpace();
  MapNew(*space, Page(1));
  MapNew(*other, Page(1));
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), 16));
  EXPECT_TRUE(IsOk(reader.ReadVal<uint32_t>()));
  other->Activate(pin());
  EXPECT_TRUE(Refused(reader.ReadVal<uint32_t>(), StatusCode::kPermissionDenied, {"not active"}));
  EXPECT_TRUE(Refused(reader.ReadOnce<uint32_t>(), StatusCode::kPermissionDenied));
  EXPECT_TRUE(Refused(reader.Collect(), StatusCode::kPermissionDenied));
  EXPECT_EQ(reader.remain(), 12u);
  space->Activate(pin());
  EXPECT_TRUE(IsOk(reader.ReadVal<uint32_t>()));
  EXPECT_EQ(reader.cursor(), 0x1008u);
}

TEST_F(UserMemoryTest, AHandlerThatSwitchesSpacesEndsTheCopy) {
  const auto space = NewSpace();
  const auto other = NewSpace();
  MapNew(*space, Page(1));
  MapNew(*other, Page(2));
  space->SetFaultHandler([&](VmSpace&, const CpuPin& cpu, VirtAddr, Access) {
    other->Activate(cpu);
    return absl::OkStatus();
  });
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), 2 * kPageSize));
  std::vector<std::byte> target(2 * kPageSize);
  VmWriter writer{std::span(target)};
  const IoResult done = reader.Read(writer);
  EXPECT_EQ(done.bytes, kPageSize);
  EXPECT_TRUE(Refused(done.status, StatusCode::kPermissionDenied, {"not active"}));
}

// Race 1 of memory_window.cc: the handler of the source takes the target away.
TEST_F(UserMemoryTest, ATargetLookedUpBeforeAHandlerRanIsNotWritten) {
  const auto space = NewSpace();
  const std::vector<std::byte> data = Pattern(kPageSize, 1);
  const PhysAddr first_target = MapNew(*space, Page(1));
  std::vector<UFrame> victims;
  int target_faults = 0;
  space->SetFaultHandler([&](VmSpace& faulting, const CpuPin& cpu, VirtAddr va, Access access) {
    if (access == Access::kWrite) {
      ++target_faults;
      MapNew(faulting, Page(1));
      return absl::OkStatus();
    }
    EXPECT_EQ(va, VirtAddr(0x2000));
    UnmapPage(faulting, cpu, Page(1));
    machine().bus().Poll(cpu);
    machine().rcu().Drain(cpu);
    // The frame is free. Somebody else takes it, and others before.
    do {
      victims.push_back(NewFrame());
    } while (victims.back().start() != first_target && victims.size() < 1000);
    EXPECT_EQ(victims.back().start(), first_target);
    UFrame source = NewFrame();
    VmReader bytes{std::span(data)};
    VmWriter(source).Write(bytes);
    auto cursor = Must(faulting.OpenCursorMut(cpu, Page(2)));
    return cursor.Map(MappedFrames(std::move(source), kReadWriteUser));
  });
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x2000), kPageSize));
  auto writer = Must(space->Writer(pin(), VirtAddr(0x1000), kPageSize));
  const IoResult done = reader.Read(writer);
  EXPECT_TRUE(IsOk(done.status));
  EXPECT_EQ(done.bytes, kPageSize);
  EXPECT_EQ(target_faults, 1);
  for (const UFrame& victim : victims) {
    EXPECT_EQ(VmReader(victim).Collect(), std::vector<std::byte>(kPageSize));
  }
  EXPECT_EQ(Must(Must(space->Reader(pin(), VirtAddr(0x1000), kPageSize)).Collect()), data);
}

TEST_F(UserMemoryTest, PagesThatDriveEachOtherOutEndTheCopyWithNothingDone) {
  const auto space = NewSpace();
  int faults = 0;
  space->SetFaultHandler([&](VmSpace& faulting, const CpuPin& cpu, VirtAddr va, Access) {
    ++faults;
    const bool is_target = va >= VirtAddr(0x2000);
    const VirtRange out = Page(is_target ? 1 : 2);
    Must(Must(faulting.OpenCursorMut(cpu, out)).Unmap(kPageSize));
    MapNew(faulting, Page(is_target ? 2 : 1));
    return absl::OkStatus();
  });
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), 8));
  auto writer = Must(space->Writer(pin(), VirtAddr(0x2000), 8));
  const IoResult done = reader.Read(writer);
  EXPECT_TRUE(Refused(done.status, StatusCode::kAborted, {"handler reported success"}));
  EXPECT_EQ(done.bytes, 0u);
  EXPECT_EQ(faults, kMaxFaultsPerAccess);
  EXPECT_EQ(reader.remain(), 8u);
  EXPECT_EQ(writer.avail(), 8u);
}

TEST_F(UserMemoryTest, AHandlerThatOnlyClaimsToMapDoesNotLoopForEver) {
  const auto space = NewSpace();
  int faults = 0;
  space->SetFaultHandler([&](VmSpace&, const CpuPin&, VirtAddr, Access) {
    ++faults;
    return absl::OkStatus();
  });
  space->Activate(pin());
  auto writer = Must(space->Writer(pin(), VirtAddr(0x1000), 100));
  EXPECT_TRUE(Refused(writer.FillZeros(10).status, StatusCode::kAborted, {"0x1000"}));
  EXPECT_TRUE(Refused(writer.WriteVal<uint8_t>(1), StatusCode::kAborted));
  EXPECT_TRUE(Refused(writer.WriteOnce<uint8_t>(1), StatusCode::kAborted));
  EXPECT_TRUE(Refused(writer.Fill<uint8_t>(1).status, StatusCode::kAborted));
  EXPECT_EQ(faults, 4 * kMaxFaultsPerAccess);
  EXPECT_EQ(writer.avail(), 100u);
}

// The bytes promised are more than any machine has.
TEST_F(UserMemoryTest, CollectTakesMemoryForWhatItReadsOnly) {
  const auto space = NewSpace();
  for (uint64_t page = 1; page <= 40; ++page) MapNew(*space, Page(page));
  space->Activate(pin());
  auto reader = Must(space->Reader(pin(), VirtAddr(0x1000), uint64_t{1} << 46));
  EXPECT_TRUE(Refused(reader.Collect(), StatusCode::kNotFound, {"0x29000"}));
  EXPECT_EQ(reader.cursor(), 0x1000u);
  EXPECT_EQ(reader.remain(), uint64_t{1} << 46);
  EXPECT_EQ(Must(reader.Limit(40 * kPageSize).Collect()).size(), 40 * kPageSize);
}

TEST_F(UserMemoryTest, FillAndZerosCrossPagesAndCountUpToAFault) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  MapNew(*space, Page(2));
  space->Activate(pin());
  auto writer = Must(space->Writer(pin(), VirtAddr(0x1ffc), 3 * kPageSize));
  const IoResult refused = writer.Fill<uint64_t>(1);
  EXPECT_TRUE(Refused(refused.status, StatusCode::kInvalidArgument, {"0x1ffc"}));
  const IoResult filled = writer.Fill<uint32_t>(0x0101'0101);
  EXPECT_EQ(filled.bytes, kPageSize + 4);
  EXPECT_TRUE(Refused(filled.status, StatusCode::kNotFound, {"0x3000"}));
  EXPECT_EQ(writer.cursor(), 0x3000u);
  const auto collect = [&](uint64_t from, uint64_t bytes) {
    return Must(Must(space->Reader(pin(), VirtAddr(from), bytes)).Collect());
  };
  EXPECT_EQ(collect(0x1ffc, kPageSize + 4), std::vector<std::byte>(kPageSize + 4, std::byte{1}));

  auto zeros = Must(space->Writer(pin(), VirtAddr(0x1ffe), 3 * kPageSize));
  EXPECT_EQ(zeros.FillZeros(3).bytes, 3u);
  const IoResult rest = zeros.FillZeros(~uint64_t{0});
  EXPECT_EQ(rest.bytes, kPageSize - 1);
  EXPECT_TRUE(Refused(rest.status, StatusCode::kNotFound, {"0x3000"}));
  EXPECT_EQ(collect(0x1ffe, kPageSize + 2), std::vector<std::byte>(kPageSize + 2));
  EXPECT_EQ(collect(0x1ffc, 2), std::vector<std::byte>(2, std::byte{1}));
}

TEST_F(UserMemoryTest, HugePagesAreReadAndWrittenAcross) {
  Machine::Options options;
  options.cpus = 1;
  options.memory_bytes = uint64_t{16} << 20;
  const auto other = Must(Machine::Create(std::move(options)));
  const CpuPin cpu = Must(other->Pin(CpuId{0}));
  const auto space = Must(VmSpace::Create(*other, cpu, {.views = ViewDiscipline::kOff}));
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  USegment segment = Must(other->frames().AllocateSegment(512, 512, Untyped{}, Zeroing::kZero));
  const std::byte* const bytes = segment.Data();
  Must(Must(space->OpenCursorMut(cpu, {VirtAddr(kHuge), VirtAddr(2 * kHuge)}))
           .Map(MappedFrames(std::move(segment), kReadWriteUser)));
  space->Activate(cpu);
  const std::vector<std::byte> data = Pattern(100'000);
  VmReader source{std::span(data)};
  auto writer = Must(space->Writer(cpu, VirtAddr(kHuge + 5000), data.size()));
  EXPECT_EQ(writer.Write(source).bytes, data.size());
  EXPECT_TRUE(std::equal(data.begin(), data.end(), bytes + 5000));
  auto reader = Must(space->Reader(cpu, VirtAddr(kHuge + 5000), data.size()));
  EXPECT_EQ(Must(reader.Collect()), data);
  other->DeactivateSpace(cpu);
}

// Between spaces of two machines: neither knows of the other.
TEST_F(UserMemoryTest, CopiesFromOneMachineToAnother) {
  auto other = Must(Machine::Create(SmallMachine()));
  const CpuPin there = Must(other->Pin(CpuId{0}));
  const auto foreign = Must(VmSpace::Create(*other, there));
  UFrame frame = Must(other->frames().Allocate(Untyped{}, Zeroing::kZero));
  frame.Data()[1] = std::byte{7};
  Must(Must(foreign->OpenCursorMut(there, Page(1)))
           .Map(MappedFrames(std::move(frame), kReadWriteUser)));
  foreign->Activate(there);
  const auto own = NewSpace();
  MapNew(*own, Page(1));
  own->Activate(pin());
  auto reader = Must(foreign->Reader(there, VirtAddr(0x1000), kPageSize));
  auto writer = Must(own->Writer(pin(), VirtAddr(0x1000), kPageSize));
  EXPECT_EQ(reader.Read(writer).bytes, kPageSize);
  EXPECT_EQ(Must(own->Load(pin(), VirtAddr(0x1000))).value, 0x0700u);
  other->DeactivateSpace(there);
}

// What the seam promises to a ledger.
class RecordingRegistry final : public ViewRegistry {
 public:
  absl::StatusOr<uint64_t> BeginView(VirtRange range, ViewKind kind) override {
    if (refuse) return absl::FailedPreconditionError("overlaps a writer");
    views.push_back({range, kind, true});
    return views.size() - 1;
  }
  void EndView(uint64_t view) override {
    EXPECT_TRUE(views.at(view).open);
    views.at(view).open = false;
  }

  struct View {
    VirtRange range;
    ViewKind kind;
    bool open;
  };
  std::vector<View> views;
  bool refuse = false;
};

TEST_F(UserMemoryTest, ViewsAreRegisteredForTheLifeOfTheReaderOrWriter) {
  const auto space = NewSpace();
  RecordingRegistry registry;
  space->SetViewRegistry(&registry);
  space->Activate(pin());
  {
    VmReader<Fallible> reader = Must(space->Reader(pin(), VirtAddr(0x1000), 100));
    std::optional<VmWriter<Fallible>> writer(Must(space->Writer(pin(), VirtAddr(0x2000), 200)));
    ASSERT_EQ(registry.views.size(), 2u);
    EXPECT_EQ(registry.views[0].range, (VirtRange{VirtAddr(0x1000), VirtAddr(0x1064)}));
    EXPECT_EQ(registry.views[0].kind, ViewKind::kReader);
    EXPECT_EQ(registry.views[1].kind, ViewKind::kWriter);
    VmReader<Fallible> moved = std::move(reader);
    EXPECT_TRUE(registry.views[0].open);
    writer.reset();
    EXPECT_FALSE(registry.views[1].open);
    EXPECT_EQ(moved.remain(), 100u);
  }
  EXPECT_FALSE(registry.views[0].open);
}

TEST_F(UserMemoryTest, AReaderAndWriterOfOneRangeAreOneView) {
  const auto space = NewSpace();
  MapNew(*space, Page(1));
  RecordingRegistry registry;
  space->SetViewRegistry(&registry);
  space->Activate(pin());
  {
    UserReaderWriter both = Must(space->ReaderWriter(pin(), VirtAddr(0x1000), 8));
    ASSERT_EQ(registry.views.size(), 1u);
    EXPECT_EQ(registry.views[0].kind, ViewKind::kWriter);
    EXPECT_TRUE(IsOk(both.writer().WriteVal<uint64_t>(7)));
    EXPECT_EQ(Must(both.reader().ReadVal<uint64_t>()), 7u);
    EXPECT_TRUE(registry.views[0].open);
  }
  EXPECT_FALSE(registry.views[0].open);
}

TEST_F(UserMemoryTest, ARegistryThatRefusesDecidesTheError) {
  const auto space = NewSpace();
  RecordingRegistry registry;
  registry.refuse = true;
  space->SetViewRegistry(&registry);
  // What is refused anyway is not asked about.
  EXPECT_TRUE(Refused(space->Reader(pin(), VirtAddr(0x1000), 8), StatusCode::kPermissionDenied));
  space->Activate(pin());
  EXPECT_TRUE(Refused(space->Reader(pin(), VirtAddr(0x1000), 8), StatusCode::kFailedPrecondition));
  EXPECT_TRUE(Refused(space->Writer(pin(), VirtAddr(0x1000), 8), StatusCode::kFailedPrecondition));
  EXPECT_TRUE(
      Refused(space->ReaderWriter(pin(), VirtAddr(0x1000), 8), StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace paddock
