// SPDX-License-Identifier: Apache-2.0
//
// What a lock-free walk sees of a table that has just been made. Under ThreadSanitizer these fail
// if a new table is published without release order, or followed without acquire: the frame is
// cleared by plain stores.

#include <atomic>
#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

template <typename F>
class Publication : public TableTest<BareConfig<F>> {
 protected:
  // Walks to `va` on CPU 1 until `make` has run `rounds` times here; every answer must be one that
  // `allowed` accepts. The walker polls nothing and shares nothing else with this thread.
  template <typename Make, typename Allowed>
  void WalkWhile(VirtAddr va, int rounds, Make make, Allowed allowed) {
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> walks{0}, found{0}, wrong{0};
    CpuThreads threads(this->world().cpus());
    threads.Run(1, [&](const CpuPin& cpu) {
      while (!stop.load(std::memory_order_relaxed)) {
        RcuReadGuard guard(this->env().rcu(), cpu);
        const auto translation = this->table().Walk(guard, va);
        walks.fetch_add(1, std::memory_order_relaxed);
        if (translation) found.fetch_add(1, std::memory_order_relaxed);
        if (!allowed(translation)) wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
    for (int i = 0; i < rounds || walks.load(std::memory_order_relaxed) < 1000; ++i) {
      make();
      this->world().Poll(this->pin());
    }
    stop = true;
    threads.Join();
    EXPECT_EQ(wrong, 0u);
  }
};

using Formats = testing::Types<tiny::Format<3, 1>, x86_64::Format4>;
TYPED_TEST_SUITE(Publication, Formats);

TYPED_TEST(Publication, ANewTableIsSeenInitialisedOrNotAtAll) {
  const uint64_t span = Geometry<TypeParam>::EntrySpan(2);
  this->WalkWhile(
      VirtAddr(0), 2000,
      [&] {
        // The walk goes through the new table to an entry that nobody ever stored to.
        this->MapPage(VirtAddr(kPageSize), PhysAddr(0x5000));
        EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
      },
      [](const std::optional<Translation>& found) { return !found; });
}

TYPED_TEST(Publication, ASplitIsSeenAsTheHugePageOrItsPieces) {
  const uint64_t span = Geometry<TypeParam>::EntrySpan(2);
  const PhysAddr frame(8 * span);
  this->WalkWhile(
      VirtAddr(span - kPageSize), 300,
      [&] {
        this->MapPage(VirtAddr(0), frame, 2);
        EXPECT_TRUE(IsOk(this->Open(this->Pages(0, 1)).Unmap(kPageSize)));
        EXPECT_TRUE(IsOk(this->Open(this->Bytes(0, span)).Unmap(span)));
      },
      [&](const std::optional<Translation>& found) {
        return !found || found->address == frame.Plus(span - kPageSize);
      });
}

}  // namespace
}  // namespace paddock
