// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/memory_io.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr uint64_t kPages = 3;
constexpr uint64_t kBytes = kPages * kPageSize;

// The same operations on each kind of memory, three pages of it.
class MemoryIoTest : public MachineTest {
 protected:
  template <typename Test>
  void OnEveryKind(Test test) {
    {
      SCOPED_TRACE("span");
      std::vector<uint64_t> words(kBytes / 8);
      test(MemoryIo(std::as_writable_bytes(std::span(words))));
    }
    {
      SCOPED_TRACE("segment");
      const USegment segment = Must(frames().AllocateSegment(kPages, 1, Untyped{}, Zeroing::kZero));
      test(MemoryIo(segment));
    }
    {
      SCOPED_TRACE("frames");
      std::vector<UFrame> scattered;
      scattered.reserve(kPages);
      for (uint64_t i = 0; i < kPages; ++i) scattered.push_back(NewFrame());
      std::swap(scattered.front(), scattered.back());
      test(FramesIo(scattered));
    }
  }
};

TEST_F(MemoryIoTest, WhatWasWrittenIsReadBackAtEveryBorder) {
  OnEveryKind([](const auto& io) {
    EXPECT_EQ(io.size(), kBytes);
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{5000}, kBytes}) {
      for (const uint64_t offset : {uint64_t{0}, kPageSize - 1, kPageSize, kBytes - bytes}) {
        if (offset + bytes > kBytes) continue;
        const std::vector<std::byte> data = Pattern(bytes, 1);
        std::vector<std::byte> back(bytes);
        EXPECT_TRUE(IsOk(io.WriteBytes(0, std::vector<std::byte>(kBytes))));
        EXPECT_TRUE(IsOk(io.WriteBytes(offset, data)));
        EXPECT_TRUE(IsOk(io.ReadBytes(offset, back)));
        EXPECT_EQ(back, data);
        std::vector<std::byte> all(kBytes);
        EXPECT_TRUE(IsOk(io.ReadBytes(0, all)));
        EXPECT_EQ(std::count(all.begin(), all.end(), std::byte{0}), kBytes - bytes);
      }
    }
  });
}

TEST_F(MemoryIoTest, NothingIsShortAndNothingIsDoneBeyondTheEnd) {
  OnEveryKind([](const auto& io) {
    const std::vector<std::byte> data = Pattern(100, 1);
    std::vector<std::byte> back(100);
    for (const uint64_t offset :
         {kBytes - 99, kBytes, kBytes + 1, ~uint64_t{0}, ~uint64_t{0} - 99}) {
      EXPECT_TRUE(Refused(io.WriteBytes(offset, data), StatusCode::kOutOfRange, {"100 bytes"}));
      EXPECT_TRUE(Refused(io.ReadBytes(offset, back), StatusCode::kOutOfRange, {"100 bytes"}));
      EXPECT_TRUE(
          Refused(io.template ReadVal<std::array<int, 25>>(offset), StatusCode::kOutOfRange));
    }
    std::vector<std::byte> all(kBytes);
    EXPECT_TRUE(IsOk(io.ReadBytes(0, all)));
    EXPECT_EQ(all, std::vector<std::byte>(kBytes));
    EXPECT_EQ(back, std::vector<std::byte>(100));
    EXPECT_TRUE(IsOk(io.ReadBytes(kBytes, std::span<std::byte>())));
    EXPECT_TRUE(Refused(io.ReadBytes(kBytes + 1, std::span<std::byte>()), StatusCode::kOutOfRange));
  });
}

TEST_F(MemoryIoTest, ValuesAndSlicesCrossFrames) {
  OnEveryKind([](const auto& io) {
    EXPECT_TRUE(IsOk(io.template WriteVal<uint64_t>(kPageSize - 3, 0x1122'3344'5566'7788)));
    EXPECT_EQ(Must(io.template ReadVal<uint64_t>(kPageSize - 3)), 0x1122'3344'5566'7788u);
    EXPECT_EQ(Must(io.template ReadVal<uint8_t>(kPageSize)), 0x55);
    const std::vector<uint32_t> numbers = {1, 2, 3, 4, 5};
    EXPECT_TRUE(IsOk(io.template WriteSlice<uint32_t>(2 * kPageSize - 8, numbers)));
    std::vector<uint32_t> back(5);
    EXPECT_TRUE(IsOk(io.template ReadSlice<uint32_t>(2 * kPageSize - 8, back)));
    EXPECT_EQ(back, numbers);
  });
}

TEST_F(MemoryIoTest, OnceAccessesWantAlignmentAndRoom) {
  OnEveryKind([](const auto& io) {
    EXPECT_TRUE(IsOk(io.template WriteOnce<uint32_t>(kPageSize + 4, 77)));
    EXPECT_EQ(Must(io.template ReadOnce<uint32_t>(kPageSize + 4)), 77u);
    EXPECT_EQ(Must(io.template ReadVal<uint32_t>(kPageSize + 4)), 77u);
    EXPECT_TRUE(Refused(io.template ReadOnce<uint32_t>(2), StatusCode::kInvalidArgument));
    EXPECT_TRUE(Refused(io.template WriteOnce<uint64_t>(4, 1), StatusCode::kInvalidArgument));
    EXPECT_TRUE(IsOk(io.template WriteOnce<uint64_t>(kBytes - 8, 1)));
    for (const uint64_t offset : {kBytes - 4, kBytes, ~uint64_t{7}}) {
      EXPECT_TRUE(Refused(io.template ReadOnce<uint64_t>(offset), StatusCode::kOutOfRange));
      EXPECT_TRUE(Refused(io.template WriteOnce<uint64_t>(offset, 1), StatusCode::kOutOfRange));
    }
  });
}

TEST_F(MemoryIoTest, ReadersAndWritersAreTakenWhole) {
  OnEveryKind([](const auto& io) {
    const std::vector<std::byte> data = Pattern(2 * kPageSize, 1);
    VmReader<Fallible> reader = VmReader(std::span(data)).ToFallible();
    EXPECT_TRUE(IsOk(io.Write(10, reader)));
    EXPECT_FALSE(reader.has_remain());
    std::vector<std::byte> back(2 * kPageSize);
    VmWriter<Fallible> writer = VmWriter(std::span(back)).ToFallible();
    EXPECT_TRUE(IsOk(io.Read(10, writer)));
    EXPECT_FALSE(writer.has_avail());
    EXPECT_EQ(back, data);
  });
}

TEST_F(MemoryIoTest, AOnceAccessAcrossTwoFramesIsUnalignedNotOutside) {
  std::vector<UFrame> scattered;
  for (int i = 0; i < 2; ++i) scattered.push_back(NewFrame());
  const FramesIo io{std::span<const UFrame>(scattered)};
  EXPECT_TRUE(
      Refused(io.ReadOnce<uint32_t>(kPageSize - 2), StatusCode::kInvalidArgument, {"0xffe"}));
  EXPECT_TRUE(Refused(io.WriteOnce<uint32_t>(kPageSize - 2, 1), StatusCode::kInvalidArgument));
}

TEST_F(MemoryIoTest, AnUnalignedSpanIsReadOnceWhereTheMemoryIsAligned) {
  alignas(8) std::array<std::byte, 17> bytes{};
  const MemoryIo io{std::span(bytes).subspan(1)};
  EXPECT_TRUE(Refused(io.ReadOnce<uint64_t>(0), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsOk(io.WriteOnce<uint64_t>(7, ~uint64_t{0})));
  EXPECT_EQ(bytes[8], std::byte{0xff});
  EXPECT_EQ(bytes[7], std::byte{0});
}

TEST_F(MemoryIoTest, AFrameIsOnePage) {
  const UFrame frame = NewFrame();
  const MemoryIo io(frame);
  EXPECT_EQ(io.size(), kPageSize);
  EXPECT_TRUE(IsOk(io.WriteVal<uint16_t>(4094, 0x0102)));
  EXPECT_EQ(frame.Data()[4095], std::byte{1});
  EXPECT_TRUE(Refused(io.WriteVal<uint16_t>(4095, 1), StatusCode::kOutOfRange, {"4096"}));
}

TEST_F(MemoryIoTest, EmptyHandlesHoldNothing) {
  EXPECT_EQ(MemoryIo(UFrame()).size(), 0u);
  EXPECT_EQ(MemoryIo(USegment()).size(), 0u);
  EXPECT_FALSE(VmReader(UFrame()).has_remain());
  EXPECT_FALSE(VmReader(USegment()).has_remain());
  EXPECT_FALSE(VmWriter(UFrame()).has_avail());
  EXPECT_FALSE(VmWriter(USegment()).has_avail());
}

TEST_F(MemoryIoTest, AnEmptyHandleAmongFramesIsAHole) {
  std::vector<UFrame> frames(2);
  frames[0] = NewFrame();
  const FramesIo io{std::span<const UFrame>(frames)};
  EXPECT_TRUE(IsOk(io.WriteVal<uint64_t>(kPageSize - 8, 0)));
  constexpr uint32_t kOnes = ~uint32_t{0};
  EXPECT_TRUE(
      Refused(io.WriteVal(kPageSize - 4, ~uint64_t{0}), StatusCode::kOutOfRange, {"0x1000"}));
  EXPECT_EQ(Must(io.ReadVal<uint32_t>(kPageSize - 4)), kOnes) << "what lies before is done";
  EXPECT_TRUE(Refused(io.ReadVal<uint64_t>(kPageSize - 4), StatusCode::kOutOfRange, {"0x1000"}));
  EXPECT_TRUE(Refused(io.ReadOnce<uint64_t>(kPageSize + 8), StatusCode::kOutOfRange, {"0x1008"}));
}

TEST_F(MemoryIoTest, NoFramesHoldNothing) {
  const FramesIo io(std::span<const UFrame>{});
  EXPECT_EQ(io.size(), 0u);
  EXPECT_TRUE(IsOk(io.ReadBytes(0, {})));
  EXPECT_TRUE(Refused(io.ReadVal<uint8_t>(0), StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace paddock
