// SPDX-License-Identifier: Apache-2.0

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <ranges>
#include <span>
#include <sstream>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/io/memory_io.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

constexpr std::byte kUntouched{0xee};

struct Room {
  explicit Room(size_t size) : bytes(size, kUntouched) {}

  MemoryIo io() { return MemoryIo(bytes); }
  uint8_t at(size_t i) const { return static_cast<uint8_t>(bytes[i]); }

  std::vector<std::byte> bytes;
};

template <typename T>
void EveryAlignmentFromEveryOffset() {
  const std::vector<T> values = {static_cast<T>(1), static_cast<T>(2), static_cast<T>(3)};
  for (const uint64_t align : {0, 1, 2, 4, 8, 16, 64}) {
    for (uint64_t offset = 0; offset < 20; ++offset) {
      Room room(400);
      const WrittenValues written = room.io().WriteVals(offset, values, align);
      ASSERT_TRUE(IsOk(written.status));
      ASSERT_EQ(written.values, 3u);
      // The definition: start and stride are rounded up to the alignment.
      const uint64_t unit = align == 0 ? 1 : align;
      uint64_t at = (offset + unit - 1) / unit * unit;
      const uint64_t stride = (sizeof(T) + unit - 1) / unit * unit;
      std::vector<std::byte> expected(400, kUntouched);
      for (const T& value : values) {
        const std::span<const std::byte> bytes = std::as_bytes(std::span(&value, 1));
        std::copy(bytes.begin(), bytes.end(), expected.begin() + at);
        at += stride;
      }
      ASSERT_EQ(room.bytes, expected) << "align " << align << " from " << offset;
    }
  }
}

TEST(WriteVals, KeepsEveryAlignmentFromEveryOffset) {
  EveryAlignmentFromEveryOffset<uint8_t>();
  EveryAlignmentFromEveryOffset<uint16_t>();
  EveryAlignmentFromEveryOffset<uint32_t>();
  EveryAlignmentFromEveryOffset<uint64_t>();
}

TEST(WriteVals, RefusesAlignmentsThatAreNoPowerOfTwo) {
  Room room(64);
  for (const uint64_t align : {uint64_t{3}, uint64_t{6}, uint64_t{100}, ~uint64_t{0}}) {
    const WrittenValues written = room.io().WriteVals(0, std::vector<uint8_t>{1}, align);
    EXPECT_TRUE(Refused(written.status, StatusCode::kInvalidArgument, {"power of two"}));
    EXPECT_EQ(written.values, 0u);
  }
  EXPECT_EQ(room.bytes, std::vector<std::byte>(64, kUntouched));
}

TEST(WriteVals, StopsAtTheFirstThatDoesNotFitAndSaysHowManyDid) {
  Room room(10);
  const std::vector<uint32_t> values = {1, 2, 3, 4};
  const WrittenValues some = room.io().WriteVals(0, values, 0);
  EXPECT_EQ(some.values, 2u);
  EXPECT_TRUE(Refused(some.status, StatusCode::kOutOfRange));
  EXPECT_EQ(room.bytes[8], kUntouched);
  const WrittenValues none = room.io().WriteVals(7, values, 0);
  EXPECT_EQ(none.values, 0u);
  EXPECT_TRUE(Refused(none.status, StatusCode::kOutOfRange));
}

TEST(WriteVals, WritesNothingFromAnEmptyRange) {
  Room room(4);
  const WrittenValues written = room.io().WriteVals(100, std::vector<uint32_t>{}, 8);
  EXPECT_TRUE(IsOk(written.status));
  EXPECT_EQ(written.values, 0u);
}

TEST(WriteVals, OffsetsDoNotOverflow) {
  Room room(64);
  for (const uint64_t offset : {~uint64_t{0}, ~uint64_t{0} - 3, ~uint64_t{0} - 60}) {
    for (const uint64_t align : {0ul, 64ul, uint64_t{1} << 63}) {
      const WrittenValues written = room.io().WriteVals(offset, std::vector<uint32_t>{1}, align);
      EXPECT_TRUE(Refused(written.status, StatusCode::kOutOfRange));
      EXPECT_EQ(written.values, 0u);
    }
  }
  EXPECT_EQ(room.bytes, std::vector<std::byte>(64, kUntouched));
}

TEST(WriteVals, TakesAnyInputIterator) {
  Room room(16);
  const std::list<uint8_t> list = {1, 2, 3};
  EXPECT_EQ(room.io().WriteVals(0, list.begin(), list.end(), 2).values, 3u);
  EXPECT_EQ(room.at(4), 3);
  EXPECT_EQ(room.io().WriteVals(0, std::views::iota(uint16_t{7}, uint16_t{9}), 4).values, 2u);
  EXPECT_EQ(room.at(4), 8);
  // One that can be walked once only.
  std::istringstream text("10 20 30");
  EXPECT_EQ(
      room.io()
          .WriteVals(0, std::istream_iterator<int32_t>(text), std::istream_iterator<int32_t>(), 0)
          .values,
      3u);
  EXPECT_EQ(room.at(8), 30);
}

}  // namespace
}  // namespace paddock
