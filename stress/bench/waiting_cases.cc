// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/waiting_cases.h"

#include <cstdint>
#include <memory>
#include <optional>

#include "benchmark/benchmark.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/tlb/tlb_flusher.h"
#include "paddock/stress/bench/bench_world.h"
#include "paddock/stress/bench/chunks.h"
#include "paddock/stress/bench/raw_costs.h"
#include "paddock/stress/bench/system_cpu.h"

namespace paddock::bench {
namespace {

constexpr uint64_t kPauseNs = 10'000;
constexpr uint64_t kPausesOfChunk = 16;
constexpr int kCrowd = 8;

void Pause() {
  sync::Parker nobody;
  nobody.ParkUntil(sync::NowNs() + kPauseNs);
}

// Two leaf tables for each thread, 16 MiB from the next thread's: the node above all of them is the
// one that is locked, and each thread has a granule of it.
VirtRange RangeUnderOneNode(int index) {
  constexpr uint64_t kRootEntry = 40;
  constexpr uint64_t kGranuleSpan = 8 * kTableSpan;
  const VirtAddr start(kRootEntry * kRootEntrySpan + static_cast<uint64_t>(index) * kGranuleSpan);
  return VirtRange{start, start.Plus(2 * kTableSpan)};
}

// Per cursor, the pause included.
void HoldCursor(benchmark::State& state) {
  BenchThread thread(state.thread_index());
  const VirtRange range = RangeUnderOneNode(state.thread_index());
  MeasureChunks(state, kPausesOfChunk, [&](ChunkTimer& timer) {
    timer.TimeEach(kPausesOfChunk, [&](uint64_t) {
      const auto cursor = Must(thread.space().OpenCursorMut(thread.pin(), range));
      Pause();
    });
  });
}

// What the pauses alone cost.
void PauseOnly(benchmark::State& state) {
  MeasureChunks(state, kPausesOfChunk, [](ChunkTimer& timer) {
    timer.TimeEach(kPausesOfChunk, [](uint64_t) { Pause(); });
  });
}

// A CPU that runs `space` and does nothing but poll, while this lives.
class PollingCpu {
 public:
  PollingCpu(BenchThread& owner, VmSpace& space)
      : thread_([this, &machine = owner.machine(), &space] {
          const SystemCpu cpu(1, 2);
          const CpuPin pin = Must(machine.Pin(CpuId{1}));
          space.Activate(pin);
          runs_.store(true, sync::seq_cst);
          while (!ends_.load(sync::seq_cst)) machine.Poll(pin);
          machine.DeactivateSpace(pin);
        }) {
    sync::Spin([&] { return runs_.load(sync::seq_cst); });
  }
  ~PollingCpu() { ends_.store(true, sync::seq_cst); }

 private:
  sync::Atomic<bool> runs_{false};
  sync::Atomic<bool> ends_{false};
  sync::Thread thread_;
};

// From dispatch to acknowledgement.
void Shootdown(benchmark::State& state) {
  constexpr uint64_t kFlushes = 16;
  const SystemCpu cpu(0, 2);
  BenchThread thread(state.thread_index());
  const std::shared_ptr<VmSpace> space = Must(VmSpace::Create(thread.machine(), thread.pin()));
  const PollingCpu other(thread, *space);
  MeasureChunks(state, kFlushes, [&](ChunkTimer& timer) {
    timer.TimeEach(kFlushes, [&](uint64_t i) {
      TlbFlusher flusher(thread.machine().tlb(), space->tlb_context(), thread.pin());
      flusher.Issue(thread.Page(i));
      flusher.Sync();
    });
    thread.Reclaim();
  });
}

}  // namespace

void AddWaitingCases(Suite& suite) {
  suite.Group("hold");
  suite.Add("hold_10us", HoldCursor, {1, kCrowd}).AtMostOneThread(1.2, kCrowd);
  suite.AddReference("pause_10us", PauseOnly, {1, kCrowd}).AtMostOneThread(std::nullopt, kCrowd);
  suite.Group("shootdown");
  suite.AddReference(kLineTransferCase, MeasureLineTransfer);
  suite.Add("shootdown", Shootdown).Against(kLineTransferCase, Measure::kCost, 4);
}

}  // namespace paddock::bench
