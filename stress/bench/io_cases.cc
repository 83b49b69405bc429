// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/io_cases.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "benchmark/benchmark.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/chunks.h"

namespace paddock::bench {
namespace {

constexpr double kThroughputTarget = 0.8;
constexpr double kReadValTarget = 3.0;

USegment NewSegment(BenchThread& thread, uint64_t bytes) {
  return Must(
      thread.machine().frames().AllocateSegment(bytes / kPageSize, 1, Untyped{}, Zeroing::kZero));
}

// A thread whose region is mapped and whose space is active while it lives.
class ActiveThread {
 public:
  explicit ActiveThread(benchmark::State& state)
      : thread_(state.thread_index(), Place::kOwnRootEntry, SpaceKind::kRun) {
    thread_.MapAll();
    thread_.space().Activate(thread_.pin());
  }
  ~ActiveThread() { thread_.machine().DeactivateSpace(thread_.pin()); }

  BenchThread& operator*() { return thread_; }
  BenchThread* operator->() { return &thread_; }

 private:
  BenchThread thread_;
};

// Calls `copy()` of `bytes` each.
template <typename Copy>
void MeasureCopies(benchmark::State& state, uint64_t bytes, Copy copy) {
  constexpr uint64_t kChunkBytes = 256 << 10;
  const uint64_t copies = std::max<uint64_t>(1, kChunkBytes / bytes);
  MeasureChunks(state, copies,
                [&](ChunkTimer& timer) { timer.TimeEach(copies, [&](uint64_t) { copy(); }); });
}

// What is copied between frames.
struct TwoSegments {
  explicit TwoSegments(benchmark::State& state)
      : thread(state),
        bytes(static_cast<uint64_t>(state.range(0))),
        from(NewSegment(*thread, bytes)),
        to(NewSegment(*thread, bytes)) {}

  ActiveThread thread;
  const uint64_t bytes;
  const USegment from;
  const USegment to;
};

void Memcpy(benchmark::State& state) {
  TwoSegments segments(state);
  MeasureCopies(state, segments.bytes, [&] {
    std::memcpy(segments.to.Data(), segments.from.Data(), segments.bytes);
    benchmark::ClobberMemory();
  });
}

// From frames to frames.
void Copy(benchmark::State& state) {
  TwoSegments segments(state);
  MeasureCopies(state, segments.bytes, [&] {
    VmReader reader(segments.from);
    VmWriter writer(segments.to);
    benchmark::DoNotOptimize(reader.Read(writer));
  });
}

// From user memory to frames, and back.
void CopyFromUser(benchmark::State& state) {
  ActiveThread thread(state);
  const auto bytes = static_cast<uint64_t>(state.range(0));
  const USegment to = NewSegment(*thread, bytes);
  const VirtAddr from = thread->region().start;
  MeasureCopies(state, bytes, [&] {
    VmReader<Fallible> reader = Must(thread->space().Reader(thread->pin(), from, bytes));
    VmWriter writer(to);
    PADDOCK_CHECK(reader.Read(writer).bytes == bytes, "a user page is not mapped");
  });
}

void CopyToUser(benchmark::State& state) {
  ActiveThread thread(state);
  const auto bytes = static_cast<uint64_t>(state.range(0));
  const USegment from = NewSegment(*thread, bytes);
  const VirtAddr to = thread->region().start;
  MeasureCopies(state, bytes, [&] {
    VmReader reader(from);
    VmWriter<Fallible> writer = Must(thread->space().Writer(thread->pin(), to, bytes));
    PADDOCK_CHECK(writer.Write(reader).bytes == bytes, "a user page is not mapped");
  });
}

// One page, again and again.
void WalkPage(benchmark::State& state) {
  ActiveThread thread(state);
  const VirtAddr va = thread->region().start;
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) {
    timer.TimeEach(kChunkOperations, [&](uint64_t) {
      RcuReadGuard section(thread->machine().rcu(), thread->pin());
      benchmark::DoNotOptimize(thread->space().Walk(section, va));
    });
  });
}

void ReadVal(benchmark::State& state) {
  ActiveThread thread(state);
  const VirtAddr va = thread->region().start;
  MeasureChunks(state, kChunkOperations, [&](ChunkTimer& timer) {
    timer.TimeEach(kChunkOperations, [&](uint64_t) {
      VmReader<Fallible> reader = Must(thread->space().Reader(thread->pin(), va, sizeof(uint64_t)));
      benchmark::DoNotOptimize(Must(reader.ReadVal<uint64_t>()));
    });
  });
}

struct Size {
  const char* name;
  int64_t bytes;
};

}  // namespace

void AddIoCases(Suite& suite) {
  for (const Size& size : {Size{"_4k", 4 << 10}, Size{"_64k", 64 << 10}, Size{"_1m", 1 << 20}}) {
    const std::string memcpy_case = std::string("memcpy") + size.name;
    const auto add = [&](const char* what, CaseFunction run) {
      return suite.Add(std::string(what) + size.name, run, {1}, size.bytes);
    };
    suite.Group(memcpy_case);
    suite.AddReference(memcpy_case, Memcpy, {1}, size.bytes);
    add("copy", Copy).Against(memcpy_case, Measure::kThroughput, kThroughputTarget);
    // Pages of user memory have to be found as well, and their frames lie apart: no target.
    add("from_user", CopyFromUser).Against(memcpy_case, Measure::kThroughput, std::nullopt);
    add("to_user", CopyToUser).Against(memcpy_case, Measure::kThroughput, std::nullopt);
  }
  suite.Group("read_val");
  suite.AddReference("walk_page", WalkPage);
  suite.Add("read_val", ReadVal).Against("walk_page", Measure::kCost, kReadValTarget);
}

}  // namespace paddock::bench
