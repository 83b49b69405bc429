// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/memory_oracle.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/stress/memory_ground.h"
#include "paddock/stress/memory_words.h"

namespace paddock {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr MemoryPlace kPlace{"a read", 1, 7, VirtAddr(0x5000)};

std::vector<std::byte> Filled(size_t bytes, int value) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

class MemoryOracleTest : public testing::Test {
 protected:
  std::string Message() const {
    return sink_.violations().empty() ? "" : sink_.violations().front().message;
  }

  ViolationSink sink_{"rerun"};
  MemoryOracle oracle_{2, sink_};
};

TEST_F(MemoryOracleTest, BytesAreThoseThatWereWritten) {
  EXPECT_TRUE(oracle_.CheckBytes(0, kPlace, Filled(20, 3), Filled(20, 3)));
  EXPECT_TRUE(oracle_.CheckBytes(0, kPlace, {}, {}));
  EXPECT_EQ(oracle_.result().checks, 2u);
  EXPECT_TRUE(oracle_.result().Passed());
}

TEST_F(MemoryOracleTest, TheFirstOtherByteIsNamedWithItsNeighbours) {
  std::vector<std::byte> read = Filled(20, 3);
  read[17] = std::byte{0xab};
  EXPECT_FALSE(oracle_.CheckBytes(1, kPlace, Filled(20, 3), read));
  EXPECT_THAT(Message(),
              AllOf(HasSubstr("cpu 1: a read at 0x5000 of space 7"),
                    HasSubstr("byte 17 of 20 is the first, at 0x5011"), HasSubstr(" 03 [ab] 03")));
  EXPECT_EQ(oracle_.result().violations, 1u);
}

TEST_F(MemoryOracleTest, FewerBytesThanWereWrittenAreOtherBytes) {
  EXPECT_FALSE(oracle_.CheckBytes(1, kPlace, Filled(20, 3), Filled(19, 3)));
}

TEST_F(MemoryOracleTest, BesideAWriteEachByteIsOldOrNew) {
  std::vector<std::byte> read = Filled(16, 1);
  std::fill(read.begin() + 5, read.begin() + 11, std::byte{2});
  EXPECT_TRUE(oracle_.CheckOneOf(0, kPlace, Filled(16, 1), Filled(16, 2), read));
  read[6] = std::byte{3};
  EXPECT_FALSE(oracle_.CheckOneOf(0, kPlace, Filled(16, 1), Filled(16, 2), read));
  EXPECT_THAT(Message(), HasSubstr("byte 6 of 16, at 0x5006"));
}

TEST_F(MemoryOracleTest, TheEndIsExact) {
  const MemoryEnd end{4096, absl::StatusCode::kNotFound};
  EXPECT_TRUE(oracle_.CheckEnd(0, kPlace, end, end));
  EXPECT_FALSE(oracle_.CheckEnd(0, kPlace, end, {4095, absl::StatusCode::kNotFound}));
  EXPECT_FALSE(oracle_.CheckEnd(0, kPlace, end, {4096, absl::StatusCode::kPermissionDenied}));
  EXPECT_THAT(
      Message(),
      HasSubstr("ended after 4095 bytes with NOT_FOUND, expected 4096 bytes and NOT_FOUND"));
}

TEST(MemoryWords, TellWhoWroteThemAndWhere) {
  const WordSource source{.writer = 5, .sequence = 123456};
  const VirtAddr va(0x9800'0001'2340);
  const uint64_t word = MakeWord(3, va, source);
  EXPECT_EQ(SourceOf(3, va, word), source);
  EXPECT_EQ(SourceOf(3, va.Plus(8), word), std::nullopt);
  EXPECT_EQ(SourceOf(4, va, word), std::nullopt);
}

TEST(MemoryWords, NoPartsOfTwoWordsAreAWord) {
  const VirtAddr va(0x9800'0000'1008);
  const uint64_t one = MakeWord(1, va, {.writer = 0, .sequence = 1});
  for (uint32_t sequence = 2; sequence < 200; ++sequence) {
    const uint64_t other = MakeWord(1, va, {.writer = 1, .sequence = sequence});
    // Torn between any two bytes of which both halves differ.
    for (int bits = 8; bits < 64; bits += 8) {
      const uint64_t low = (uint64_t{1} << bits) - 1;
      const uint64_t torn = (one & ~low) | (other & low);
      if (torn == one || torn == other) continue;
      EXPECT_EQ(SourceOf(1, va, torn), std::nullopt) << sequence << " at " << bits;
    }
  }
}

TEST(OwnPages, AnAccessEndsAtThePageThatIsAwayOrReadOnly) {
  OwnPages::Snapshot pages;
  pages.rights[0] = PageRight::kWrite;
  pages.rights[1] = PageRight::kRead;
  EXPECT_EQ(pages.End(100, 50, Access::kWrite), (MemoryEnd{50, absl::StatusCode::kOk}));
  EXPECT_EQ(pages.End(100, 5000, Access::kWrite),
            (MemoryEnd{3996, absl::StatusCode::kPermissionDenied}));
  EXPECT_EQ(pages.End(100, 9000, Access::kRead), (MemoryEnd{8092, absl::StatusCode::kNotFound}));
  EXPECT_EQ(pages.End(8192, 1, Access::kRead), (MemoryEnd{0, absl::StatusCode::kNotFound}));
}

TEST(OwnPages, ALookSeesTheBytesAndWhetherAChangeIsGoingOn) {
  OwnPages own;
  const std::vector<std::byte> content = Filled(kPageSize, 9);
  const std::vector<std::byte> few = Filled(4, 1);
  own.BeginChange();
  own.BeginChange();
  own.Mapped(2, PageRight::kWrite, content);
  own.EndChange();
  std::array<std::byte, 16> bytes;
  EXPECT_FALSE(own.Look(2 * kPageSize, bytes).quiet()) << "the outer change goes on";
  own.EndChange();
  own.BeginChange();
  own.Wrote(2 * kPageSize + 4, few);
  own.EndChange();
  const OwnPages::Snapshot seen = own.Look(2 * kPageSize, bytes);
  EXPECT_TRUE(seen.quiet());
  EXPECT_EQ(seen.changes, 4u);
  EXPECT_EQ(seen.rights[2], PageRight::kWrite);
  EXPECT_EQ(seen.rights[1], PageRight::kAbsent);
  EXPECT_EQ(bytes[3], std::byte{9});
  EXPECT_EQ(bytes[4], std::byte{1});
  EXPECT_EQ(bytes[8], std::byte{9});
}

}  // namespace
}  // namespace paddock
