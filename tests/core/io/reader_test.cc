// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/vm_reader.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

template <typename Reader, typename T>
concept ReadsOnce = requires(Reader& reader) { reader.template ReadOnce<T>(); };
template <typename Reader, typename T>
concept ReadsValue = requires(Reader& reader) { reader.template ReadVal<T>(); };
template <typename Reader>
concept BecomesFallible = requires(Reader& reader) { reader.ToFallible(); };

static_assert(ReadsOnce<VmReader<Infallible>, uint8_t> && ReadsOnce<VmReader<Fallible>, uint16_t>);
static_assert(ReadsOnce<VmReader<Infallible>, float> && ReadsOnce<VmReader<Fallible>, uint64_t>);
static_assert(!ReadsOnce<VmReader<Infallible>, std::array<uint8_t, 3>>);
static_assert(!ReadsOnce<VmReader<Fallible>, std::array<uint64_t, 2>>);
static_assert(!ReadsOnce<VmReader<Infallible>, bool>);
static_assert(ReadsValue<VmReader<Infallible>, std::array<uint8_t, 3>>);
static_assert(!ReadsValue<VmReader<Infallible>, void*>);
static_assert(BecomesFallible<VmReader<Infallible>> && !BecomesFallible<VmReader<Fallible>>);
static_assert(std::copyable<VmReader<Infallible>> && !std::copyable<VmReader<Fallible>>);
static_assert(std::is_nothrow_move_constructible_v<VmReader<Fallible>>);

TEST(VmReaderTest, ReadsAsMuchAsBothSidesHave) {
  const std::vector<std::byte> source = Pattern(100);
  for (const uint64_t room : {0, 1, 99, 100, 101}) {
    std::vector<std::byte> target(room);
    VmReader reader{std::span(source)};
    VmWriter writer{std::span(target)};
    const uint64_t expected = std::min<uint64_t>(room, 100);
    EXPECT_EQ(reader.Read(writer), expected);
    EXPECT_EQ(reader.remain(), 100 - expected);
    EXPECT_EQ(writer.avail(), room - expected);
    EXPECT_TRUE(std::equal(target.begin(), target.begin() + expected, source.begin()));
  }
}

TEST(VmReaderTest, NothingIsReadFromNothing) {
  VmReader reader{std::span<const std::byte>()};
  std::byte room[4];
  VmWriter writer{std::span(room)};
  EXPECT_FALSE(reader.has_remain());
  EXPECT_EQ(reader.Read(writer), 0u);
  EXPECT_TRUE(reader.Collect().empty());
  EXPECT_TRUE(IsOk(reader.Skip(0)));
  EXPECT_TRUE(Refused(reader.ReadVal<uint8_t>(), StatusCode::kOutOfRange));
}

TEST(VmReaderTest, LimitsShortenAndNeverLengthen) {
  const std::vector<std::byte> source = Pattern(100);
  VmReader reader{std::span(source)};
  EXPECT_EQ(reader.Limit(200).remain(), 100u);
  EXPECT_EQ(reader.Limit(30).remain(), 30u);
  EXPECT_EQ(reader.Limit(40).remain(), 30u);
  EXPECT_EQ(reader.Collect(), Pattern(30));
  EXPECT_EQ(reader.Limit(0).remain(), 0u);
}

TEST(VmReaderTest, SkipsUpToTheEndAndNotBeyond) {
  const std::vector<std::byte> source = Pattern(100);
  VmReader reader{std::span(source)};
  EXPECT_TRUE(IsOk(reader.Skip(60)));
  EXPECT_EQ(reader.cursor(), reinterpret_cast<uintptr_t>(source.data() + 60));
  for (const uint64_t beyond : {uint64_t{41}, ~uint64_t{0}}) {
    EXPECT_TRUE(Refused(reader.Skip(beyond), StatusCode::kOutOfRange, {"40 are left"}));
    EXPECT_EQ(reader.remain(), 40u);
  }
  EXPECT_TRUE(IsOk(reader.Skip(40)));
  EXPECT_FALSE(reader.has_remain());
}

TEST(VmReaderTest, ReadsValuesAtAnyAlignmentAndRefusesShortOnes) {
  const std::vector<std::byte> source = Pattern(11);
  for (size_t offset = 0; offset < 4; ++offset) {
    VmReader reader{std::span(source).subspan(offset, 7)};
    uint32_t expected;
    std::copy_n(source.begin() + offset, 4, reinterpret_cast<std::byte*>(&expected));
    EXPECT_EQ(Must(reader.ReadVal<uint32_t>()), expected);
    EXPECT_TRUE(
        Refused(reader.ReadVal<uint32_t>(), StatusCode::kOutOfRange, {"4 bytes", "3 are left"}));
    EXPECT_EQ(reader.remain(), 3u);
    using Three = std::array<std::byte, 3>;
    EXPECT_EQ(Must(reader.ReadVal<Three>()),
              (Three{source[offset + 4], source[offset + 5], source[offset + 6]}));
  }
}

template <typename T>
void ReadOnceAtEveryAlignment() {
  alignas(8) std::array<std::byte, 24> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = PatternByte(i);
  for (size_t offset = 0; offset < 16; ++offset) {
    VmReader reader{std::span<const std::byte>(bytes).subspan(offset)};
    const uint64_t before = reader.remain();
    const absl::StatusOr<T> read = reader.template ReadOnce<T>();
    if (offset % sizeof(T) != 0) {
      EXPECT_TRUE(Refused(read, StatusCode::kInvalidArgument, {"is not a multiple of"}));
      EXPECT_EQ(reader.remain(), before);
      continue;
    }
    T expected;
    std::copy_n(bytes.begin() + offset, sizeof(T), reinterpret_cast<std::byte*>(&expected));
    EXPECT_EQ(Must(read), expected);
    EXPECT_EQ(reader.remain(), before - sizeof(T));
  }
  VmReader reader{std::span<const std::byte>(bytes).first(sizeof(T) - 1)};
  EXPECT_TRUE(Refused(reader.template ReadOnce<T>(), StatusCode::kOutOfRange));
}

TEST(VmReaderTest, ReadsOnceEverySizeWhereItIsAligned) {
  ReadOnceAtEveryAlignment<uint8_t>();
  ReadOnceAtEveryAlignment<int16_t>();
  ReadOnceAtEveryAlignment<uint32_t>();
  ReadOnceAtEveryAlignment<uint64_t>();
  // Aligned to 1 byte as a type; one access wants 4 all the same.
  ReadOnceAtEveryAlignment<std::array<uint8_t, 4>>();
}

TEST(VmReaderTest, CopiesOfAReaderGoTheirOwnWays) {
  const std::vector<std::byte> source = Pattern(10);
  VmReader reader{std::span(source)};
  VmReader copy = reader;
  EXPECT_TRUE(IsOk(copy.Skip(7)));
  EXPECT_EQ(reader.remain(), 10u);
  EXPECT_EQ(copy.remain(), 3u);
}

TEST(VmReaderTest, AFallibleOneOverMemoryOfThisProcessNeverFails) {
  const std::vector<std::byte> source = Pattern(5000);
  VmReader<Fallible> reader = VmReader(std::span(source)).ToFallible();
  EXPECT_EQ(reader.cursor(), reinterpret_cast<uintptr_t>(source.data()));
  EXPECT_TRUE(IsOk(reader.Skip(1)));
  EXPECT_TRUE(IsOk(reader.ReadVal<uint32_t>()));
  std::vector<std::byte> target(95);
  VmWriter writer{std::span(target)};
  const IoResult done = reader.Read(writer);
  EXPECT_TRUE(IsOk(done.status));
  EXPECT_EQ(done.bytes, 95u);
  EXPECT_EQ(target[0], source[5]);
  EXPECT_EQ(reader.remain(), 4900u);
  const std::vector<std::byte> rest = Must(reader.Collect());
  EXPECT_EQ(rest.size(), 4900u);
  EXPECT_EQ(rest.back(), source.back());
  EXPECT_FALSE(reader.has_remain());
}

class VmReaderOfFrames : public MachineTest {};

TEST_F(VmReaderOfFrames, ReadsFramesAndSegments) {
  const UFrame frame = NewFrame();
  frame.Data()[4095] = std::byte{7};
  VmReader of_frame(frame);
  EXPECT_EQ(of_frame.remain(), kPageSize);
  EXPECT_EQ(of_frame.Collect().back(), std::byte{7});

  const USegment segment = Must(frames().AllocateSegment(3, 1, Untyped{}, Zeroing::kZero));
  segment.Data()[2 * kPageSize] = std::byte{9};
  VmReader of_segment(segment);
  EXPECT_EQ(of_segment.remain(), 3 * kPageSize);
  EXPECT_TRUE(IsOk(of_segment.Skip(2 * kPageSize)));
  EXPECT_EQ(Must(of_segment.ReadVal<uint8_t>()), 9);
}

}  // namespace
}  // namespace paddock
