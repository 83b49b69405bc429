// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/cold_cases.h"

#include <cstdint>

#include "benchmark/benchmark.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/chunks.h"
#include "paddock/stress/bench/raw_costs.h"

namespace paddock::bench {
namespace {

constexpr uint64_t kRootEntry = 48;
constexpr uint64_t kLeafTables = kColdBytes / kPageSize;
// One page for each cache line of a leaf table.
constexpr uint64_t kStride = 8 * kPageSize;
constexpr uint64_t kMappedPages = kLeafTables * (kTableSpan / kStride);
static_assert((kMappedPages & (kMappedPages - 1)) == 0);

VirtAddr PageAt(uint64_t index) { return VirtAddr(kRootEntry * kRootEntrySpan + index * kStride); }

// All of it is mapped to one frame, so that the tables are nearly all the memory that it takes.
void MapColdPages(BenchThread& thread) {
  const UFrame frame = thread.NewFrame();
  const VirtRange range{PageAt(0), PageAt(kMappedPages)};
  auto cursor = Must(thread.space().OpenCursorMut(thread.pin(), range));
  for (uint64_t i = 0; i < kMappedPages; ++i) {
    Require(cursor.Jump(PageAt(i)));
    Require(cursor.Map(MappedFrames(Must(frame.Clone()), kReadWriteUser)));
  }
}

// Visits all pages, in an order that no prefetcher knows.
uint64_t NextPage(uint64_t page) {
  return (page * 6364136223846793005u + 1442695040888963407u) % kMappedPages;
}

// `access(page)` answers with something that depends on what it found and is zero.
template <typename Access>
void MeasureCold(benchmark::State& state, BenchThread& thread, Access access) {
  [[maybe_unused]] static const bool is_mapped = (MapColdPages(thread), true);
  uint64_t page = 0;
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) {
    timer.TimeEach(kChunkOperations,
                   [&](uint64_t) { page = NextPage(page + access(PageAt(page))); });
  });
}

// Zero, and the compiler does not know.
uint64_t ZeroOf(PhysAddr address) { return address.value() >> 63; }

void ColdLookup(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  MeasureCold(state, thread, [&](VirtAddr va) {
    RcuReadGuard section(thread.machine().rcu(), thread.pin());
    return ZeroOf(thread.space().Walk(section, va)->address);
  });
}

void ColdOpenQuery(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  MeasureCold(state, thread, [&](VirtAddr va) {
    auto cursor =
        Must(thread.space().OpenCursorMut(thread.pin(), VirtRange{va, va.Plus(kPageSize)}));
    return ZeroOf(Must(cursor.Query()).item->frame);
  });
}

}  // namespace

void AddColdCases(Suite& suite) {
  suite.Group("cold");
  suite.AddReference(kColdLoadsCase, MeasureColdLoads);
  suite.Add("cold_lookup", ColdLookup, {1}, 0, Role::kPlacement)
      .Against(kColdLoadsCase, Measure::kCost, std::nullopt);
  suite.Add("cold_query", ColdOpenQuery, {1}, 0, Role::kPlacement)
      .Against(kColdLoadsCase, Measure::kCost, std::nullopt);
}

}  // namespace paddock::bench
