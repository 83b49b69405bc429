// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers, line by line of the suite's "Memory IO". What concerns one class alone is in
// tests/core/io and tests/core/space.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/io/memory_io.h"
#include "paddock/core/space/user_io.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kSourcePage = 0x10;
constexpr uint64_t kTargetPage = 0x20;
constexpr uint64_t kPages = 4;
constexpr uint64_t kBytes = kPages * kPageSize;
constexpr uint8_t kSalt = 1;  // of the source: its pattern has no zeros

// Where a copy goes from and to. The holes, where there are some, are on the user's side; between
// two users, on the side that is named.
enum class Way { kFromUser, kToUser, kUserToUserFromHole, kUserToUserToHole };

std::ostream& operator<<(std::ostream& out, Way way) {
  return out << std::array{"FromUser", "ToUser", "UserToUserFromHole",
                           "UserToUserToHole"}[static_cast<size_t>(way)];
}

class MemoryIoFaults : public MachineTest, public testing::WithParamInterface<Way> {
 protected:
  MemoryIoFaults() : space_(NewSpace()), host_(kBytes) { space_->Activate(pin()); }
  void TearDown() override {
    space_.reset();
    MachineTest::TearDown();
  }

  VmSpace& space() { return *space_; }
  bool source_is_user() const { return GetParam() != Way::kToUser; }
  bool target_is_user() const { return GetParam() != Way::kFromUser; }
  bool hole_is_in_target() const {
    return GetParam() == Way::kToUser || GetParam() == Way::kUserToUserToHole;
  }
  uint64_t hole_base() const {
    return (hole_is_in_target() ? kTargetPage : kSourcePage) * kPageSize;
  }

  // Maps every page but `hole` of the side with the hole, and all of the other; fills the source.
  void MapAllBut(uint64_t hole) {
    for (uint64_t page = 0; page < kPages; ++page) {
      MapUnless(hole_is_in_target() || page != hole, kSourcePage + page);
      MapUnless(!hole_is_in_target() || page != hole, kTargetPage + page);
    }
    FillSource();
  }
  void MapUnless(bool is_mapped, uint64_t page) {
    if (is_mapped) MapNew(space(), Page(page));
  }
  void FillSource() {
    for (uint64_t i = 0; i < kBytes; ++i) {
      RcuReadGuard guard(machine().rcu(), pin());
      const auto found = space().Walk(guard, VirtAddr(kSourcePage * kPageSize + i));
      if (found) *frames().Data(found->address) = PatternByte(i, kSalt);
    }
    // In place: readers may refer to it.
    if (!source_is_user()) std::ranges::copy(Pattern(kBytes, kSalt), host_.begin());
  }

  VmReader<Fallible> Source(uint64_t offset, uint64_t bytes) {
    if (!source_is_user()) {
      return VmReader(std::span<const std::byte>(host_).subspan(offset, bytes)).ToFallible();
    }
    return Must(space().Reader(pin(), VirtAddr(kSourcePage * kPageSize + offset), bytes));
  }
  VmWriter<Fallible> Target(uint64_t offset, uint64_t bytes) {
    if (!target_is_user()) {
      std::ranges::fill(host_, std::byte{0});
      return VmWriter(std::span(host_).subspan(offset, bytes)).ToFallible();
    }
    return Must(space().Writer(pin(), VirtAddr(kTargetPage * kPageSize + offset), bytes));
  }
  // The byte of the target at `offset`; 0 where nothing is mapped.
  std::byte TargetByte(uint64_t offset) {
    if (!target_is_user()) return host_[offset];
    RcuReadGuard guard(machine().rcu(), pin());
    const auto found = space().Walk(guard, VirtAddr(kTargetPage * kPageSize + offset));
    return found ? *frames().Data(found->address) : std::byte{0};
  }

  // Copies all but the edges, from one offset of the source to another one of the target.
  void ExpectCopy(uint64_t from, uint64_t to, uint64_t bytes, uint64_t expected) {
    SCOPED_TRACE(testing::Message() << bytes << " bytes from " << from << " to " << to);
    VmReader<Fallible> reader = Source(from, bytes);
    VmWriter<Fallible> writer = Target(to, bytes);
    const uint64_t reader_start = reader.cursor();
    const uint64_t writer_start = writer.cursor();
    const IoResult done = reader.Read(writer);
    EXPECT_EQ(done.bytes, expected);
    if (expected == bytes) {
      EXPECT_TRUE(IsOk(done.status));
    } else {
      EXPECT_EQ(done.status.code(), StatusCode::kNotFound);
    }
    EXPECT_EQ(reader.cursor(), reader_start + expected);
    EXPECT_EQ(writer.cursor(), writer_start + expected);
    EXPECT_EQ(reader.remain(), bytes - expected);
    EXPECT_EQ(writer.avail(), bytes - expected);
    for (uint64_t i = 0; i < expected; ++i) {
      ASSERT_EQ(TargetByte(to + i), PatternByte(from + i, kSalt)) << "byte " << i;
    }
    for (uint64_t i = expected; i < bytes; ++i) ASSERT_EQ(TargetByte(to + i), std::byte{0});
  }

 private:
  std::shared_ptr<VmSpace> space_;
  std::vector<std::byte> host_;
};

INSTANTIATE_TEST_SUITE_P(Ways, MemoryIoFaults,
                         testing::Values(Way::kFromUser, Way::kToUser, Way::kUserToUserFromHole,
                                         Way::kUserToUserToHole),
                         testing::PrintToStringParamName());

TEST_P(MemoryIoFaults, AtTheFirstByteNothingIsCopied) {
  MapAllBut(0);
  ExpectCopy(0, 0, kBytes, 0);
  ExpectCopy(kPageSize - 1, kPageSize - 1, 1, 0);
}

TEST_P(MemoryIoFaults, InTheMiddleWhatComesBeforeIsCopied) {
  MapAllBut(2);
  ExpectCopy(0, 0, kBytes, 2 * kPageSize);
}

TEST_P(MemoryIoFaults, FromTheMiddleOfAPageTheCountIsExact) {
  MapAllBut(2);
  ExpectCopy(123, 123, kBytes - 123, 2 * kPageSize - 123);
}

TEST_P(MemoryIoFaults, AtTheLastByteAllButThatIsCopied) {
  MapAllBut(3);
  ExpectCopy(1, 1, 3 * kPageSize, 3 * kPageSize - 1);
}

TEST_P(MemoryIoFaults, WithDifferentPlacesInThePageTheCountIsExact) {
  MapAllBut(2);
  // The hole is at byte 2 * 4096 of its side.
  const uint64_t from = 100;
  const uint64_t to = 3000;
  const uint64_t start = hole_is_in_target() ? to : from;
  ExpectCopy(from, to, kBytes - 3000, 2 * kPageSize - start);
}

TEST_P(MemoryIoFaults, NotBeforeTheHoleIsReached) {
  MapAllBut(3);
  ExpectCopy(5, 9, 3 * kPageSize - 9, 3 * kPageSize - 9);
}

TEST_P(MemoryIoFaults, TheHandlerMapsAndTheCopyGoesOn) {
  std::vector<VirtAddr> faults;
  space().SetFaultHandler([&](VmSpace&, const CpuPin&, VirtAddr va, Access access) {
    faults.push_back(va);
    EXPECT_EQ(access == Access::kWrite, va.value() >= kTargetPage * kPageSize);
    MapNew(space(), VirtRange{va.AlignDown(kPageSize), va.AlignDown(kPageSize).Plus(kPageSize)});
    FillSource();
    return absl::OkStatus();
  });
  MapAllBut(2);
  ExpectCopy(123, 123, kBytes - 123, kBytes - 123);
  EXPECT_EQ(faults, std::vector<VirtAddr>{VirtAddr(hole_base() + 2 * kPageSize)});
}

TEST_P(MemoryIoFaults, AHandlerThatGivesUpLaterEndsTheCopyThere) {
  // Maps the first hole, not the second one.
  int left = 1;
  space().SetFaultHandler([&](VmSpace&, const CpuPin&, VirtAddr va, Access) {
    if (left-- == 0) return absl::NotFoundError("given up");
    MapNew(space(), VirtRange{va.AlignDown(kPageSize), va.AlignDown(kPageSize).Plus(kPageSize)});
    FillSource();
    return absl::OkStatus();
  });
  MapAllBut(0);
  UnmapPage(space(), pin(), Page(hole_base() / kPageSize + 3));
  ExpectCopy(1, 1, kBytes - 1, 3 * kPageSize - 1);
}

TEST_P(MemoryIoFaults, AfterTheFaultTheSameReaderAndWriterGoOn) {
  MapAllBut(1);
  VmReader<Fallible> reader = Source(0, kBytes);
  VmWriter<Fallible> writer = Target(0, kBytes);
  EXPECT_EQ(reader.Read(writer).bytes, kPageSize);
  MapNew(space(), Page(hole_base() / kPageSize + 1));
  FillSource();
  const IoResult rest = writer.Write(reader);
  EXPECT_TRUE(IsOk(rest.status));
  EXPECT_EQ(rest.bytes, 3 * kPageSize);
}

class MemoryIoOfUsers : public MachineTest {
 protected:
  // Without the discipline of views, since what is written is read back while the writer is there.
  MemoryIoOfUsers() : space_(NewSpace({.views = ViewDiscipline::kOff})) {
    MapNew(space(), Page(1));
    space().Activate(pin());
  }
  void TearDown() override {
    space_.reset();
    MachineTest::TearDown();
  }
  VmSpace& space() { return *space_; }

 private:
  std::shared_ptr<VmSpace> space_;
};

TEST_F(MemoryIoOfUsers, ShortSourcesShortTargetsAndNothing) {
  std::vector<std::byte> host = Pattern(100);
  for (const uint64_t user_bytes : {0, 1, 99, 100, 101}) {
    const uint64_t both = std::min<uint64_t>(user_bytes, 100);
    auto writer = Must(space().Writer(pin(), VirtAddr(0x1010), user_bytes));
    VmReader source{std::span(host)};
    const IoResult written = writer.Write(source);
    EXPECT_TRUE(IsOk(written.status));
    EXPECT_EQ(written.bytes, both);
    EXPECT_EQ(source.remain(), 100 - both);
    EXPECT_EQ(writer.avail(), user_bytes - both);

    auto reader = Must(space().Reader(pin(), VirtAddr(0x1010), user_bytes));
    std::vector<std::byte> back(100);
    VmWriter target{std::span(back)};
    const IoResult read = reader.Read(target);
    EXPECT_TRUE(IsOk(read.status));
    EXPECT_EQ(read.bytes, both);
    EXPECT_TRUE(std::equal(back.begin(), back.begin() + both, host.begin()));
  }
  // Nothing at all does not fault, wherever it is.
  auto nowhere = Must(space().Reader(pin(), VirtAddr(0x9000), 0));
  EXPECT_TRUE(Must(nowhere.Collect()).empty());
  EXPECT_TRUE(Refused(nowhere.ReadVal<uint8_t>(), StatusCode::kOutOfRange));
}

TEST_F(MemoryIoOfUsers, LimitsAndSkipsOfUserMemory) {
  auto reader = Must(space().Reader(pin(), VirtAddr(0x1000), 3 * kPageSize));
  // What is skipped or limited away is not accessed: pages 2 and 3 are not mapped.
  EXPECT_TRUE(IsOk(reader.Skip(kPageSize - 8)));
  EXPECT_EQ(reader.Limit(8).remain(), 8u);
  EXPECT_EQ(reader.cursor(), 0x1ff8u);
  EXPECT_TRUE(Refused(reader.Skip(9), StatusCode::kOutOfRange));
  EXPECT_TRUE(IsOk(reader.ReadVal<uint64_t>()));
  auto writer = Must(space().Writer(pin(), VirtAddr(0), 3 * kPageSize));
  EXPECT_TRUE(IsOk(writer.Skip(kPageSize)));
  EXPECT_EQ(writer.Limit(kPageSize).FillZeros(~uint64_t{0}).bytes, kPageSize);
}

template <typename T>
void OnceAtEveryAlignment(VmSpace& space, const CpuPin& pin) {
  const UserIo io(space, pin);
  for (uint64_t offset = 0; offset < 16; ++offset) {
    const uint64_t va = 0x1000 + offset;
    const StatusCode expected =
        offset % sizeof(T) == 0 ? StatusCode::kOk : StatusCode::kInvalidArgument;
    const auto value = static_cast<T>(0x8877'6655'4433'2211 + offset);
    EXPECT_EQ(io.WriteOnce<T>(va, value).code(), expected);
    EXPECT_EQ(io.ReadOnce<T>(va).status().code(), expected);
    if (expected == StatusCode::kOk) {
      EXPECT_EQ(Must(io.ReadOnce<T>(va)), value);
    }
  }
  // The last place in the page, and the first one behind it.
  EXPECT_TRUE(IsOk(io.ReadOnce<T>(0x2000 - sizeof(T))));
  EXPECT_TRUE(Refused(io.ReadOnce<T>(0x2000), StatusCode::kNotFound, {"0x2000"}));
}

TEST_F(MemoryIoOfUsers, OnceEverySizeAtEveryAlignment) {
  OnceAtEveryAlignment<uint8_t>(space(), pin());
  OnceAtEveryAlignment<uint16_t>(space(), pin());
  OnceAtEveryAlignment<uint32_t>(space(), pin());
  OnceAtEveryAlignment<uint64_t>(space(), pin());
}

template <typename T>
void ValuesAcrossTheEndOfAPage(VmSpace& space, const CpuPin& pin) {
  for (uint64_t inside = 0; inside <= sizeof(T); ++inside) {
    auto reader = Must(space.Reader(pin, VirtAddr(0x2000 - inside), 64));
    auto writer = Must(space.Writer(pin, VirtAddr(0x2000 - inside), 64));
    const StatusCode expected = inside == sizeof(T) ? StatusCode::kOk : StatusCode::kNotFound;
    EXPECT_EQ(reader.template ReadVal<T>().status().code(), expected);
    EXPECT_EQ(writer.template WriteVal<T>(T{}).code(), expected);
    const uint64_t advanced = expected == StatusCode::kOk ? sizeof(T) : 0;
    EXPECT_EQ(reader.cursor(), 0x2000 - inside + advanced);
    EXPECT_EQ(writer.cursor(), 0x2000 - inside + advanced);
    EXPECT_EQ(reader.remain(), 64 - advanced);
    EXPECT_EQ(writer.avail(), 64 - advanced);
  }
}

TEST_F(MemoryIoOfUsers, SingleValuesThatFaultLeaveTheCursor) {
  ValuesAcrossTheEndOfAPage<uint8_t>(space(), pin());
  ValuesAcrossTheEndOfAPage<uint64_t>(space(), pin());
  ValuesAcrossTheEndOfAPage<std::array<uint8_t, 33>>(space(), pin());
}

TEST_F(MemoryIoOfUsers, AHandlerMapsTheSecondHalfOfAValue) {
  space().SetFaultHandler([&](VmSpace&, const CpuPin&, VirtAddr va, Access) {
    EXPECT_EQ(va, VirtAddr(0x2000));
    MapNew(space(), Page(2));
    return absl::OkStatus();
  });
  const UserIo io(space(), pin());
  EXPECT_TRUE(IsOk(io.WriteVal<uint64_t>(0x1ffd, 0x1122'3344'5566'7788)));
  EXPECT_EQ(Must(io.ReadVal<uint64_t>(0x1ffd)), 0x1122'3344'5566'7788u);
}

TEST_F(MemoryIoOfUsers, BeyondUserAddressesIsRefusedOverflowIncluded) {
  const uint64_t end = kUserEnd.value();
  const auto refused = [&](uint64_t va, uint64_t bytes) {
    EXPECT_TRUE(Refused(space().Reader(pin(), VirtAddr(va), bytes), StatusCode::kPermissionDenied,
                        {"user addresses"}));
    EXPECT_TRUE(Refused(space().Writer(pin(), VirtAddr(va), bytes), StatusCode::kPermissionDenied,
                        {"user addresses"}));
    EXPECT_TRUE(Refused(space().ReaderWriter(pin(), VirtAddr(va), bytes),
                        StatusCode::kPermissionDenied, {"user addresses"}));
    const UserIo io(space(), pin());
    EXPECT_TRUE(Refused(io.ReadVal<uint64_t>(va | (end - 4)), StatusCode::kPermissionDenied));
  };
  for (const auto& [va, bytes] : std::vector<std::pair<uint64_t, uint64_t>>{
           {end - 1, 2},
           {end, 1},
           {end + 1, 0},
           {0, end + 1},
           {1, end},
           {0xffff'8000'0000'0000, 8},
           {~uint64_t{0}, 1},
           {~uint64_t{0}, ~uint64_t{0}},
           {0x1000, ~uint64_t{0}},
           {0x1000, ~uint64_t{0} - 0xfff},
       }) {
    SCOPED_TRACE(testing::Message() << std::hex << va << " + " << bytes);
    refused(va, bytes);
  }
  EXPECT_TRUE(IsOk(space().Reader(pin(), VirtAddr(0), end)));
  EXPECT_TRUE(IsOk(space().Writer(pin(), VirtAddr(end - 1), 1)));
  EXPECT_TRUE(IsOk(space().Reader(pin(), VirtAddr(end), 0)));
}

TEST_F(MemoryIoOfUsers, OfASpaceThatIsNotActiveHereIsRefused) {
  const auto other = NewSpace();
  const auto refused = [&](VmSpace& space) {
    EXPECT_TRUE(Refused(space.Reader(pin(), VirtAddr(0x1000), 8), StatusCode::kPermissionDenied,
                        {"not active on CPU 0"}));
    EXPECT_TRUE(Refused(space.Writer(pin(), VirtAddr(0x1000), 8), StatusCode::kPermissionDenied));
    EXPECT_TRUE(
        Refused(space.ReaderWriter(pin(), VirtAddr(0x1000), 8), StatusCode::kPermissionDenied));
  };
  refused(*other);
  EXPECT_TRUE(IsOk(space().Reader(pin(), VirtAddr(0x1000), 8)));
  other->Activate(pin());
  refused(space());
  machine().DeactivateSpace(pin());
  refused(*other);
}

TEST_F(MemoryIoOfUsers, SequencesOfValuesAtEveryAlignmentInUserMemory) {
  MapNew(space(), Page(2));
  const UserIo io(space(), pin());
  const std::vector<uint32_t> values = {1, 2, 3, 4};
  for (const uint64_t align : {0, 1, 2, 4, 8, 32, 4096}) {
    for (const uint64_t start : {0x1000, 0x1001, 0x1fff}) {
      const WrittenValues written = io.WriteVals(start, values, align);
      const uint64_t unit = std::max<uint64_t>(align, 1);
      uint64_t at = (start + unit - 1) / unit * unit;
      const uint64_t stride = (4 + unit - 1) / unit * unit;
      for (uint64_t i = 0; i < written.values; ++i, at += stride) {
        EXPECT_EQ(Must(io.ReadVal<uint32_t>(at)), values[i]);
      }
      EXPECT_EQ(written.ok(), written.values == values.size());
      // The next one, if there is one, would have been behind the two pages.
      if (!written.ok()) {
        EXPECT_GT(at + 4, 0x3000u);
      }
    }
  }
}

// The same bytes by offset in every object, whatever it is made of.
TEST_F(MemoryIoOfUsers, WhatOneObjectWritesAnotherReads) {
  UFrame frame = NewFrame();
  const UFrame second = Must(frame.Clone());
  const std::vector<std::byte> data = Pattern(kPageSize, kSalt);
  EXPECT_TRUE(IsOk(MemoryIo(second).WriteBytes(0, data)));
  Must(Must(space().OpenCursorMut(pin(), Page(7)))
           .Map(MappedFrames(std::move(frame), kReadWriteUser)));
  std::vector<std::byte> back(kPageSize);
  EXPECT_TRUE(IsOk(UserIo(space(), pin()).ReadBytes(0x7000, back)));
  EXPECT_EQ(back, data);
  EXPECT_TRUE(IsOk(FramesIo(std::span(&second, 1)).WriteVal<uint16_t>(10, 0xabcd)));
  EXPECT_EQ(Must(UserIo(space(), pin()).ReadVal<uint16_t>(0x700a)), 0xabcd);
}

}  // namespace
}  // namespace paddock
