// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/range_cases.h"

#include <cstdint>
#include <utility>

#include "benchmark/benchmark.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/map_range.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/chunks.h"
#include "paddock/stress/bench/page_cases.h"
#include "paddock/stress/bench/untracked_config.h"

namespace paddock::bench {
namespace {

// `map(thread)` maps all pages, which are unmapped off the clock.
template <typename Map>
void MeasureMap(benchmark::State& state, Map map) {
  BenchThread thread(state.thread_index());
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.Time([&] { map(thread); });
    thread.UnmapAll();
  });
}

// `unmap(thread)` unmaps all pages, which were mapped off the clock.
template <typename Unmap>
void MeasureUnmap(benchmark::State& state, Unmap unmap) {
  BenchThread thread(state.thread_index());
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    thread.MapAll();
    timer.Time([&] {
      unmap(thread);
      thread.Reclaim();
    });
  });
}

// `protect(cursor, change)` takes the right to write of all pages away, then gives it back in the
// next chunk.
template <typename Protect>
void MeasureProtect(benchmark::State& state, Protect protect) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  WriteToggle change;
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    change.Toggle();
    timer.Time([&] {
      VmSpace::CursorMut cursor = thread.OpenRegion();
      protect(cursor, change);
    });
  });
}

USegment NewSegment(BenchThread& thread) {
  return Must(
      thread.machine().frames().AllocateSegment(thread.pages(), 1, Untyped{}, Zeroing::kLeave));
}

void MapSegment(BenchThread& thread, USegment& frames) {
  VmSpace::CursorMut cursor = thread.OpenRegion();
  Require(MapRange(cursor, frames, kReadWriteUser, PageSizes::kBaseOnly).status);
}

void MapEach(benchmark::State& state) {
  MeasureMap(state, [](BenchThread& thread) { thread.MapAll(); });
}

// The frames are allocated on the clock.
void MapSegmentOfFrames(benchmark::State& state) {
  MeasureMap(state, [](BenchThread& thread) {
    USegment frames = NewSegment(thread);
    MapSegment(thread, frames);
  });
}

// The frames are there before.
void MapOwnedFrames(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    USegment frames = NewSegment(thread);
    timer.Time([&] { MapSegment(thread, frames); });
    thread.UnmapAll();
  });
}

void QueryEach(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.Time([&] {
      VmSpace::CursorMut cursor = thread.OpenRegion();
      for (uint64_t i = 0; i < thread.pages(); ++i) {
        benchmark::DoNotOptimize(cursor.Query());
        Require(cursor.Jump(cursor.virt_addr().Plus(kPageSize)));
      }
    });
  });
}

// One batch for all flushes.
void UnmapEach(benchmark::State& state) {
  MeasureUnmap(state, [](BenchThread& thread) {
    VmSpace::CursorMut cursor = thread.OpenRegion();
    while (cursor.remaining() > 0) {
      Require(cursor.Unmap(kPageSize, FlushDispatch::kByCaller).status());
    }
  });
}

void UnmapRange(benchmark::State& state) {
  MeasureUnmap(state, [](BenchThread& thread) {
    Require(thread.OpenRegion().Unmap(thread.region().size()).status());
  });
}

// The cursor holds the entry above the leaf table, which goes with all that it maps.
void CutTable(benchmark::State& state) {
  MeasureUnmap(state, [](BenchThread& thread) {
    auto cursor = Must(thread.space().OpenCursorMut(thread.pin(), thread.region()));
    Require(cursor.Unmap(thread.region().size()).status());
  });
}

void ProtectEach(benchmark::State& state) {
  MeasureProtect(state, [](VmSpace::CursorMut& cursor, auto change) {
    while (cursor.remaining() > 0) Require(cursor.Protect(kPageSize, change).status());
  });
}

void ProtectRange(benchmark::State& state) {
  MeasureProtect(state, [](VmSpace::CursorMut& cursor, auto change) {
    Require(cursor.Protect(cursor.remaining(), change).status());
  });
}

// Memory that nobody owns: counting the owners of 262,144 frames, off the clock, would drive all
// else out of the caches.
void MapGibibyte(benchmark::State& state) {
  constexpr uint64_t kGibibyte = uint64_t{1} << 30;
  constexpr uint64_t kTimed = 8;
  constexpr PhysRange kMemory{PhysAddr(64 * kGibibyte), PhysAddr(65 * kGibibyte)};
  BenchThread thread(state.thread_index());
  static PageTable<UntrackedConfig>& table =
      *Must(PageTable<UntrackedConfig>::Create(thread.machine().page_tables(), thread.pin()))
           .release();
  const VirtAddr start = thread.region().start;
  const auto open = [&](uint64_t first, uint64_t count) {
    const VirtRange range{start.Plus(first * kGibibyte), start.Plus((first + count) * kGibibyte)};
    return Must(table.OpenCursorMut(thread.pin(), range));
  };
  MeasureChunks(state, kTimed, [&](ChunkTimer& timer) {
    timer.TimeEach(kTimed, [&](uint64_t i) {
      auto cursor = open(i, 1);
      Require(MapRange(cursor, kMemory, kReadWriteUser).status);
    });
    Require(open(0, kTimed).Unmap(kTimed * kGibibyte).status());
    thread.Reclaim();
  });
}

}  // namespace

void AddRangeCases(Suite& suite) {
  const auto add = [&](const char* name, CaseFunction run) {
    return suite.Add(name, run, {1, 2}).AtMostOneThread(kTwoThreadTarget);
  };
  suite.Group("map_512");
  add("map_each", MapEach).AtMost(1.5).Beside("map_512");
  add("map_range", MapSegmentOfFrames).AtMost(0.5).Beside("map_512");
  add("map_range_owned", MapOwnedFrames);
  suite.Group("query_each");
  add("query_each", QueryEach).AtMost(1);
  // The targets of unmapping and protecting are those of one call for all pages.
  suite.Group("unmap_512");
  add("unmap_each", UnmapEach).Beside("unmap_512");
  add("unmap_range", UnmapRange).AtMost(2).Beside("unmap_512");
  add("cut_2mib", CutTable).AtMost(1).Beside("unmap_512");
  suite.Group("protect_512");
  add("protect_each", ProtectEach);
  add("protect_range", ProtectRange).AtMost(1);
  suite.Group("map_1gib");
  add("map_1gib", MapGibibyte).AtMost(30);
}

}  // namespace paddock::bench
