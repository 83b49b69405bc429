// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/page_cases.h"

#include <cstdint>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/chunks.h"

namespace paddock::bench {
namespace {

// A chunk is one operation on each page of the thread, in order.

void Lookup(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.TimeEach(thread.pages(), [&](uint64_t i) {
      RcuReadGuard section(thread.machine().rcu(), thread.pin());
      benchmark::DoNotOptimize(thread.space().Walk(section, thread.Page(i).start));
    });
  });
}

template <Place kPlace>
void OpenClose(benchmark::State& state) {
  BenchThread thread(state.thread_index(), kPlace);
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.TimeEach(thread.pages(), [&](uint64_t i) {
      auto cursor = thread.space().OpenCursorMut(thread.pin(), thread.Page(i));
      benchmark::DoNotOptimize(cursor.ok());
    });
  });
}

template <Place kPlace>
void OpenMap(benchmark::State& state) {
  BenchThread thread(state.thread_index(), kPlace);
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.TimeEach(thread.pages(), [&](uint64_t i) {
      UFrame frame = thread.NewFrame();
      Require(thread.OpenPage(i).Map(MappedFrames(std::move(frame), kReadWriteUser)));
    });
    thread.UnmapAll();
  });
}

template <Place kPlace>
void OpenQuery(benchmark::State& state) {
  BenchThread thread(state.thread_index(), kPlace);
  thread.MapAll();
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    timer.TimeEach(thread.pages(),
                   [&](uint64_t i) { benchmark::DoNotOptimize(thread.OpenPage(i).Query()); });
  });
}

// Takes the right to write away, then gives it back in the next chunk.
template <Place kPlace>
void OpenProtect(benchmark::State& state) {
  BenchThread thread(state.thread_index(), kPlace);
  thread.MapAll();
  WriteToggle change;
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    change.Toggle();
    timer.TimeEach(thread.pages(), [&](uint64_t i) {
      Require(thread.OpenPage(i).Protect(kPageSize, change).status());
    });
  });
}

template <Place kPlace>
void OpenUnmap(benchmark::State& state) {
  BenchThread thread(state.thread_index(), kPlace);
  MeasureChunks(state, thread.pages(), [&](ChunkTimer& timer) {
    thread.MapAll();
    timer.Time([&] {
      for (uint64_t i = 0; i < thread.pages(); ++i) {
        Require(thread.OpenPage(i).Unmap(kPageSize).status());
      }
      thread.Reclaim();
    });
  });
}

}  // namespace

void AddPageCases(Suite& suite) {
  struct PageCase {
    const char* name;
    CaseFunction run;
    double target;
    const char* baseline;  // of the other designs
  };
  constexpr Place kOwn = Place::kOwnRootEntry;
  for (const PageCase& each : {PageCase{"lookup", Lookup, 1.5, "query"},
                               PageCase{"open_close", OpenClose<kOwn>, 4.5, nullptr},
                               PageCase{"open_map", OpenMap<kOwn>, 7, "map"},
                               PageCase{"open_query", OpenQuery<kOwn>, 5.5, "query"},
                               PageCase{"open_protect", OpenProtect<kOwn>, 7, "protect"},
                               PageCase{"open_unmap", OpenUnmap<kOwn>, 9, "unmap"}}) {
    suite.Group(each.baseline == nullptr ? each.name : each.baseline);
    suite.Add(each.name, each.run, {1, 2})
        .AtMost(each.target)
        .AtMostOneThread(kTwoThreadTarget)
        .Beside(each.baseline);
  }
}

void AddSharedTableCases(Suite& suite) {
  struct SharedCase {
    const char* name;
    CaseFunction run;
  };
  constexpr double kTarget = 1.6;
  constexpr Place kShared = Place::kSharedTable;
  for (const SharedCase& each :
       {SharedCase{"shared_open_close", OpenClose<kShared>},
        SharedCase{"shared_map", OpenMap<kShared>}, SharedCase{"shared_query", OpenQuery<kShared>},
        SharedCase{"shared_protect", OpenProtect<kShared>},
        SharedCase{"shared_unmap", OpenUnmap<kShared>}}) {
    suite.Group(each.name);
    suite.Add(each.name, each.run, {1, 2}).AtMostOneThread(kTarget);
  }
}

}  // namespace paddock::bench
