// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/cursor_bench.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "benchmark/benchmark.h"
#include "paddock/arch/page_property.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/stress/bench/bench_world.h"

namespace paddock::bench {
namespace {

void Require(const absl::Status& status) { PADDOCK_CHECK(status.ok(), "a benchmark step failed"); }

// Runs `step(thread, i)` per iteration on the pages of the region in turn. Each time all pages were
// used, `refill` runs off the clock.
template <typename Refill, typename Step>
void OverRegion(benchmark::State& state, Refill refill, Step step) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  thread.UnmapAll();
  refill(thread);
  uint64_t i = 0;
  for (auto _ : state) {
    step(thread, i);
    if (++i % kRegionPages == 0) {
      state.PauseTiming();
      refill(thread);
      state.ResumeTiming();
    }
  }
}

void Nothing(BenchThread&) {}
void Fill(BenchThread& thread) { thread.MapAll(); }
void Empty(BenchThread& thread) { thread.UnmapAll(); }

VmSpace::CursorMut Open(BenchThread& thread, uint64_t i) {
  auto cursor = thread.space().OpenCursorMut(thread.pin(), thread.Page(i));
  Require(cursor.status());
  return *std::move(cursor);
}

void LockUnlock(benchmark::State& state) {
  SpinLock lock;
  for (auto _ : state) {
    lock.Lock();
    benchmark::ClobberMemory();
    lock.Unlock();
  }
}

void Lookup(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  uint64_t i = 0;
  for (auto _ : state) {
    RcuReadGuard section(thread.machine().rcu(), thread.pin());
    benchmark::DoNotOptimize(thread.space().Walk(section, thread.Page(i++).start));
  }
}

void OpenClose(benchmark::State& state) {
  OverRegion(state, Nothing, [](BenchThread& thread, uint64_t i) {
    auto cursor = thread.space().OpenCursorMut(thread.pin(), thread.Page(i));
    benchmark::DoNotOptimize(cursor.ok());
  });
}

void OpenMap(benchmark::State& state) {
  OverRegion(state, Empty, [](BenchThread& thread, uint64_t i) {
    auto frame = thread.machine().frames().Allocate(Untyped{}, Zeroing::kLeave);
    Require(frame.status());
    Require(Open(thread, i).Map(MappedFrames(*std::move(frame), kReadWriteUser)));
  });
}

void OpenQuery(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  uint64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(Open(thread, i++).Query());
}

void OpenProtect(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  thread.MapAll();
  uint64_t i = 0;
  for (auto _ : state) {
    const PageFlags toggled = (i / kRegionPages) % 2 == 0 ? PageFlags::kWrite : PageFlags::kNone;
    Require(Open(thread, i++)
                .Protect(kPageSize,
                         [toggled](PageProperty property) {
                           property.flags = (property.flags & ~PageFlags::kWrite) | toggled;
                           return property;
                         })
                .status());
  }
}

void OpenUnmap(benchmark::State& state) {
  OverRegion(state, Fill, [](BenchThread& thread, uint64_t i) {
    Require(Open(thread, i).Unmap(kPageSize).status());
  });
}

}  // namespace

void RegisterCursorBenchmarks() {
  struct Case {
    const char* name;
    void (*run)(benchmark::State&);
  };
  for (const Case& each :
       {Case{kUnitCase, LockUnlock}, Case{"lookup", Lookup}, Case{"open_close", OpenClose},
        Case{"open_map", OpenMap}, Case{"open_query", OpenQuery}, Case{"open_protect", OpenProtect},
        Case{"open_unmap", OpenUnmap}}) {
    benchmark::RegisterBenchmark(each.name, each.run)->ThreadRange(1, 2)->UseRealTime();
  }
}

}  // namespace paddock::bench
