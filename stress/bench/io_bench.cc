// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/io_bench.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/io/vm_reader.h"
#include "paddock/core/io/vm_writer.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/bench/bench_world.h"

namespace paddock::bench {
namespace {

constexpr double kThroughputTarget = 0.8;
constexpr double kReadValTarget = 3.0;

template <typename T>
T Must(absl::StatusOr<T> result) {
  PADDOCK_CHECK(result.ok(), "a benchmark step failed");
  return *std::move(result);
}

USegment NewSegment(BenchThread& thread, uint64_t bytes) {
  return Must(
      thread.machine().frames().AllocateSegment(bytes / kPageSize, 1, Untyped{}, Zeroing::kZero));
}

// A thread whose region is mapped and whose space is active while it lives.
class ActiveThread {
 public:
  explicit ActiveThread(benchmark::State& state) : thread_(state.thread_index(), SpaceKind::kRun) {
    thread_.MapAll();
    thread_.space().Activate(thread_.pin());
  }
  ~ActiveThread() { thread_.machine().DeactivateSpace(thread_.pin()); }

  BenchThread& operator*() { return thread_; }
  BenchThread* operator->() { return &thread_; }

 private:
  BenchThread thread_;
};

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
  for (auto _ : state) {
    std::memcpy(segments.to.Data(), segments.from.Data(), segments.bytes);
    benchmark::ClobberMemory();
  }
}

// From frames to frames.
void Copy(benchmark::State& state) {
  TwoSegments segments(state);
  for (auto _ : state) {
    VmReader reader(segments.from);
    VmWriter writer(segments.to);
    benchmark::DoNotOptimize(reader.Read(writer));
  }
}

// From user memory to frames, and back.
void CopyFromUser(benchmark::State& state) {
  ActiveThread thread(state);
  const auto bytes = static_cast<uint64_t>(state.range(0));
  const USegment to = NewSegment(*thread, bytes);
  const VirtAddr from = thread->region().start;
  for (auto _ : state) {
    VmReader<Fallible> reader = Must(thread->space().Reader(thread->pin(), from, bytes));
    VmWriter writer(to);
    PADDOCK_CHECK(reader.Read(writer).bytes == bytes, "a user page is not mapped");
  }
}

void CopyToUser(benchmark::State& state) {
  ActiveThread thread(state);
  const auto bytes = static_cast<uint64_t>(state.range(0));
  const USegment from = NewSegment(*thread, bytes);
  const VirtAddr to = thread->region().start;
  for (auto _ : state) {
    VmReader reader(from);
    VmWriter<Fallible> writer = Must(thread->space().Writer(thread->pin(), to, bytes));
    PADDOCK_CHECK(writer.Write(reader).bytes == bytes, "a user page is not mapped");
  }
}

// One page, again and again.
void WalkPage(benchmark::State& state) {
  ActiveThread thread(state);
  const VirtAddr va = thread->region().start;
  for (auto _ : state) {
    RcuReadGuard section(thread->machine().rcu(), thread->pin());
    benchmark::DoNotOptimize(thread->space().Walk(section, va));
  }
}

void ReadVal(benchmark::State& state) {
  ActiveThread thread(state);
  const VirtAddr va = thread->region().start;
  for (auto _ : state) {
    VmReader<Fallible> reader = Must(thread->space().Reader(thread->pin(), va, sizeof(uint64_t)));
    benchmark::DoNotOptimize(Must(reader.ReadVal<uint64_t>()));
  }
}

struct Size {
  const char* name;
  int64_t bytes;
};

void RegisterOfSize(const char* what, void (*run)(benchmark::State&), const Size& size) {
  benchmark::RegisterBenchmark((std::string(what) + size.name).c_str(), run)
      ->Arg(size.bytes)
      ->UseRealTime();
}

}  // namespace

void RegisterIoBenchmarks(Results& results) {
  for (const Size& size : {Size{"_4k", 4 << 10}, Size{"_64k", 64 << 10}, Size{"_1m", 1 << 20}}) {
    RegisterOfSize("memcpy", Memcpy, size);
    RegisterOfSize("copy", Copy, size);
    RegisterOfSize("from_user", CopyFromUser, size);
    RegisterOfSize("to_user", CopyToUser, size);
    const std::string memcpy_case = std::string("memcpy") + size.name;
    results.Compare(
        {std::string("copy") + size.name, memcpy_case, Measure::kThroughput, kThroughputTarget});
    // Pages of user memory have to be found as well, and their frames lie apart: no target.
    for (const char* each : {"from_user", "to_user"}) {
      results.Compare(
          {std::string(each) + size.name, memcpy_case, Measure::kThroughput, std::nullopt});
    }
  }
  benchmark::RegisterBenchmark("walk_page", WalkPage)->UseRealTime();
  benchmark::RegisterBenchmark("read_val", ReadVal)->UseRealTime();
  results.Compare({"read_val", "walk_page", Measure::kCost, kReadValTarget});
}

}  // namespace paddock::bench
