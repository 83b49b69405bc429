// SPDX-License-Identifier: Apache-2.0
//
// "Kernel half", several threads: areas come and go in a window so small that addresses are used
// again all the time, owners change CPUs, CPUs sleep, spaces change. Every access must reach the
// frame that its area maps.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/conformance/kernel_oracle.h"
#include "paddock/tests/support/kernel_fixture.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr int kSteps = 1500;

// An area and what its pages are.
struct OwnedArea {
  KVirtArea area;
  VirtAddr mapped;  // where its frames begin
  std::vector<PhysAddr> frames;
  uint64_t stamp = 0;
};

// Where threads leave areas for each other.
class Exchange {
 public:
  // Puts `mine` there and takes what was there.
  std::optional<OwnedArea> Swap(std::optional<OwnedArea> mine, uint64_t place) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(mine, places_[place % kPlaces]);
    return mine;
  }
  std::optional<OwnedArea> TakeAny() {
    for (uint64_t place = 0; place < kPlaces; ++place) {
      if (auto found = Swap(std::nullopt, place)) return found;
    }
    return std::nullopt;
  }

 private:
  static constexpr uint64_t kPlaces = 3;
  std::mutex mutex_;
  std::optional<OwnedArea> places_[kPlaces];
};

struct ChurnParam {
  uint32_t quarantine_areas;
  TagMode tag_mode;
};

class KernelChurn : public KernelAreaTest, public testing::WithParamInterface<ChurnParam> {
 protected:
  KernelChurn() : KernelAreaTest(Options()) {}

  static Machine::Options Options() {
    Machine::Options options = SmallWindow();
    options.kernel.quarantine_areas = GetParam().quarantine_areas;
    options.tlb.tag_mode = GetParam().tag_mode;
    return options;
  }

  std::optional<OwnedArea> Create(const CpuPin& cpu, std::mt19937_64& random) {
    const uint64_t pages = 1 + random() % 3;
    const uint64_t offset = random() % 2 * kPageSize;
    std::vector<UFrame> frames;
    OwnedArea made;
    for (uint64_t i = 0; i < pages; ++i) {
      frames.push_back(NewFrame());
      made.frames.push_back(frames.back().start());
    }
    auto area = KVirtArea::MapFrames(machine(), cpu, offset + pages * kPageSize, offset,
                                     absl::MakeSpan(frames), kReadWriteKernel);
    if (!area.ok()) {
      EXPECT_TRUE(Refused(area, absl::StatusCode::kResourceExhausted));
      return std::nullopt;
    }
    made.area = *std::move(area);
    made.mapped = made.area.range().start.Plus(offset);
    made.stamp = random();
    for (uint64_t i = 0; i < pages; ++i) Access(cpu, made, i, made.stamp + i);
    return made;
  }
  // Loads the stamp of page `i`, or stores it.
  void Access(const CpuPin& cpu, const OwnedArea& owned, uint64_t i,
              std::optional<uint64_t> store = std::nullopt) {
    const VirtAddr va = owned.mapped.Plus(i * kPageSize);
    const AccessResult access =
        Must(store ? machine().KernelStore(cpu, va, *store) : machine().KernelLoad(cpu, va));
    oracle_.CheckAccess(cpu, va, access);
    EXPECT_EQ(access.frame, owned.frames[i]);
    EXPECT_EQ(access.value, owned.stamp + i);
  }
  void CheckAll(const CpuPin& cpu, const OwnedArea& owned) {
    for (uint64_t i = 0; i < owned.frames.size(); ++i) Access(cpu, owned, i);
  }
  void End(const CpuPin& cpu, OwnedArea owned, std::mt19937_64& random) {
    switch (random() % 3) {
      case 0:
        EXPECT_TRUE(IsOk(owned.area.Destroy(cpu)));
        return;
      case 1:
        if (owned.area.range().size() > kPageSize) {
          const KVirtArea rest = Must(owned.area.Split(cpu, kPageSize));
          EXPECT_TRUE(IsOk(owned.area.Destroy(cpu)));
        }
        return;
      default:
        return;  // the destructor
    }
  }

  void Churn(uint32_t id, uint64_t seed, const std::vector<std::shared_ptr<VmSpace>>& spaces) {
    std::mt19937_64 random(seed + id);
    for (int step = 0; step < kSteps;) {
      std::optional<OwnedArea> unpinned;
      {
        const CpuPin cpu = Must(machine().cpus().Pin(CpuId{id}));
        spaces[random() % spaces.size()]->Activate(cpu);
        for (int i = 0; i < 20; ++i, ++step) {
          std::optional<OwnedArea> owned = Create(cpu, random);
          owned = exchange_.Swap(std::move(owned), random());
          if (owned) {
            CheckAll(cpu, *owned);
            End(cpu, *std::move(owned), random);
          }
          machine().Poll(cpu);
        }
        unpinned = exchange_.Swap(std::nullopt, random());
      }
      // This CPU is idle, and an area of it goes without a pin.
    }
  }

  Exchange exchange_;
  KernelOracle oracle_;
};

TEST_P(KernelChurn, EveryAccessReachesTheFrameOfItsArea) {
  const uint64_t seed = TestSeed();
  const std::vector<std::shared_ptr<VmSpace>> spaces = {NewSpace(), NewSpace()};
  std::atomic<int> finished{0};
  std::vector<std::thread> threads;
  for (const uint32_t id : {1u, 2u, 3u}) {
    threads.emplace_back([&, id] {
      Churn(id, seed, spaces);
      ++finished;
    });
  }
  uint64_t rounds = 0;
  EXPECT_TRUE(Eventually([&] { return finished == 3; },
                         [&] {
                           machine().Poll(pin());
                           if (++rounds % 64 == 0) {
                             EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
                           }
                         }));
  for (std::thread& thread : threads) thread.join();
  while (exchange_.TakeAny()) {
  }
  for (const uint32_t id : {1u, 2u, 3u}) {
    const std::jthread leave(
        [&, id] { machine().DeactivateSpace(Must(machine().cpus().Pin(CpuId{id}))); });
  }
  EXPECT_EQ(oracle_.violations(), 0u);
  EXPECT_GT(oracle_.checks(), 3u * kSteps);
  EXPECT_GT(kernel().stats().flushes, 0u);
  EXPECT_TRUE(IsOk(kernel().CheckInvariants(pin())));
}

// Flushed at each destruction, in batches, and when the window is exhausted only.
INSTANTIATE_TEST_SUITE_P(Policies, KernelChurn,
                         testing::Values(ChurnParam{0, TagMode::kTagged},
                                         ChurnParam{3, TagMode::kUntagged},
                                         ChurnParam{1u << 20, TagMode::kTagged}));

}  // namespace
}  // namespace paddock
