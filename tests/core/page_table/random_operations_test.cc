// SPDX-License-Identifier: Apache-2.0
//
// Random sequences of operations mean what the abstract table says: alone on many geometries, and
// on disjoint windows of one table by several threads.

#include <atomic>
#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/arch/x86_64.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_cursor_ops.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/table_fixture.h"

namespace paddock {
namespace {

template <typename F>
using Owning = FramesConfig<F, 0, kLastLowerEntry<F>>;

template <typename C>
class RandomOperations : public TableTest<C> {
 protected:
  using Geo = Geometry<typename C::Format>;
  // Everything, or two and a half entries of level 2.
  static constexpr bool kSmall = Geo::kSpan / kPageSize <= 4096;
  static constexpr uint64_t kWindow =
      kSmall ? Geo::kSpan / kPageSize : Geo::EntrySpan(2) / kPageSize * 5 / 2;
  static constexpr int kTransactions = kSmall ? 1500 : 60;
};

using Configs = testing::Types<
    BareConfig<tiny::Format2x2>, Owning<tiny::Format2x2>, BareConfig<tiny::Format<3, 1>>,
    Owning<tiny::Format<3, 1, 2>>, Owning<tiny::Format<3, 2>>, BareConfig<tiny::Format<3, 2, 2>>,
    Owning<tiny::Format<4, 1, 1, 2>>, Owning<x86_64::Format4>, BareConfig<x86_64::Format5>>;
TYPED_TEST_SUITE(RandomOperations, Configs);

TYPED_TEST(RandomOperations, MeanWhatTheAbstractTableSays) {
  RandomCursorOps<TypeParam> ops(this->table(), TestSeed(), 0, this->kWindow);
  for (int i = 0; i < this->kTransactions && !this->HasFailure(); ++i) {
    SCOPED_TRACE(i);
    ops.Transaction(this->pin());
  }
  ops.ExpectSame();
  EXPECT_GT(ops.operations(), 0u);
}

TYPED_TEST(RandomOperations, OnDisjointWindowsMeanTheSameForSeveralThreads) {
  // Windows that share granules, leaf tables and upper nodes with their neighbours.
  constexpr uint64_t kThreads = 3;
  const uint64_t share = this->kWindow / kThreads;
  if (share == 0) return;
  const uint64_t seed = TestSeed();
  CpuThreads threads(this->world().cpus());
  std::atomic<int> finished{0};
  for (uint64_t id = 0; id < kThreads; ++id) {
    threads.Run(id + 1, [&, id](const CpuPin& cpu) {
      RandomCursorOps<TypeParam> ops(this->table(), seed + id, id * share, share);
      for (int i = 0; i < this->kTransactions / 2 && !this->HasFailure(); ++i) {
        ops.Transaction(cpu);
        this->world().Poll(cpu);
      }
      ops.ExpectSame();
      ++finished;
    });
  }
  threads.Join();
  EXPECT_EQ(finished, 3);
}

}  // namespace
}  // namespace paddock
