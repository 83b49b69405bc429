// SPDX-License-Identifier: Apache-2.0
//
// Random steps with areas of all kinds in one window, against a map of what every page should show,
// with the invariants of the store after each.

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr uint64_t kPages = 2048;  // four huge pages
constexpr uint64_t kDevicePage = uint64_t{1} << 28;

class KVirtAreaRandom : public KernelAreaTest {
 protected:
  static Machine::Options Options() {
    Machine::Options options = SmallWindow(kPages);
    options.memory_bytes = uint64_t{64} << 20;
    options.kernel.quarantine_areas = 5;
    return options;
  }
  KVirtAreaRandom() : KernelAreaTest(Options()), random_(TestSeed()) {}

  uint64_t Below(uint64_t n) { return random_() % n; }
  static uint64_t NumberOf(VirtAddr va) { return (va.value() - kWindowStart.value()) / kPageSize; }

  void Expect(const KVirtArea& area, uint64_t offset, PhysAddr first, uint64_t pages) {
    const uint64_t at = NumberOf(area.range().start) + offset;
    for (uint64_t i = 0; i < pages; ++i) expected_[at + i] = first.Plus(i * kPageSize);
  }
  void Forget(VirtRange range) {
    expected_.erase(expected_.lower_bound(NumberOf(range.start)),
                    expected_.lower_bound(NumberOf(range.start) + range.size() / kPageSize));
  }

  void Create() {
    const uint64_t pages = Below(4) == 0 ? 1 + Below(700) : 1 + Below(20);
    const uint64_t offset = Below(3);
    const uint64_t size = (offset + pages + Below(2)) * kPageSize;
    absl::StatusOr<KVirtArea> area;
    PhysAddr first;
    if (Below(2) == 0) {
      first = PhysAddr((kDevicePage + Below(1024)) * kPageSize);
      area = KVirtArea::MapUntracked(machine(), pin(), size, offset * kPageSize,
                                     {first, first.Plus(pages * kPageSize)}, kReadWriteKernel);
    } else {
      auto run = frames().AllocateSegment(pages, 1, Untyped{}, Zeroing::kLeave);
      if (!run.ok()) return kernel().FlushDestroyedAreas(pin());
      first = run->start();
      area = KVirtArea::MapFrames(machine(), pin(), size, offset * kPageSize, *std::move(run),
                                  kReadWriteKernel);
    }
    if (!area.ok()) {
      EXPECT_TRUE(Refused(area, absl::StatusCode::kResourceExhausted));
      return;
    }
    Expect(*area, offset, first, pages);
    areas_.push_back(*std::move(area));
  }
  KVirtArea TakeAny() {
    std::swap(areas_[Below(areas_.size())], areas_.back());
    KVirtArea area = std::move(areas_.back());
    areas_.pop_back();
    return area;
  }
  void Destroy() {
    KVirtArea area = TakeAny();
    Forget(area.range());
    if (Below(2) == 0) {
      EXPECT_TRUE(IsOk(area.Destroy(pin())));
    }
  }
  void Split() {
    KVirtArea area = TakeAny();
    const uint64_t pages = area.range().size() / kPageSize;
    if (pages > 1) areas_.push_back(Must(area.Split(pin(), (1 + Below(pages - 1)) * kPageSize)));
    areas_.push_back(std::move(area));
  }
  void CheckPages() {
    for (uint64_t page = 0; page < kPages; ++page) {
      const auto expected = expected_.find(page);
      const std::optional<Translation> found = Walk(kWindowStart.Plus(page * kPageSize));
      ASSERT_EQ(found.has_value(), expected != expected_.end()) << page;
      if (found) {
        ASSERT_EQ(found->address, expected->second) << page;
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<KVirtArea> areas_;
  std::map<uint64_t, PhysAddr> expected_;  // by number in the window
};

TEST_F(KVirtAreaRandom, EveryPageShowsWhatItsAreaMapsAndTheStoreIsSound) {
  for (int step = 0; step < 1500; ++step) {
    const uint64_t what = Below(10);
    if (areas_.empty() || what < 5) {
      Create();
    } else if (what < 8) {
      Destroy();
    } else {
      Split();
    }
    machine().Poll(pin());
    ASSERT_TRUE(IsOk(kernel().CheckInvariants(pin()))) << step;
    if (step % 25 == 0) CheckPages();
  }
  CheckPages();
  EXPECT_GT(kernel().stats().destroyed, 100u);
  areas_.clear();
}

}  // namespace
}  // namespace paddock
