// SPDX-License-Identifier: Apache-2.0

#include "paddock/concurrency/shared_copy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/support/byte_pattern.h"

namespace paddock {
namespace {

constexpr std::byte kUntouched{0xfe};  // in no pattern
constexpr size_t kMargin = 32;

// Both forms: what this build uses, and the atomic words that the others use.
struct Form {
  const char* name;
  void (*copy)(std::byte*, const std::byte*, size_t);
  void (*zero)(std::byte*, size_t);
};

class SharedCopy : public testing::TestWithParam<Form> {};

// Sizes around every border between methods.
std::vector<size_t> Sizes() {
  std::vector<size_t> sizes;
  for (size_t i = 0; i <= 160; ++i) sizes.push_back(i);
  for (const size_t border : {512, 1024, 4096}) {
    for (size_t i = border - 2; i <= border + 2; ++i) sizes.push_back(i);
  }
  sizes.push_back(70'000);
  return sizes;
}

TEST_P(SharedCopy, CopiesEverySizeFromAndToEveryAlignmentAndNothingElse) {
  for (const size_t size : Sizes()) {
    const std::vector<std::byte> source = Pattern(size + 16);
    for (size_t from = 0; from < 9; ++from) {
      for (size_t to = 0; to < 9; ++to) {
        std::vector<std::byte> target(size + 2 * kMargin, kUntouched);
        std::byte* const start = target.data() + kMargin + to;
        GetParam().copy(start, source.data() + from, size);
        ASSERT_TRUE(std::equal(start, start + size, source.data() + from))
            << size << " bytes from " << from << " to " << to;
        ASSERT_EQ(std::count(target.data(), start, kUntouched), start - target.data());
        ASSERT_EQ(std::count(start + size, target.data() + target.size(), kUntouched),
                  target.data() + target.size() - (start + size));
      }
    }
  }
}

TEST_P(SharedCopy, ZeroesEverySizeAtEveryAlignmentAndNothingElse) {
  for (const size_t size : Sizes()) {
    for (size_t to = 0; to < 9; ++to) {
      std::vector<std::byte> target(size + 2 * kMargin, kUntouched);
      GetParam().zero(target.data() + kMargin + to, size);
      ASSERT_EQ(std::count(target.begin(), target.end(), std::byte{0}), size);
      ASSERT_EQ(std::count(target.begin() + kMargin + to, target.begin() + kMargin + to + size,
                           std::byte{0}),
                size);
    }
  }
}

// What is promised is little: nothing beside the target changes, and what arrives is of the source.
TEST_P(SharedCopy, OverlappingRangesLeaveEverythingElseAlone) {
  for (const size_t size : {7, 40, 200, 3000}) {
    for (const size_t distance : {1, 8, 33}) {
      for (const bool upwards : {false, true}) {
        std::vector<std::byte> memory = Pattern(size + 2 * kMargin + distance);
        const std::vector<std::byte> before = memory;
        const size_t low = kMargin;
        const size_t high = kMargin + distance;
        const size_t to = upwards ? high : low;
        GetParam().copy(memory.data() + to, memory.data() + (upwards ? low : high), size);
        for (size_t i = 0; i < memory.size(); ++i) {
          if (i < to || i >= to + size) {
            ASSERT_EQ(memory[i], before[i]);
          }
        }
      }
    }
  }
}

// Under ThreadSanitizer: no race is reported. Everywhere: what is read was written.
TEST_P(SharedCopy, ThreadsThatCopyToAndFromTheSameBytesDoNotRace) {
  constexpr size_t kBytes = 3000;
  constexpr int kRounds = 200;
  std::vector<std::byte> shared(kBytes + 1);
  std::vector<std::vector<std::byte>> seen;
  seen.resize(2);
  {
    std::vector<sync::Thread> threads;
    for (const uint8_t salt : {uint8_t{0}, uint8_t{1}}) {
      threads.emplace_back([&, salt] {
        const std::vector<std::byte> mine = Pattern(kBytes, salt);
        for (int i = 0; i < kRounds; ++i) {
          GetParam().copy(shared.data() + 1, mine.data(), kBytes);
          if (i % 16 == 0) GetParam().zero(shared.data() + 1, kBytes);
        }
      });
      threads.emplace_back([&, salt] {
        std::vector<std::byte>& copy = seen[salt];
        copy.resize(kBytes);
        for (int i = 0; i < kRounds; ++i) {
          // Another alignment of the source.
          GetParam().copy(copy.data(), shared.data() + 1, kBytes);
        }
      });
    }
  }
  for (const std::vector<std::byte>& copy : seen) {
    for (size_t i = 0; i < kBytes; ++i) {
      ASSERT_TRUE(copy[i] == std::byte{0} || copy[i] == PatternByte(i, 0) ||
                  copy[i] == PatternByte(i, 1))
          << "byte " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, SharedCopy,
                         testing::Values(Form{"OfThisBuild", CopyShared, ZeroShared},
                                         Form{"Words", internal::CopyByWords,
                                              internal::ZeroByWords}),
                         [](const testing::TestParamInfo<Form>& form) { return form.param.name; });

template <typename T>
class Once : public testing::Test {};
using Words = testing::Types<uint8_t, uint16_t, uint32_t, uint64_t>;
TYPED_TEST_SUITE(Once, Words);

TYPED_TEST(Once, DoesNotTearUnderConcurrentWriters) {
  alignas(8) std::byte word[8] = {};
  constexpr auto kOnes = static_cast<TypeParam>(~TypeParam{0});
  sync::Atomic<uint32_t> stop(0);
  sync::Thread writer([&] {
    while (stop.load(sync::seq_cst) == 0) {
      StoreOnce<TypeParam>(word, kOnes);
      StoreOnce<TypeParam>(word, 0);
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    const auto value = LoadOnce<TypeParam>(word);
    ASSERT_TRUE(value == 0 || value == kOnes);
  }
  stop.store(1, sync::seq_cst);
}

}  // namespace
}  // namespace paddock
