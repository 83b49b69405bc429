// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/pod.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace paddock {
namespace {

struct Whole {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};
struct NotEnabled {
  uint32_t value;
};
struct Padded {
  uint8_t tag;
  uint32_t value;
};
struct Point {
  float x;
  float y;
};
struct LookedAt {
  float x;
  uint32_t id;
};
struct NotTrivial {
  std::string name;
};
enum class Colour : uint8_t { kRed };
enum class Opcode : uint8_t { kRead };

}  // namespace

template <>
inline constexpr bool kEnablePod<Whole> = true;
template <>
inline constexpr bool kEnablePod<Padded> = true;
template <>
inline constexpr bool kEnablePod<Point> = true;
template <>
inline constexpr bool kEnablePod<LookedAt> = true;
template <>
inline constexpr bool kPodWithoutPadding<LookedAt> = true;
template <>
inline constexpr bool kEnablePod<NotTrivial> = true;
template <>
inline constexpr bool kEnablePod<Opcode> = true;

namespace {

TEST(Pod, TakesArithmeticTypesAndArraysOfThem) {
  EXPECT_TRUE((Pod<char> && Pod<int8_t> && Pod<uint64_t> && Pod<float> && Pod<double>));
  EXPECT_TRUE((Pod<std::array<uint16_t, 7>> && Pod<std::array<double, 2>>));
}

TEST(Pod, RefusesTypesWithPatternsThatAreNoValue) {
  EXPECT_FALSE((Pod<bool> || Pod<int*> || Pod<Colour> || Pod<long double> || Pod<void>));
  EXPECT_FALSE((Pod<std::array<bool, 2>> || Pod<const uint32_t> || Pod<uint32_t&>));
}

TEST(Pod, TakesClassesAndEnumerationsOnlyWhenEnabled) {
  EXPECT_TRUE((Pod<Whole> && Pod<Opcode> && Pod<std::array<Whole, 3>>));
  EXPECT_FALSE(Pod<NotEnabled>);
}

TEST(Pod, RefusesPaddingAndWhatIsNotTriviallyCopyable) {
  EXPECT_FALSE((Pod<Padded> || Pod<std::array<Padded, 2>> || Pod<NotTrivial>));
}

TEST(Pod, WantsAWordAboutPaddingBesideFloatingPointMembers) {
  EXPECT_FALSE(Pod<Point>);
  EXPECT_TRUE(Pod<LookedAt>);
}

TEST(PodOnce, IsWhatOneAccessCarries) {
  EXPECT_TRUE((PodOnce<uint8_t> && PodOnce<uint16_t> && PodOnce<float> && PodOnce<uint64_t>));
  EXPECT_TRUE((PodOnce<std::array<uint8_t, 4>> && PodOnce<LookedAt>));
  EXPECT_FALSE((PodOnce<Whole> || PodOnce<std::array<uint8_t, 3>> || PodOnce<bool>));
}

}  // namespace
}  // namespace paddock
