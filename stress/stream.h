// SPDX-License-Identifier: Apache-2.0
//
// One stream at work in a world: its CPU, its log, its statistics, and the checked actions that all
// executors are built from.
//
//   StreamState state(0);                     // lives for the whole run
//   Stream stream(world, state, seed);        // as long as the world
//   stream.Begin(seat);                       // a slice, on whatever thread
//   stream.Access(space, va, AccessKind::kLoad);
//   stream.Poll();
//   stream.End();
//
// Thread safety: one thread at a time, that of the seat between Begin and End. Failure: what must
// not happen is reported to the oracles; what the environment does not allow goes to World::Fail.

#ifndef PADDOCK_STRESS_STREAM_H_
#define PADDOCK_STRESS_STREAM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/cpu_seat.h"
#include "paddock/stress/heartbeat.h"
#include "paddock/stress/inject/injector.h"
#include "paddock/stress/op_stats.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/oracle/transaction_log.h"
#include "paddock/stress/world.h"

namespace paddock {

struct StreamState {
  explicit StreamState(uint32_t number) : index(number), log(number) {}

  const uint32_t index;
  TransactionLog log;
  OpStats stats;
  Heartbeat heartbeat;
};

class Stream {
 public:
  Stream(World& world, StreamState& state, uint64_t inject_seed);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Work begins and ends; in between the stream owns the seat's CPU.
  void Begin(CpuSeat& seat);
  void End();

  World& world() { return world_; }
  Machine& machine() { return world_.machine(); }
  const CpuPin& pin() const { return seat_->pin(); }
  uint32_t index() const { return state_.index; }
  TransactionLog& log() { return state_.log; }
  OpStats& stats() { return state_.stats; }
  Injector& injector() { return injector_; }
  // Cursors that this stream opened in this world.
  uint64_t opened() const { return opened_; }
  void CountOpened() { ++opened_; }

  // Names what begins now, for the watchdog.
  template <typename O>
  void Starts(uint32_t space, VirtRange range) {
    state_.heartbeat.Begin(OpStats::IndexOf<O>(), space, range, pin().cpu().value);
  }
  // The operation that began with the last lap has ended: counts its time. Returns now.
  template <typename O>
  uint64_t Lap() {
    const uint64_t now = sync::NowNs();
    state_.stats.Add(OpStats::IndexOf<O>(), now - lap_ns_);
    lap_ns_ = now;
    return now;
  }
  void StartLap() { lap_ns_ = sync::NowNs(); }

  // The space in `slot`, if there is one; kept alive until the slot changes or the slice ends.
  const SpaceRef& Space(uint32_t slot);

  // An interrupt point.
  void Poll();
  // The same for a stream whose work is with others at the moment; no sign of a hang.
  void AwaitWork();
  // The CPU goes idle and comes back.
  void Idle(uint32_t yields);
  // The CPU is idle while its thread does `work`.
  void Away(absl::FunctionRef<void()> work);
  void Grace();

  // Makes the space run on this CPU.
  void Activate(const SpaceRef& ref);
  void Deactivate();
  void Access(const SpaceRef& ref, VirtAddr va, AccessKind kind);
  // Walks without locks: with the table's own code and with the independent MMU.
  void Walk(const SpaceRef& ref, VirtAddr va);

  // Fresh frames, `pages` 1 or 512. Outside of cursors: waits for reclamation if there are none at
  // first. None: it did not help; for single frames that means World::Fail unless failures are
  // injected.
  std::optional<USegment> Allocate(uint64_t pages);
  // An operation found no memory: counts it, or reports it if there has always been some.
  void NoteExhausted(std::string_view what, VirtRange range, const absl::Status& status);
  // Outside of cursors, after that and before the next operation: has memory reclaimed.
  void Relieve();
  // The same; unless failures are injected, until a frame can be allocated, or World::Fail.
  void AwaitMemory();

  // An error that is not documented for what was done.
  void ReportError(std::string_view what, VirtRange range, const absl::Status& status);

 private:
  struct CachedSpace {
    uint64_t version = 0;
    SpaceRef ref;
  };

  void ReportAccess(const SpaceRef& ref, VirtAddr va, const AccessResult& result,
                    std::string_view what);

  World& world_;
  StreamState& state_;
  Injector injector_;
  CpuSeat* seat_ = nullptr;
  std::vector<CachedSpace> cache_;
  uint64_t lap_ns_ = 0;
  uint64_t opened_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_STREAM_H_
