// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/guest_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/byte_pattern.h"
#include "paddock/tests/support/machine_fixture.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

using absl::StatusCode;

// Guest RAM at [0x1000, 0x3000), [0x3000, 0x4000) (which touches it) and [0x8000, 0xa000).
class GuestMemoryTest : public MachineTest {
 protected:
  GuestMemoryTest() {
    std::vector<GuestRegion> regions;
    regions.emplace_back(PhysAddr(0x8000), NewSegment(2));
    regions.emplace_back(PhysAddr(0x1000), NewSegment(2));
    regions.emplace_back(PhysAddr(0x3000), NewSegment(1));
    guest_.emplace(Must(GuestMemory::Create(std::move(regions))));
  }
  void TearDown() override {
    guest_.reset();
    MachineTest::TearDown();
  }

  USegment NewSegment(uint64_t pages) {
    return Must(frames().AllocateSegment(pages, 1, Untyped{}, Zeroing::kZero));
  }
  const GuestMemory& guest() const { return *guest_; }

 private:
  std::optional<GuestMemory> guest_;
};

TEST_F(GuestMemoryTest, RegionsAreFoundAtTheirAddresses) {
  ASSERT_EQ(guest().regions().size(), 3u);
  for (const GuestRegion& region : guest().regions()) {
    const uint64_t base = region.base().value();
    const uint64_t last = base + region.bytes().size() - 1;
    EXPECT_TRUE(IsOk(guest().WriteVal<uint8_t>(base, 1)));
    EXPECT_TRUE(IsOk(guest().WriteVal<uint8_t>(last, 2)));
    EXPECT_EQ(region.bytes().front(), std::byte{1});
    EXPECT_EQ(region.bytes().back(), std::byte{2});
  }
}

TEST_F(GuestMemoryTest, AccessesCrossFromOneRegionIntoTheNext) {
  const std::vector<std::byte> data = Pattern(3 * kPageSize, 1);
  EXPECT_TRUE(IsOk(guest().WriteBytes(0x1000, data)));
  std::vector<std::byte> back(3 * kPageSize);
  EXPECT_TRUE(IsOk(guest().ReadBytes(0x1000, back)));
  EXPECT_EQ(back, data);
  EXPECT_TRUE(IsOk(guest().WriteVal<uint64_t>(0x2ffd, 0x1122'3344'5566'7788)));
  EXPECT_EQ(Must(guest().ReadVal<uint64_t>(0x2ffd)), 0x1122'3344'5566'7788u);
  EXPECT_EQ(guest().regions()[1].bytes()[0], std::byte{0x55});
}

TEST_F(GuestMemoryTest, AnAccessIntoAHoleDoesNothingOrSaysHowFarItCame) {
  const std::vector<std::byte> data = Pattern(100, 1);
  for (const uint64_t into : {0, 1, 99}) {
    const uint64_t address = 0x4000 - into;
    EXPECT_TRUE(Refused(guest().WriteBytes(address, data), StatusCode::kOutOfRange, {"0x4000"}));
    if (into != 0) {
      EXPECT_EQ(Must(guest().ReadVal<uint8_t>(address)), 0);
    }

    VmReader<Fallible> reader = VmReader(std::span(data)).ToFallible();
    const IoResult written = guest().WriteSome(PhysAddr(address), reader);
    EXPECT_EQ(written.bytes, into);
    EXPECT_EQ(reader.remain(), 100 - into);
    EXPECT_TRUE(Refused(written.status, StatusCode::kOutOfRange, {"no memory at 0x4000"}));

    std::vector<std::byte> back(100);
    VmWriter<Fallible> writer = VmWriter(std::span(back)).ToFallible();
    const IoResult read = guest().ReadSome(PhysAddr(address), writer);
    EXPECT_EQ(read.bytes, into);
    EXPECT_EQ(writer.avail(), 100 - into);
    EXPECT_TRUE(std::equal(back.begin(), back.begin() + into, data.begin()));
    EXPECT_TRUE(IsOk(guest().WriteBytes(address, std::vector<std::byte>(into))));
  }
}

TEST_F(GuestMemoryTest, HolesAndAddressesFarBeyondAreRefused) {
  for (const uint64_t address :
       {uint64_t{0}, uint64_t{0xfff}, uint64_t{0x4000}, uint64_t{0x7fff}, uint64_t{0xa000},
        uint64_t{1} << 52, ~uint64_t{0} - 7, ~uint64_t{0}}) {
    EXPECT_TRUE(Refused(guest().ReadVal<uint64_t>(address), StatusCode::kOutOfRange));
    EXPECT_TRUE(Refused(guest().ReadOnce<uint8_t>(address), StatusCode::kOutOfRange));
    EXPECT_FALSE(guest().Covers(PhysAddr(address), 1));
    EXPECT_TRUE(guest().Covers(PhysAddr(address), 0));
  }
  EXPECT_TRUE(guest().Covers(PhysAddr(0x1000), 0x3000));
  EXPECT_FALSE(guest().Covers(PhysAddr(0x1000), 0x3001));
  EXPECT_FALSE(guest().Covers(PhysAddr(0x1000), ~uint64_t{0}));
  // Touching nothing is allowed anywhere.
  EXPECT_TRUE(IsOk(guest().ReadBytes(0x5000, {})));
}

TEST_F(GuestMemoryTest, OnceAccessesReachTheGuestsMemory) {
  EXPECT_TRUE(IsOk(guest().WriteOnce<uint16_t>(0x3ffe, 0x1234)));
  EXPECT_EQ(Must(guest().ReadOnce<uint16_t>(0x3ffe)), 0x1234);
  EXPECT_TRUE(Refused(guest().ReadOnce<uint16_t>(0x3fff), StatusCode::kOutOfRange, {"0x4000"}));
  EXPECT_TRUE(Refused(guest().ReadOnce<uint32_t>(0x1002), StatusCode::kInvalidArgument));
}

TEST_F(GuestMemoryTest, BadRegionsAreRefusedWithTheirAddress) {
  const auto create = [&](PhysAddr first, std::span<std::byte> bytes) {
    std::vector<GuestRegion> regions;
    regions.emplace_back(PhysAddr(0x1000), NewSegment(2));
    regions.emplace_back(first, bytes);
    return GuestMemory::Create(std::move(regions)).status();
  };
  const USegment memory = NewSegment(2);
  const std::span<std::byte> bytes(memory.Data(), 2 * kPageSize);
  EXPECT_TRUE(IsOk(create(PhysAddr(0x3000), bytes)));
  EXPECT_TRUE(Refused(create(PhysAddr(0), bytes), StatusCode::kInvalidArgument,
                      {"at 0 of", "overlaps", "0x1000"}));
  EXPECT_TRUE(Refused(create(PhysAddr(0x1000), bytes), StatusCode::kInvalidArgument, {"overlaps"}));
  EXPECT_TRUE(Refused(create(PhysAddr(0x2000), bytes), StatusCode::kInvalidArgument, {"overlaps"}));
  EXPECT_TRUE(
      Refused(create(PhysAddr(0x4000), {}), StatusCode::kInvalidArgument, {"0x4000", "empty"}));
  EXPECT_TRUE(Refused(create(PhysAddr(0x4004), bytes), StatusCode::kInvalidArgument, {"4 KiB"}));
  EXPECT_TRUE(
      Refused(create(PhysAddr(0x4000), bytes.first(100)), StatusCode::kInvalidArgument, {"4 KiB"}));
  EXPECT_TRUE(Refused(create(PhysAddr(0x4000), bytes.subspan(8, kPageSize)),
                      StatusCode::kInvalidArgument, {"4 KiB"}));
  for (const uint64_t high : {(uint64_t{1} << 52) - kPageSize, ~uint64_t{0xfff}}) {
    EXPECT_TRUE(Refused(create(PhysAddr(high), bytes), StatusCode::kInvalidArgument, {"52 bits"}));
  }
  EXPECT_TRUE(IsOk(create(PhysAddr((uint64_t{1} << 52) - 2 * kPageSize), bytes)));
}

TEST_F(GuestMemoryTest, ARegionThatWasMovedFromIsEmpty) {
  GuestRegion region(PhysAddr(0x1000), NewSegment(1));
  GuestRegion other(std::move(region));
  EXPECT_TRUE(region.bytes().empty());  // NOLINT(bugprone-use-after-move)
  region = std::move(other);
  EXPECT_EQ(region.bytes().size(), kPageSize);
  std::vector<GuestRegion> regions;
  regions.push_back(std::move(other));  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(Refused(GuestMemory::Create(std::move(regions)), StatusCode::kInvalidArgument));
}

TEST_F(GuestMemoryTest, NoRegionsAreAllHole) {
  const GuestMemory none = Must(GuestMemory::Create({}));
  EXPECT_TRUE(Refused(none.ReadVal<uint8_t>(0), StatusCode::kOutOfRange));
}

// Many regions against a map from address to byte.
TEST_F(GuestMemoryTest, RandomAccessesAgreeWithTheModel) {
  constexpr uint64_t kPages = 64;
  std::mt19937_64 random(TestSeed());
  std::vector<std::byte> model(kPages * kPageSize);
  std::vector<bool> is_ram(kPages);
  std::vector<GuestRegion> regions;
  for (uint64_t page = 0; page < kPages;) {
    const uint64_t pages = std::min<uint64_t>(1 + random() % 3, kPages - page);
    if (random() % 3 != 0) {
      regions.emplace_back(PhysAddr(page * kPageSize), NewSegment(pages));
      std::fill_n(is_ram.begin() + page, pages, true);
    }
    page += pages;
  }
  std::shuffle(regions.begin(), regions.end(), random);
  const GuestMemory memory = Must(GuestMemory::Create(std::move(regions)));
  const auto covered = [&](uint64_t address, uint64_t bytes) {
    uint64_t done = 0;
    while (done < bytes && address + done < model.size() && is_ram[(address + done) / kPageSize]) {
      done += std::min(bytes - done, kPageSize - (address + done) % kPageSize);
    }
    return done;
  };
  for (int i = 0; i < 2000; ++i) {
    const uint64_t address = random() % model.size();
    const uint64_t bytes = random() % (4 * kPageSize);
    const uint64_t expected = covered(address, bytes);
    std::vector<std::byte> data = Pattern(bytes, static_cast<uint8_t>(random() % 4));
    if (random() % 2 == 0) {
      VmReader<Fallible> reader = VmReader(std::span(std::as_const(data))).ToFallible();
      const IoResult done = memory.WriteSome(PhysAddr(address), reader);
      ASSERT_EQ(done.bytes, expected);
      ASSERT_EQ(done.ok(), expected == bytes);
      std::copy_n(data.begin(), expected, model.begin() + address);
    } else {
      VmWriter<Fallible> writer = VmWriter(std::span(data)).ToFallible();
      const IoResult done = memory.ReadSome(PhysAddr(address), writer);
      ASSERT_EQ(done.bytes, expected);
      ASSERT_TRUE(std::equal(data.begin(), data.begin() + expected, model.begin() + address));
    }
    ASSERT_EQ(memory.Covers(PhysAddr(address), bytes), expected == bytes);
  }
}

}  // namespace
}  // namespace paddock
