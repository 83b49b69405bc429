// SPDX-License-Identifier: Apache-2.0
//
// Real threads map, unmap, look up, switch spaces and go idle at random. Two oracles look at every
// hit:
//   - the frame behind an entry has the generation that it had when the entry was filled: it was
//   not freed;
//   - a page whose unmapping was synced, and that was not mapped again, is in no TLB.

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/tests/core/tlb/tlb_machine.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

constexpr uint64_t kPages = 16;
constexpr uint32_t kCpus = 4;

// A space with a flat table: an entry is 0, or the address of a frame with the lowest bit set.
struct Space {
  explicit Space(TlbSystem& system) : context(system) {}

  struct Slot {
    sync::Atomic<uint64_t> entry{0};
    std::atomic<uint32_t> locked{0};
    std::atomic<bool> gone{false};  // unmapped, and every CPU is known to have flushed
  };
  TlbContext context;
  Slot slots[kPages];
};

uint64_t EntryOf(PhysAddr frame) { return frame.value() | 1; }
PhysAddr FrameOf(uint64_t entry) { return PhysAddr(entry & ~uint64_t{1}); }

class Worker {
 public:
  Worker(TlbMachine& m, std::vector<std::unique_ptr<Space>>& spaces, uint32_t cpu, uint64_t seed,
         std::atomic<bool>& failed)
      : m_(m), spaces_(spaces), cpu_{cpu}, random_(seed), failed_(failed) {}

  void Run(int steps) {
    std::optional<CpuPin> pin = m_.cpus().Pin(cpu_).value();
    for (int step = 0; step < steps && !failed_; ++step) {
      Stumble();
      switch (random_() % 16) {
        case 0:
        case 1:
          Map(*pin);
          break;
        case 2:
        case 3:
          Unmap(*pin);
          break;
        case 4:
          m_.bus().Poll(*pin);
          m_.rcu().Poll(*pin);
          break;
        case 5:
          if (random_() % 4 == 0) SwitchSpace(*pin);
          break;
        case 6:
          if (random_() % 8 == 0) {
            pin.reset();
            std::this_thread::yield();
            pin = m_.cpus().Pin(cpu_).value();
          }
          break;
        default:
          Access(*pin);
          break;
      }
    }
    m_.tlb().Deactivate(*pin);
    // Leaving the CPU serves what is pending, so nobody is left waiting for it.
  }

 private:
  // Lets another thread go on from here, now and then: there may be fewer cores than CPUs.
  void Stumble() {
    if (random_() % 32 == 0) std::this_thread::yield();
  }

  Space& AnySpace() { return *spaces_[random_() % spaces_.size()]; }

  void SwitchSpace(const CpuPin& pin) {
    if (random_() % 8 == 0) {
      m_.tlb().Deactivate(pin);
      space_ = nullptr;
    } else {
      space_ = &AnySpace();
      m_.tlb().Activate(pin, space_->context);
    }
  }

  void Access(const CpuPin& pin) {
    if (space_ == nullptr) return;
    const uint64_t page = random_() % kPages;
    Space::Slot& slot = space_->slots[page];
    SoftTlb& tlb = m_.tlb().soft_tlb(pin);
    const bool gone = slot.gone.load();
    if (const auto hit = tlb.Lookup(space_->context.tag(), Page(page))) {
      Stumble();
      Expect(!gone, "a hit on a page whose flush was waited for");
      Expect(m_.Generation(hit->frame) == hit->frame_generation, "a hit on a frame that was freed");
      return;
    }
    const RcuReadGuard section(m_.rcu(), pin);
    // order: acquire, as a walk does; pairs with the mapper's compare-exchange.
    const uint64_t entry = slot.entry.load(sync::acquire);
    if (entry == 0) return;
    Stumble();
    tlb.Insert(space_->context.tag(), m_.Entry(Page(page), FrameOf(entry)));
  }

  bool Lock(Space::Slot& slot) { return slot.locked.exchange(1) == 0; }
  void Unlock(Space::Slot& slot) { slot.locked = 0; }

  void Map(const CpuPin&) {
    Space::Slot& slot = AnySpace().slots[random_() % kPages];
    if (!Lock(slot)) return;
    if (slot.entry.load(sync::seq_cst) == 0) {
      slot.gone = false;
      slot.entry.store(EntryOf(m_.NewFrame()), sync::seq_cst);
    }
    Unlock(slot);
  }

  void Unmap(const CpuPin& pin) {
    Space& space = AnySpace();
    const uint64_t first = random_() % kPages;
    const uint64_t count = std::min<uint64_t>(1 + random_() % 8, kPages - first);
    TlbFlusher flusher(m_.tlb(), space.context, pin);
    std::vector<uint64_t> locked;
    std::vector<uint64_t> flushed;
    for (uint64_t page = first; page < first + count; page += 1 + random_() % 2) {
      if (!Lock(space.slots[page])) continue;
      locked.push_back(page);
      const uint64_t old = space.slots[page].entry.exchange(0, sync::seq_cst);
      if (old == 0) continue;
      flushed.push_back(page);
      flusher.Issue(Pages(page, 1));
      flusher.Retire(FrameRun{FrameOf(old), 1});
      if (random_() % 8 == 0) flusher.Dispatch();
    }
    if (random_() % 2 == 0) {
      flusher.Sync();
      for (const uint64_t page : flushed) space.slots[page].gone = true;
    }
    for (const uint64_t page : locked) Unlock(space.slots[page]);
  }

  void Expect(bool holds, const char* what) {
    if (holds) return;
    failed_ = true;
    ADD_FAILURE() << "CPU " << cpu_.value << ": " << what;
  }

  TlbMachine& m_;
  std::vector<std::unique_ptr<Space>>& spaces_;
  const CpuId cpu_;
  std::mt19937_64 random_;
  std::atomic<bool>& failed_;
  Space* space_ = nullptr;
};

void Torture(const TlbSystem::Options& options) {
  const uint64_t seed = TestSeed();
  TlbMachine m(kCpus, options);
  std::vector<std::unique_ptr<Space>> spaces;
  spaces.reserve(3);
  for (int i = 0; i < 3; ++i) spaces.push_back(std::make_unique<Space>(m.tlb()));
  std::atomic<bool> failed = false;
  {
    std::atomic<uint32_t> started = 0;
    std::vector<std::thread> threads;
    threads.reserve(kCpus);
    for (uint32_t cpu = 0; cpu < kCpus; ++cpu) {
      threads.emplace_back([&, cpu] {
        ++started;
        while (started < kCpus) std::this_thread::yield();
        Worker(m, spaces, cpu, seed + cpu, failed).Run(30'000);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // Nothing was lost: what is left is what is mapped.
  CpuPin pin = m.cpus().Pin(CpuId{0}).value();
  m.PassGracePeriods(pin);
  uint64_t mapped = 0;
  for (const auto& space : spaces) {
    for (Space::Slot& slot : space->slots) mapped += slot.entry.load(sync::seq_cst) != 0 ? 1 : 0;
  }
  EXPECT_EQ(m.frames().used_pages(), mapped);
  const TlbStats stats = m.tlb().stats();
  EXPECT_GT(stats.batches, 0u);
  EXPECT_GT(stats.interrupts, 0u);
  EXPECT_GT(stats.lazy_skips, 0u);
}

TEST(TortureTest, Tagged) { Torture({}); }
TEST(TortureTest, TaggedWithTwoTagsAndATinyTlb) {
  Torture({.full_flush_threshold = 2, .tlb_sets = 4, .tlb_ways = 1, .tags_per_cpu = 2});
}
TEST(TortureTest, Untagged) { Torture({.tag_mode = TagMode::kUntagged}); }

}  // namespace
}  // namespace paddock
