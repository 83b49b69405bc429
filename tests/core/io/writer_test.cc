// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/vm_writer.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

template <typename Writer, typename T>
concept WritesOnce = requires(Writer& writer, const T& value) { writer.WriteOnce(value); };

static_assert(WritesOnce<VmWriter<Infallible>, uint8_t>);
static_assert(WritesOnce<VmWriter<Fallible>, double>);
static_assert(!WritesOnce<VmWriter<Infallible>, std::array<uint8_t, 3>>);
static_assert(!WritesOnce<VmWriter<Fallible>, std::array<uint64_t, 2>>);
static_assert(!std::copyable<VmWriter<Infallible>> && !std::copyable<VmWriter<Fallible>>);
static_assert(std::movable<VmWriter<Infallible>> && std::movable<VmWriter<Fallible>>);

TEST(VmWriterTest, WritesAsMuchAsBothSidesHave) {
  std::vector<std::byte> target(100);
  VmWriter writer{std::span(target)};
  for (int i = 0; i < 3; ++i) {
    const std::vector<std::byte> source = Pattern(40, i);
    VmReader reader{std::span(source)};
    const uint64_t expected = i < 2 ? 40 : 20;
    EXPECT_EQ(writer.Write(reader), expected);
    EXPECT_EQ(reader.remain(), 40 - expected);
    EXPECT_TRUE(std::equal(source.begin(), source.begin() + expected, target.begin() + 40 * i));
  }
  EXPECT_FALSE(writer.has_avail());
}

TEST(VmWriterTest, LimitsAndSkipsAsAReaderDoes) {
  std::vector<std::byte> target(100);
  VmWriter writer{std::span(target)};
  EXPECT_EQ(writer.Limit(200).avail(), 100u);
  EXPECT_EQ(writer.Limit(50).avail(), 50u);
  EXPECT_TRUE(IsOk(writer.Skip(10)));
  EXPECT_EQ(writer.cursor(), reinterpret_cast<uintptr_t>(target.data() + 10));
  EXPECT_TRUE(Refused(writer.Skip(41), StatusCode::kOutOfRange, {"41 bytes", "40 are left"}));
  EXPECT_EQ(writer.avail(), 40u);
  EXPECT_TRUE(IsOk(writer.WriteVal<uint8_t>(5)));
  EXPECT_EQ(target[10], std::byte{5});
}

TEST(VmWriterTest, ValuesThatDoNotFitAreRefusedAndNothingIsWritten) {
  std::vector<std::byte> target(7);
  VmWriter writer{std::span(target)};
  EXPECT_TRUE(IsOk(writer.WriteVal<uint32_t>(0x0403'0201)));
  EXPECT_TRUE(Refused(writer.WriteVal<uint32_t>(~0u), StatusCode::kOutOfRange));
  EXPECT_TRUE(Refused(writer.WriteOnce<uint32_t>(~0u), StatusCode::kOutOfRange));
  EXPECT_EQ(writer.avail(), 3u);
  EXPECT_EQ(target, (std::vector<std::byte>{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                            std::byte{0}, std::byte{0}, std::byte{0}}));
}

template <typename T>
void WriteOnceAtEveryAlignment() {
  for (size_t offset = 0; offset < 16; ++offset) {
    alignas(8) std::array<std::byte, 24> bytes{};
    VmWriter writer{std::span(bytes).subspan(offset)};
    const absl::Status written = writer.WriteOnce(static_cast<T>(~T{0}));
    const bool aligned = offset % sizeof(T) == 0;
    EXPECT_EQ(written.code(), aligned ? StatusCode::kOk : StatusCode::kInvalidArgument);
    EXPECT_EQ(writer.avail(), 24 - offset - (aligned ? sizeof(T) : 0));
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0xff}), aligned ? sizeof(T) : 0);
    if (aligned) {
      EXPECT_EQ(bytes[offset], std::byte{0xff});
    }
  }
}

TEST(VmWriterTest, WritesOnceEverySizeWhereItIsAligned) {
  WriteOnceAtEveryAlignment<uint8_t>();
  WriteOnceAtEveryAlignment<uint16_t>();
  WriteOnceAtEveryAlignment<int32_t>();
  WriteOnceAtEveryAlignment<uint64_t>();
}

// Values that fit into the block that Fill copies from many times, twice, once, and not.
template <size_t kBytes>
void FillWithValuesOf() {
  using Value = std::array<std::byte, kBytes>;
  Value value;
  for (size_t i = 0; i < kBytes; ++i) value[i] = PatternByte(i);
  for (const size_t copies : {0, 1, 2, 3, 100}) {
    std::vector<std::byte> target(copies * kBytes);
    VmWriter writer{std::span(target)};
    const IoResult filled = writer.Fill(value);
    EXPECT_TRUE(IsOk(filled.status));
    EXPECT_EQ(filled.bytes, copies * kBytes);
    EXPECT_FALSE(writer.has_avail());
    for (size_t i = 0; i < target.size(); ++i) ASSERT_EQ(target[i], PatternByte(i % kBytes));
  }
}

TEST(VmWriterTest, FillsWithValuesOfAnySize) {
  FillWithValuesOf<1>();
  FillWithValuesOf<3>();
  FillWithValuesOf<8>();
  FillWithValuesOf<200>();
  FillWithValuesOf<256>();
  FillWithValuesOf<511>();
  FillWithValuesOf<512>();
  FillWithValuesOf<700>();
}

TEST(VmWriterTest, FillRefusesAnUnalignedStartAndAnUnevenEnd) {
  alignas(8) std::array<std::byte, 16> bytes{};
  VmWriter unaligned{std::span(bytes).subspan(2, 8)};
  const IoResult start = unaligned.Fill<uint32_t>(1);
  EXPECT_TRUE(Refused(start.status, StatusCode::kInvalidArgument, {"alignment"}));
  VmWriter uneven{std::span(bytes).first(10)};
  const IoResult end = uneven.Fill<uint32_t>(1);
  EXPECT_TRUE(Refused(end.status, StatusCode::kInvalidArgument, {"10 bytes", "multiple of 4"}));
  EXPECT_EQ(start.bytes + end.bytes, 0u);
  EXPECT_EQ(unaligned.avail(), 8u);
  EXPECT_EQ(uneven.avail(), 10u);
  EXPECT_EQ(bytes, (std::array<std::byte, 16>{}));
  EXPECT_TRUE(IsOk(uneven.Fill(std::array<uint8_t, 5>{1, 2, 3, 4, 5}).status));
}

TEST(VmWriterTest, FillsZerosUpToWhatIsAvailable) {
  std::vector<std::byte> target = Pattern(5000, 1);
  VmWriter writer{std::span(target)};
  EXPECT_EQ(writer.FillZeros(0), 0u);
  EXPECT_EQ(writer.FillZeros(4096), 4096u);
  EXPECT_EQ(target[4096], PatternByte(4096, 1));
  EXPECT_EQ(writer.FillZeros(~uint64_t{0}), 904u);
  EXPECT_EQ(std::count(target.begin(), target.end(), std::byte{0}), 5000);
  EXPECT_EQ(writer.FillZeros(1), 0u);
}

TEST(VmWriterTest, AFallibleOneOverMemoryOfThisProcessNeverFails) {
  std::vector<std::byte> target(300, std::byte{1});
  VmWriter<Fallible> writer = VmWriter(std::span(target)).ToFallible();
  EXPECT_TRUE(IsOk(writer.WriteVal<uint64_t>(0)));
  const IoResult zeros = writer.FillZeros(92);
  EXPECT_TRUE(IsOk(zeros.status));
  EXPECT_EQ(zeros.bytes, 92u);
  EXPECT_EQ(std::count(target.begin(), target.end(), std::byte{0}), 100);
  EXPECT_EQ(writer.Fill<uint8_t>(9).bytes, 200u);
  EXPECT_EQ(std::count(target.begin(), target.end(), std::byte{9}), 200);
}

class VmWriterOfFrames : public MachineTest {};

TEST_F(VmWriterOfFrames, WritesFramesAndSegments) {
  const UFrame frame = NewFrame();
  VmWriter to_frame(frame);
  EXPECT_EQ(to_frame.avail(), kPageSize);
  EXPECT_EQ(to_frame.Fill<uint64_t>(0x0101'0101'0101'0101).bytes, kPageSize);
  EXPECT_EQ(frame.Data()[4095], std::byte{1});

  const USegment segment = Must(frames().AllocateSegment(2, 1, Untyped{}, Zeroing::kZero));
  VmWriter to_segment(segment);
  VmReader from_frame(frame);
  EXPECT_TRUE(IsOk(to_segment.Skip(kPageSize)));
  EXPECT_EQ(to_segment.Write(from_frame), kPageSize);
  EXPECT_EQ(segment.Data()[kPageSize], std::byte{1});
  EXPECT_EQ(segment.Data()[kPageSize - 1], std::byte{0});
}

}  // namespace
}  // namespace paddock
