// SPDX-License-Identifier: Apache-2.0
//
// "Ranges and addresses": what is refused, and how.

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

using absl::StatusCode;

std::string Hex(uint64_t value) { return absl::StrFormat("%#x", value); }

// The lower half of a format with a hole of non-canonical addresses in the middle.
template <typename F>
class RefusedRanges : public TableTest<BareConfig<F>> {
 protected:
  static constexpr uint64_t kUserEnd = Geometry<F>::kSpan / 2;
  static constexpr uint64_t kUpperStart = ~(kUserEnd - 1);

  // All three ways to open are refused alike, and nothing changes.
  void ExpectRefused(VirtRange range, StatusCode code,
                     std::initializer_list<absl::string_view> parts) {
    const uint64_t frames = this->UsedFrames();
    EXPECT_TRUE(Refused(this->table().OpenCursor(this->pin(), range), code, parts));
    EXPECT_TRUE(Refused(this->table().OpenCursorMut(this->pin(), range), code, parts));
    EXPECT_TRUE(Refused(this->table().TryOpenCursorMut(this->pin(), range), code, parts));
    EXPECT_EQ(this->UsedFrames(), frames);
    EXPECT_TRUE(this->env().open_cursors(this->pin()).empty());
  }
};

using Formats = testing::Types<x86_64::Format4, x86_64::Format5>;
TYPED_TEST_SUITE(RefusedRanges, Formats);

TYPED_TEST(RefusedRanges, EmptyOnes) {
  for (const uint64_t at :
       {uint64_t{0}, uint64_t{0x1000}, uint64_t{0x7fff'ffff'f000}, ~uint64_t{0xfff}}) {
    this->ExpectRefused(this->Bytes(at, 0), StatusCode::kInvalidArgument, {Hex(at), "empty"});
  }
}

TYPED_TEST(RefusedRanges, ZeroToZeroIsEmptyAndNotEverything) {
  this->ExpectRefused({VirtAddr(0), VirtAddr(0)}, StatusCode::kInvalidArgument, {"empty"});
}

TYPED_TEST(RefusedRanges, ReversedOnes) {
  this->ExpectRefused({VirtAddr(0x5000), VirtAddr(0x3000)}, StatusCode::kInvalidArgument,
                      {"0x5000", "0x3000", "reversed"});
  this->ExpectRefused({VirtAddr(~uint64_t{0xfff}), VirtAddr(0x1000)}, StatusCode::kInvalidArgument,
                      {"0xfffffffffffff000", "reversed"});
}

TYPED_TEST(RefusedRanges, UnalignedOnesNameTheEnd) {
  this->ExpectRefused({VirtAddr(0x1000), VirtAddr(0x2fff)}, StatusCode::kInvalidArgument,
                      {"[0x1000, 0x2fff)", "not aligned to 4 KiB", ": end 0x2fff"});
  this->ExpectRefused({VirtAddr(0x1001), VirtAddr(0x3000)}, StatusCode::kInvalidArgument,
                      {"[0x1001, 0x3000)", "not aligned to 4 KiB", ": start 0x1001"});
}

TYPED_TEST(RefusedRanges, TheKernelHalf) {
  this->ExpectRefused(
      this->Bytes(this->kUpperStart, 0x1000), StatusCode::kOutOfRange,
      {Hex(this->kUpperStart), "outside the managed addresses [0, ", Hex(this->kUserEnd - 1)});
  this->ExpectRefused({VirtAddr(~uint64_t{0xfff}), VirtAddr(0)}, StatusCode::kOutOfRange,
                      {"0xfffffffffffff000", "outside"});
}

TYPED_TEST(RefusedRanges, NonCanonicalOnes) {
  this->ExpectRefused(this->Bytes(this->kUserEnd, 0x1000), StatusCode::kOutOfRange,
                      {Hex(this->kUserEnd), "outside"});
  this->ExpectRefused(this->Bytes(this->kUpperStart - 0x1000, 0x1000), StatusCode::kOutOfRange,
                      {"outside"});
  // The same low bits as a user page.
  this->ExpectRefused(this->Bytes((uint64_t{1} << 60) + 0x1000, 0x1000), StatusCode::kOutOfRange,
                      {"0x1000000000001000", "outside"});
}

TYPED_TEST(RefusedRanges, ThoseThatStraddleTheEndOfUserAddresses) {
  this->ExpectRefused(this->Bytes(this->kUserEnd - 0x1000, 0x2000), StatusCode::kOutOfRange,
                      {Hex(this->kUserEnd - 0x1000), Hex(this->kUserEnd + 0x1000), "outside"});
  this->ExpectRefused({VirtAddr(this->kUserEnd - 0x1000), VirtAddr(this->kUpperStart + 0x1000)},
                      StatusCode::kOutOfRange, {"outside"});
  this->ExpectRefused({VirtAddr(0x1000), VirtAddr(0)}, StatusCode::kOutOfRange, {"outside"});
  this->ExpectRefused({VirtAddr(0x1000), VirtAddr(~uint64_t{0xfff})}, StatusCode::kOutOfRange,
                      {"outside"});
}

TYPED_TEST(RefusedRanges, EachReasonHasItsOwnMessage) {
  const VirtRange ranges[] = {
      {VirtAddr(0x1000), VirtAddr(0x1000)},
      {VirtAddr(0x5000), VirtAddr(0x3000)},
      {VirtAddr(0x1000), VirtAddr(0x2fff)},
      this->Bytes(this->kUpperStart, 0x1000),
  };
  std::set<std::string> rules;
  for (const VirtRange range : ranges) {
    const std::string message(this->table().OpenCursor(this->pin(), range).status().message());
    EXPECT_NE(message.find(Hex(range.start.value())), std::string::npos) << message;
    rules.insert(message.substr(message.find(')') + 1, 12));
  }
  EXPECT_EQ(rules.size(), 4u);
}

TYPED_TEST(RefusedRanges, AWalkOutsideFindsNothing) {
  this->MapPage(VirtAddr(0x1000), PhysAddr(0x5000));
  RcuReadGuard guard(this->env().rcu(), this->pin());
  EXPECT_TRUE(this->table().Walk(guard, VirtAddr(0x1000)));
  for (const uint64_t va : {this->kUserEnd + 0x1000, this->kUpperStart + 0x1000,
                            (uint64_t{1} << 60) + 0x1000, ~uint64_t{0}}) {
    EXPECT_FALSE(this->table().Walk(guard, VirtAddr(va))) << Hex(va);
  }
}

TYPED_TEST(RefusedRanges, InsideASectionOnlyCursorsThatDoNotWait) {
  const VirtRange range{VirtAddr(0x1000), VirtAddr(0x2000)};
  RcuReadGuard guard(this->env().rcu(), this->pin());
  EXPECT_TRUE(Refused(this->table().OpenCursorMut(this->pin(), range),
                      StatusCode::kFailedPrecondition, {"section", "Wait::kTry"}));
  EXPECT_TRUE(Refused(this->table().OpenCursor(this->pin(), range, {.wait = Wait::kDeadline}),
                      StatusCode::kFailedPrecondition, {"section"}));
  EXPECT_TRUE(IsOk(this->table().TryOpenCursorMut(this->pin(), range)));
}

TYPED_TEST(RefusedRanges, LengthsAndJumpsOfACursor) {
  this->MapPage(VirtAddr(0x5000), PhysAddr(0x5000));
  CursorMut<BareConfig<TypeParam>> cursor = this->Open({VirtAddr(0x2000), VirtAddr(0x5000)});
  const auto keep = [](PageProperty property) { return property; };
  for (const uint64_t length : {uint64_t{0x4000}, ~uint64_t{0xfff}, uint64_t{1} << 63}) {
    EXPECT_TRUE(Refused(cursor.FindNext(length), StatusCode::kOutOfRange, {Hex(length), "0x5000"}));
    EXPECT_TRUE(Refused(cursor.Unmap(length), StatusCode::kOutOfRange, {Hex(length), "0x5000"}));
    EXPECT_TRUE(Refused(cursor.TakeNext(length), StatusCode::kOutOfRange, {Hex(length)}));
    EXPECT_TRUE(Refused(cursor.ProtectNext(length, keep), StatusCode::kOutOfRange, {Hex(length)}));
    EXPECT_TRUE(Refused(cursor.Protect(length, keep), StatusCode::kOutOfRange, {Hex(length)}));
  }
  EXPECT_TRUE(Refused(cursor.FindNext(0x1001), StatusCode::kInvalidArgument, {"0x1001", "4 KiB"}));
  EXPECT_TRUE(Refused(cursor.Unmap(0xfff), StatusCode::kInvalidArgument, {"0xfff", "4 KiB"}));
  EXPECT_TRUE(Refused(cursor.Jump(VirtAddr(0x2001)), StatusCode::kInvalidArgument, {"0x2001"}));
  for (const uint64_t va : {uint64_t{0x1000}, uint64_t{0x6000}, uint64_t{0}, ~uint64_t{0xfff}}) {
    EXPECT_TRUE(
        Refused(cursor.Jump(VirtAddr(va)), StatusCode::kOutOfRange, {Hex(va), "[0x2000, 0x5000)"}));
  }
  EXPECT_EQ(cursor.virt_addr(), VirtAddr(0x2000));
  ASSERT_TRUE(IsOk(cursor.Jump(VirtAddr(0x5000))));
  EXPECT_TRUE(Refused(cursor.Query(), StatusCode::kOutOfRange, {"end of its range", "0x5000"}));
  EXPECT_TRUE(Refused(cursor.QueryItem(), StatusCode::kOutOfRange, {"0x5000"}));
  EXPECT_TRUE(Refused(cursor.Map(RawItem{PhysAddr(0x1000), 1, kReadUser}), StatusCode::kOutOfRange,
                      {"0x5000"}));
}

}  // namespace
}  // namespace paddock
