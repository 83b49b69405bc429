// SPDX-License-Identifier: Apache-2.0
//
// Overlapping readers and writers of a space whose ledger keeps the memory-view discipline.

#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/space/user_io.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/parallel.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kStart = 0x10'0000;
constexpr uint64_t kPages = 4;

class MemoryViews : public MachineTest {
 protected:
  MemoryViews() { MakeSpace({.views = ViewDiscipline::kEnforce}); }
  void TearDown() override {
    space_.reset();
    MachineTest::TearDown();
  }

  void MakeSpace(const VmSpaceOptions& options) {
    space_ = NewSpace(options);
    for (uint64_t page = 0; page < kPages; ++page) {
      MapNew(*space_, Page(kStart / kPageSize + page));
    }
    space_->Activate(pin());
  }

  VmSpace& space() { return *space_; }
  auto Reader(uint64_t offset, uint64_t bytes) {
    return space_->Reader(pin(), VirtAddr(kStart + offset), bytes);
  }
  auto Writer(uint64_t offset, uint64_t bytes) {
    return space_->Writer(pin(), VirtAddr(kStart + offset), bytes);
  }
  auto ReaderWriter(uint64_t offset, uint64_t bytes) {
    return space_->ReaderWriter(pin(), VirtAddr(kStart + offset), bytes);
  }
  template <typename Result>
  static testing::AssertionResult IsInTheWay(const Result& result, const char* first,
                                             const char* second) {
    return Refused(result, StatusCode::kFailedPrecondition, {first, second});
  }

 private:
  std::shared_ptr<VmSpace> space_;
};

TEST_F(MemoryViews, AReaderIsRefusedWhereSomebodyWrites) {
  const auto writer = Must(Writer(0x1000, 0x1000));
  EXPECT_TRUE(IsInTheWay(Reader(0, 0x1001), "a reader of [0x100000, 0x101001)",
                         "writer 1 of [0x101000, 0x102000)"));
  EXPECT_TRUE(IsInTheWay(Reader(0x1fff, 1), "[0x101fff, 0x102000)", "[0x101000, 0x102000)"));
  EXPECT_TRUE(IsOk(Reader(0, 0x1000)));
  EXPECT_TRUE(IsOk(Reader(0x2000, 0x1000)));
}

TEST_F(MemoryViews, AWriterIsRefusedWhereSomebodyReadsOrWrites) {
  const auto reader = Must(Reader(0, 0x1000));
  const auto writer = Must(Writer(0x1000, 0x1000));
  EXPECT_TRUE(IsInTheWay(Writer(0xfff, 1), "a writer of", "reader 1 of [0x100000, 0x101000)"));
  EXPECT_TRUE(IsInTheWay(Writer(0x1fff, 2), "a writer of", "writer 2 of [0x101000, 0x102000)"));
  EXPECT_TRUE(IsOk(Writer(0x2000, 0x1000)));
}

TEST_F(MemoryViews, AReaderWriterIsAWriter) {
  auto both = Must(ReaderWriter(0, 16));
  EXPECT_TRUE(IsInTheWay(Reader(8, 8), "a reader of", "writer 1 of"));
  EXPECT_TRUE(IsInTheWay(ReaderWriter(15, 8), "a writer of", "writer 1 of"));
  EXPECT_TRUE(IsOk(both.writer().WriteVal<uint64_t>(7)));
  EXPECT_EQ(Must(both.reader().ReadVal<uint64_t>()), 7u) << "and not in its own way";
}

TEST_F(MemoryViews, ReadersShareUnlessTheSpaceSaysNo) {
  {
    const auto first = Must(Reader(0, 0x2000));
    EXPECT_TRUE(IsOk(Reader(0x1000, 0x2000)));
  }
  MakeSpace({.views = ViewDiscipline::kEnforce, .readers = ReaderSharing::kExclusive});
  const auto first = Must(Reader(0, 0x2000));
  EXPECT_TRUE(IsInTheWay(Reader(0x1000, 0x2000), "a reader of [0x101000, 0x103000)",
                         "reader 1 of [0x100000, 0x102000)"));
}

TEST_F(MemoryViews, WhatIsDestroyedOrMovedIsGivenBackOnce) {
  std::optional<VmWriter<Fallible>> writer(Must(Writer(0, 0x1000)));
  {
    VmWriter<Fallible> moved = std::move(*writer);
    writer.reset();
    EXPECT_FALSE(Reader(0, 8).ok()) << "the view has moved";
  }
  EXPECT_TRUE(IsOk(Reader(0, 8)));
  EXPECT_TRUE(IsOk(Writer(0, 0x1000)));
}

TEST_F(MemoryViews, ARefusalLeavesNothingBehind) {
  {
    const auto reader = Must(Reader(0x1000, 0x1000));
    EXPECT_FALSE(Writer(0, 0x2000).ok());
    EXPECT_TRUE(IsOk(Writer(0, 0x1000))) << "the part that is free";
  }
  EXPECT_TRUE(IsOk(Writer(0, 0x2000)));
}

TEST_F(MemoryViews, EmptyViewsAndOthersBytesOfAPageAreInNobodysWay) {
  const auto writer = Must(Writer(0x10, 0x10));
  EXPECT_TRUE(IsOk(Writer(0x18, 0)));
  EXPECT_TRUE(IsOk(Writer(0, 0x10)));
  EXPECT_TRUE(IsOk(Reader(0x20, 0x10)));
}

TEST_F(MemoryViews, OtherRefusalsComeFirst) {
  const auto writer = Must(Writer(0, 0x1000));
  EXPECT_TRUE(Refused(space().Reader(pin(), kUserEnd, 1), StatusCode::kPermissionDenied));
  machine().DeactivateSpace(pin());
  EXPECT_TRUE(Refused(Reader(0, 8), StatusCode::kPermissionDenied, {"not active"}));
}

TEST_F(MemoryViews, ViewsOfOneSpaceAreNotInTheWayInAnother) {
  const auto writer = Must(Writer(0, 0x1000));
  const auto other = NewSpace({.views = ViewDiscipline::kEnforce});
  other->Activate(pin());
  EXPECT_TRUE(IsOk(other->Writer(pin(), VirtAddr(kStart), 0x1000)));
}

// The view is one of addresses, not of frames: what they translate to may change under a reader.
TEST_F(MemoryViews, UnmappingAndFaultingUnderAReaderIsNoBreachOfTheDiscipline) {
  auto reader = Must(Reader(0, 2 * kPageSize));
  EXPECT_EQ(Must(reader.ReadVal<uint64_t>()), 0u);
  UnmapPage(space(), pin(), Page(kStart / kPageSize + 1));
  Must(reader.Skip(kPageSize));
  EXPECT_TRUE(Refused(reader.ReadVal<uint64_t>(), StatusCode::kNotFound));
  MapNew(space(), Page(kStart / kPageSize + 1));
  EXPECT_EQ(Must(reader.ReadVal<uint64_t>()), 0u);
}

TEST_F(MemoryViews, OperationsOnAddressesHoldTheirViewsForOneCall) {
  UserIo io(space(), pin());
  for (uint64_t round = 0; round < 3; ++round) {
    EXPECT_TRUE(IsOk(io.WriteVal(kStart + 8, round)));
    EXPECT_EQ(Must(io.ReadVal<uint64_t>(kStart + 8)), round);
  }
  const auto reader = Must(Reader(0, 0x1000));
  EXPECT_TRUE(IsOk(io.ReadVal<uint64_t>(kStart + 8)));
  EXPECT_TRUE(IsInTheWay(io.WriteVal<uint64_t>(kStart + 8, 1), "a writer of", "reader"));
}

TEST_F(MemoryViews, WithoutTheDisciplineEverybodyMayOverlap) {
  MakeSpace({.views = ViewDiscipline::kOff});
  const auto writer = Must(Writer(0, 0x1000));
  EXPECT_TRUE(IsOk(Writer(0, 0x1000)));
  EXPECT_TRUE(IsOk(Reader(0, 0x1000)));
}

TEST_F(MemoryViews, CheckedBuildsEnforceTheDisciplineUnlessToldOtherwise) {
  MakeSpace({});
  const auto writer = Must(Writer(0, 0x1000));
  EXPECT_EQ(Reader(0, 8).ok(), !kContractsChecked);
}

// Two CPUs copy whole values that never tear, because a copy is refused while the other side has
// the range: what is read is one value all through.
TEST_F(MemoryViews, WhatIsReadUnderTheDisciplineWasWrittenWhole) {
  constexpr uint64_t kBytes = 3 * kPageSize;
  constexpr int kCopies = 200;
  Event done;
  uint64_t written = 0;  // by CPU 1; read here when it is done
  CpuThreads threads(machine().cpus());
  threads.Run(1, [&](const CpuPin& cpu) {
    space().Activate(cpu);
    EXPECT_TRUE(Eventually([&] { return done.IsSet(); },
                           [&] {
                             auto writer = space().Writer(cpu, VirtAddr(kStart), kBytes);
                             if (writer.ok()) {
                               ++written;
                               EXPECT_TRUE(writer->Fill<uint64_t>(written).ok());
                             }
                             machine().Poll(cpu);
                           }));
    machine().DeactivateSpace(cpu);
  });
  int copies = 0;
  uint64_t last = 0;  // pages are new, and 0 is what nobody wrote
  EXPECT_TRUE(Eventually([&] { return copies >= kCopies && last != 0; },
                         [&] {
                           auto reader = Reader(0, kBytes);
                           if (reader.ok()) {
                             ++copies;
                             const uint64_t first = Must(reader->ReadVal<uint64_t>());
                             while (reader->has_remain())
                               ASSERT_EQ(Must(reader->ReadVal<uint64_t>()), first);
                             ASSERT_GE(first, last) << "an older value came back";
                             last = first;
                           }
                           machine().Poll(pin());
                         }));
  done.Set();
  threads.Join();
  EXPECT_GE(written, last);
}

}  // namespace
}  // namespace paddock
