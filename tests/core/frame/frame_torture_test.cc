// SPDX-License-Identifier: Apache-2.0
//
// Many threads allocate, share, hand over and free at once; in the end every frame is back.

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"
#include "paddock/tests/core/frame/frame_world.h"

namespace paddock {
namespace {

constexpr uint32_t kThreads = 4;
constexpr int kRounds = 4000;

// Counts its living objects; each in the slot of one frame.
struct Census {
  static constexpr const char* kName = "census";
  sync::Atomic<int64_t>* alive;

  explicit Census(sync::Atomic<int64_t>* counter) : alive(counter) {
    alive->fetch_add(1, sync::seq_cst);
  }
  Census(Census&& other) noexcept : alive(std::exchange(other.alive, nullptr)) {}
  ~Census() {
    if (alive != nullptr) alive->fetch_sub(1, sync::seq_cst);
  }
};

// Frames on their way from one thread to another.
class Exchange {
 public:
  std::optional<AnyFrame> Swap(size_t at, std::optional<AnyFrame> frame) {
    SpinLockGuard guard(lock_);
    std::swap(places_[at % places_.size()], frame);
    return frame;
  }

 private:
  SpinLock lock_;
  std::array<std::optional<AnyFrame>, 32> places_ ABSL_GUARDED_BY(lock_);
};

template <typename Body>
void RunThreads(CpuRegistry& cpus, Body body) {
  std::vector<sync::Thread> threads;
  threads.reserve(kThreads);
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&cpus, body, i] {
      // The last thread has no CPU: it shares the buddy system's lock with the refills of the
      // others.
      std::optional<CpuPin> pin;
      if (i + 1 < kThreads) pin.emplace(*cpus.Pin(CpuId{i}));
      body(i);
    });
  }
}

TEST(FrameTortureTest, FramesThatChangeHandsAllComeBack) {
  const uint64_t seed = TestSeed();
  sync::Atomic<int64_t> alive{0};
  FrameWorld world({.pages = 512, .cpus = kThreads});
  FrameTable& frames = world.frames();
  {
    Exchange exchange;
    RunThreads(world.cpus(), [&](uint32_t thread) {
      std::mt19937_64 random(seed + thread);
      for (int round = 0; round < kRounds; ++round) {
        std::optional<AnyFrame> mine;
        switch (random() % 4) {
          case 0:
            if (auto frame = frames.Allocate(Census(&alive), Zeroing::kLeave); frame.ok()) {
              mine.emplace(*std::move(frame));
            }
            break;
          case 1:
            if (auto segment =
                    frames.AllocateSegment(random() % 20 + 1, 1, Untyped{}, Zeroing::kZero);
                segment.ok()) {
              // Only its owner has written to it since it was zeroed.
              std::byte* data = segment->Data();
              EXPECT_EQ(data[0], std::byte{0});
              data[0] = std::byte{1};
              mine.emplace(*segment->FrameAt(segment->pages() / 2));
            }
            break;
          case 2: {
            const PhysAddr address(random() % 512 * kPageSize);
            if (auto frame = frames.FromUnused(address, Untyped{}); frame.ok()) {
              mine.emplace(*std::move(frame));
            }
            break;
          }
          default: {
            const PhysAddr address(random() % 512 * kPageSize);
            if (auto frame = frames.FromInUse(address); frame.ok()) mine.emplace(*std::move(frame));
          }
        }
        mine = exchange.Swap(random(), std::move(mine));
        if (mine && random() % 2 == 0) {
          auto clone = mine->Clone();
          EXPECT_TRUE(clone.ok()) << clone.status();
        }
      }
    });
  }
  EXPECT_EQ(alive.load(sync::seq_cst), 0);
  EXPECT_EQ(frames.used_pages(), 0u);
  world.allocator().DrainMagazines();
  EXPECT_TRUE(frames.AllocateSegment(512, 512, Untyped{}, Zeroing::kLeave).ok())
      << "everything has merged again";
}

TEST(FrameTortureTest, TheLastOfManyOwnersDropsOnceAndSeesTheirWrites) {
  sync::Atomic<int64_t> alive{0};
  FrameWorld world({.pages = 64, .cpus = kThreads});
  for (int round = 0; round < 300; ++round) {
    Frame<Census> frame = *world.frames().Allocate(Census(&alive), Zeroing::kLeave);
    std::array<Frame<Census>, kThreads> owners;
    for (Frame<Census>& owner : owners) owner = *frame.Clone();
    uint64_t* words = reinterpret_cast<uint64_t*>(world.frames().Data(frame.start()));
    frame = Frame<Census>();
    RunThreads(world.cpus(), [&](uint32_t thread) {
      words[thread * 8] = static_cast<uint64_t>(round) + 1;
      owners[thread] = Frame<Census>();
      // Whoever allocates the frame next owns it alone, whichever thread let it go.
      if (auto next = world.frames().AllocateUnique(Untyped{}, Zeroing::kLeave); next.ok()) {
        std::memset(next->Data(), 0xff, kPageSize);
      }
    });
    ASSERT_EQ(alive.load(sync::seq_cst), 0) << "round " << round;
  }
  EXPECT_EQ(world.frames().used_pages(), 0u);
}

TEST(FrameTortureTest, TheLimitHoldsWhenManyThreadsCloneAtOnce) {
  constexpr uint32_t kLimit = 5;
  FrameWorld world({.pages = 64, .cpus = kThreads, .frames = {.max_references = kLimit}});
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kLeave);
  RunThreads(world.cpus(), [&](uint32_t) {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<UFrame> clones;
      for (int i = 0; i < 3; ++i) {
        if (auto clone = frame.Clone(); clone.ok()) clones.push_back(*std::move(clone));
      }
      EXPECT_LE(frame.reference_count(), kLimit);
    }
  });
  EXPECT_EQ(frame.reference_count(), 1u);
}

TEST(FrameTortureTest, OnlyOneOfSeveralOwnersBecomesUnique) {
  FrameWorld world({.pages = 64, .cpus = kThreads});
  UFrame frame = *world.frames().Allocate(Untyped{}, Zeroing::kZero);
  auto* word = reinterpret_cast<uint64_t*>(frame.Data());
  const PhysAddr address = frame.start();
  sync::Atomic<uint64_t> won{0};
  std::array<UFrame, kThreads> owners;
  for (UFrame& owner : owners) owner = *frame.Clone();
  frame = UFrame();
  RunThreads(world.cpus(), [&](uint32_t thread) {
    UFrame mine = std::move(owners[thread]);
    for (int round = 0; round < kRounds; ++round) {
      if (auto unique = std::move(mine).IntoUnique(); unique.ok()) {
        ++*word;
        won.fetch_add(1, sync::seq_cst);
        mine = std::move(*unique).IntoShared();
      }
      mine = UFrame();
      // Others may be unique at the moment, or all gone.
      auto again = world.frames().FromInUse(address);
      if (!again.ok()) break;
      auto untyped = std::move(*again).DowncastTo<Untyped>();
      mine = *std::move(untyped);
    }
  });
  EXPECT_EQ(*reinterpret_cast<uint64_t*>(world.memory().Data(address)), won.load(sync::seq_cst));
}

}  // namespace
}  // namespace paddock
