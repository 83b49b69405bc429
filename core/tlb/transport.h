// SPDX-License-Identifier: Apache-2.0
//
// How a flush reaches the other CPUs. The machine has one that puts a request into a mailbox
// (`MailboxTransport`); a user who runs guests brings one that kicks a vCPU, or drops what the
// hypervisor caches of the frames.
//
//   class DropFrames : public ShootdownTransport {
//     TransportScope scope() const override { return TransportScope::kEveryBatch; }
//     void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) override {
//       batch.ForEachFrameRun([&](FrameRun run) { madvise(HostAddress(run.start), ...); });
//       targets.ForEach([&](CpuId) { batch.Acknowledge(from); });
//     }
//   };
//
// The contract of Deliver:
// - It never waits for a target: two CPUs may be delivering to each other.
// - Every target is acknowledged exactly once, by any thread that is pinned to a CPU of the
//   machine, during the call or later, once that CPU cannot use any translation the batch names.
//   On the target's own thread `batch.Handle(pin)` does both: flush its SoftTlb and acknowledge.
// - It may act on `ranges()` (or everything of `tag()` if `full()`), or, with kEveryBatch, on the
//   frame runs: what the ranges translated to, and tables that were cut out. They stay in use until
//   all targets have acknowledged and a grace period has passed.
// - The batch must not be touched after its last acknowledgement; until Deliver returns, the caller
//   of Deliver holds one of its own.
// - A batch is full once it has more ranges than `full_flush_threshold`, touching ones merged,
//   however many pages they have: a transport that flushes page by page decides itself when a full
//   flush is cheaper.
//
// Destroying a space or a table releases its frames at once and delivers nothing: no CPU runs it any
// more, and its tag is never used again. Who caches translations by frame (kEveryBatch) unmaps
// everything first.
//
// Thread safety: Deliver is called from any CPU, concurrently. Failure: none is allowed; a target
// that cannot be reached has to be made to forget by other means.

#ifndef PADDOCK_CORE_TLB_TRANSPORT_H_
#define PADDOCK_CORE_TLB_TRANSPORT_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_set.h"

namespace paddock {

class ShootdownBatch;

enum class TransportScope : uint8_t {
  // Delivered are batches that other CPUs must act on; the targets are those CPUs. What only the
  // calling CPU may hold is flushed in its SoftTlb and never seen by the transport.
  kOtherCpus,
  // Delivered is every batch that flushes anything, with all CPUs on which the space is active, the
  // calling one included, as targets; the set may be empty. For caches that are not per CPU.
  kEveryBatch,
};

class ShootdownTransport {
 public:
  virtual ~ShootdownTransport() = default;

  virtual TransportScope scope() const { return TransportScope::kOtherCpus; }
  virtual void Deliver(const CpuSet& targets, ShootdownBatch& batch, const CpuPin& from) = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_TRANSPORT_H_
