// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/cpu.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/concurrency/stage.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(CpuRegistry, PinsTheCallingThread) {
  CpuRegistry registry(4);
  EXPECT_EQ(registry.CurrentCpu(), std::nullopt);
  {
    absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{3});
    ASSERT_TRUE(pin.ok());
    EXPECT_EQ(pin->cpu(), CpuId{3});
    EXPECT_EQ(&pin->registry(), &registry);
    EXPECT_EQ(registry.CurrentCpu(), CpuId{3});
    sync::Thread([&] { EXPECT_EQ(registry.CurrentCpu(), std::nullopt); }).Join();
  }
  EXPECT_EQ(registry.CurrentCpu(), std::nullopt);
}

TEST(CpuRegistry, RefusesACpuThatDoesNotExist) {
  CpuRegistry registry(4);
  const absl::Status status = registry.Pin(CpuId{4}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CPU 4 is not one of the 4 CPUs"));
}

TEST(CpuRegistry, RefusesASecondCpuForOneThread) {
  CpuRegistry registry(2);
  absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
  ASSERT_TRUE(pin.ok());
  const absl::Status status = registry.Pin(CpuId{1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is on CPU 0 and cannot pin CPU 1"));
}

TEST(CpuRegistry, RefusesASecondThreadForOneCpuUntilTheFirstHasLeft) {
  CpuRegistry registry(1);
  Stage stage;
  sync::Thread other([&] {
    {
      absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
      ASSERT_TRUE(pin.ok());
      stage.Reach(1);
      stage.Await(2);
    }
    stage.Reach(3);
  });
  stage.Await(1);
  EXPECT_EQ(registry.Pin(CpuId{0}).status().code(), absl::StatusCode::kUnavailable);
  stage.Reach(2);
  stage.Await(3);
  EXPECT_TRUE(registry.Pin(CpuId{0}).ok());
}

TEST(CpuRegistry, PinsNestAndTheLastOneLeaves) {
  CpuRegistry registry(1);
  std::optional<CpuPin> outer = *registry.Pin(CpuId{0});
  std::optional<CpuPin> inner = *registry.Pin(CpuId{0});
  outer.reset();
  EXPECT_EQ(registry.CurrentCpu(), CpuId{0});
  inner.reset();
  EXPECT_EQ(registry.CurrentCpu(), std::nullopt);
}

TEST(CpuRegistry, MovedPinLeavesOnce) {
  CpuRegistry registry(1);
  std::optional<CpuPin> target;
  {
    CpuPin pin = *registry.Pin(CpuId{0});
    target.emplace(std::move(pin));
  }
  EXPECT_EQ(registry.CurrentCpu(), CpuId{0});
  target = *registry.Pin(CpuId{0});
  target.reset();
  EXPECT_EQ(registry.CurrentCpu(), std::nullopt);
}

TEST(CpuRegistry, NestingStopsAtItsLimitAndDoesNotWrap) {
  constexpr uint32_t kLimit = 3;
  CpuRegistry registry(1, kLimit);
  std::vector<CpuPin> pins;
  pins.reserve(kLimit);
  for (uint32_t i = 0; i < kLimit; ++i) pins.push_back(*registry.Pin(CpuId{0}));
  const absl::Status status = registry.Pin(CpuId{0}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pinned 3 times"));
  pins.pop_back();
  EXPECT_TRUE(registry.Pin(CpuId{0}).ok());
}

TEST(CpuRegistry, AThreadIsOnCpusOfAnyNumberOfRegistries) {
  constexpr uint32_t kRegistries = 100;
  std::deque<CpuRegistry> registries;
  std::vector<std::optional<CpuPin>> pins;
  pins.reserve(kRegistries);
  for (uint32_t i = 0; i < kRegistries; ++i) {
    pins.emplace_back(*registries.emplace_back(kRegistries).Pin(CpuId{i}));
  }
  // Left from the middle, the end and the beginning: 37 is no divisor of 100.
  for (uint32_t left = 0; left < kRegistries; ++left) {
    const uint32_t leaving = (50 + 37 * left) % kRegistries;
    ASSERT_EQ(registries[leaving].CurrentCpu(), CpuId{leaving});
    pins[leaving].reset();
    for (uint32_t i = 0; i < kRegistries; ++i) {
      const std::optional<CpuId> expected = pins[i] ? std::optional(CpuId{i}) : std::nullopt;
      ASSERT_EQ(registries[i].CurrentCpu(), expected) << i << " after " << leaving;
    }
    EXPECT_TRUE(registries[leaving].Pin(CpuId{0}).ok()) << "and again";
  }
}

TEST(CpuRegistry, OwnsItsPinsOnly) {
  CpuRegistry one(2);
  CpuRegistry other(2);
  const absl::StatusOr<CpuPin> pin = one.Pin(CpuId{1});
  EXPECT_TRUE(one.Owns(*pin));
  EXPECT_FALSE(other.Owns(*pin));
  const absl::Status error = CpuRegistry::ForeignPinError(*pin);
  EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(error.message()), HasSubstr("the pin of CPU 1 is one of another"));
}

TEST(CpuRegistryDeathTest, AbortsOutsideOfItsBounds) {
  EXPECT_DEATH(CpuRegistry(0), "1 to kMaxCpus");
  EXPECT_DEATH(CpuRegistry(kMaxCpus + 1), "1 to kMaxCpus");
  EXPECT_DEATH(CpuRegistry(~0u), "1 to kMaxCpus");
  EXPECT_DEATH(CpuRegistry(1, 0), "at least one pin");
  CpuRegistry most(kMaxCpus, ~0u);
  EXPECT_TRUE(most.Pin(CpuId{kMaxCpus - 1}).ok());
}

TEST(CpuRegistryDeathTest, AbortsIfDestroyedWhileACpuIsPinned) {
  EXPECT_DEATH(
      {
        std::optional<CpuRegistry> registry(std::in_place, 2);
        absl::StatusOr<CpuPin> pin = registry->Pin(CpuId{1});
        registry.reset();
      },
      "CPU 1 is pinned while its registry changes");
}

#if !defined(NDEBUG) || defined(PADDOCK_CHECKED)
TEST(CpuLocalDeathTest, AbortsOnAPinOfAnotherRegistry) {
  CpuRegistry one(2);
  CpuRegistry other(2);
  CpuLocal<int> numbers(other);
  const absl::StatusOr<CpuPin> pin = one.Pin(CpuId{1});
  EXPECT_DEATH(numbers.Get(*pin) = 1, "a pin of another registry");
}
#endif

class Recorder final : public CpuObserver {
 public:
  Recorder(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}
  void OnWake(const CpuPin& pin) override { Note("wakes", pin); }
  void OnIdle(const CpuPin& pin) override { Note("idles", pin); }

 private:
  void Note(const char* what, const CpuPin& pin) {
    // Pinning again inside a notification must not notify again.
    absl::StatusOr<CpuPin> nested = pin.registry().Pin(pin.cpu());
    EXPECT_TRUE(nested.ok());
    log_.push_back(absl::StrCat(name_, " ", what, " ", pin.cpu().value));
  }

  std::string name_;
  std::vector<std::string>& log_;
};

TEST(CpuObserver, HearsOfTheOutermostPinOnly) {
  CpuRegistry registry(3);
  std::vector<std::string> log;
  Recorder first("first", log);
  Recorder second("second", log);
  registry.AddObserver(&first);
  registry.AddObserver(&second);
  {
    absl::StatusOr<CpuPin> outer = registry.Pin(CpuId{2});
    EXPECT_THAT(log, ElementsAre("first wakes 2", "second wakes 2"));
    log.clear();
    {
      absl::StatusOr<CpuPin> inner = registry.Pin(CpuId{2});
    }
    EXPECT_THAT(log, IsEmpty());
  }
  EXPECT_THAT(log, ElementsAre("second idles 2", "first idles 2"));
  registry.RemoveObserver(&first);
  log.clear();
  {
    absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
  }
  EXPECT_THAT(log, ElementsAre("second wakes 0", "second idles 0"));
  registry.RemoveObserver(&second);
}

TEST(CpuLocal, GivesEachCpuItsOwnLines) {
  CpuRegistry registry(3);
  CpuLocal<uint8_t> bytes(registry);
  ASSERT_EQ(bytes.size(), 3u);
  for (uint32_t cpu = 0; cpu < 3; ++cpu) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&bytes.At(CpuId{cpu})) % kCpuStride, 0u);
  }
  EXPECT_NE(&bytes.At(CpuId{0}), &bytes.At(CpuId{1}));
  absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{1});
  bytes.Get(*pin) = 7;
  EXPECT_EQ(bytes.At(CpuId{1}), 7);
  EXPECT_EQ(bytes.At(CpuId{0}), 0);
}

// What one thread left in a CPU's data, the next one on that CPU sees, without further ordering.
TEST(CpuLocal, PassesFromThreadToThreadWithTheCpu) {
  constexpr uint64_t kRounds = 2000;
  CpuRegistry registry(1);
  CpuLocal<uint64_t> count(registry);
  const auto work = [&] {
    for (uint64_t done = 0; done < kRounds;) {
      absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{0});
      if (!pin.ok()) {
        sync::YieldThread();
        continue;
      }
      ++count.Get(*pin);
      ++done;
    }
  };
  {
    const sync::Thread first(work);
    const sync::Thread second(work);
  }
  EXPECT_EQ(count.At(CpuId{0}), 2 * kRounds);
}

TEST(CpuCounter, SumsWhatTheCpusAdd) {
  CpuRegistry registry(2);
  CpuCounter counter(registry);
  const auto work = [&](uint32_t cpu) {
    absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{cpu});
    ASSERT_TRUE(pin.ok());
    for (int i = 0; i < 1000; ++i) counter.Add(*pin, cpu + 1);
  };
  {
    const sync::Thread other([&] { work(1); });
    work(0);
    EXPECT_GE(counter.Sum(), 1000u);
  }
  EXPECT_EQ(counter.Sum(), 3000u);
}

}  // namespace
}  // namespace paddock
