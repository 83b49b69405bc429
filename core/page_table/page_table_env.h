// SPDX-License-Identifier: Apache-2.0
//
// What all page tables of one machine share: the services they are built on, the queues of waiting
// claims, and a small state per CPU. Owned by the machine, outlives every table.

#ifndef PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_ENV_H_
#define PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_ENV_H_

#include <cstdint>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/claim_queue.h"
#include "paddock/core/page_table/open_cursors.h"
#include "paddock/core/tlb/tlb_system.h"

namespace paddock {

struct LockStats {
  uint64_t acquired = 0;       // cursors opened
  uint64_t contended = 0;      // claims that found a granule taken
  uint64_t stray_retries = 0;  // descents that met a node cut out under them
};

class PageTableEnv final : private CpuObserver {
 public:
  // Everything passed must outlive the environment. No CPU is pinned yet, nor when it is destroyed.
  PageTableEnv(CpuRegistry& cpus, RcuDomain& rcu, IpiBus& bus, FrameTable& frames, TlbSystem& tlb);
  ~PageTableEnv();
  PageTableEnv(const PageTableEnv&) = delete;
  PageTableEnv& operator=(const PageTableEnv&) = delete;

  const CpuRegistry& cpus() const { return cpus_; }
  RcuDomain& rcu() { return rcu_; }
  IpiBus& bus() { return bus_; }
  FrameTable& frames() { return frames_; }
  TlbSystem& tlb() { return tlb_; }
  ClaimQueues& claim_queues() { return claim_queues_; }

  OpenCursors& open_cursors(const CpuPin& pin) { return per_cpu_.Get(pin).open; }

  // An identity that no other node of this machine ever had or will have. Above 0.
  uint64_t NextNodeIdentity(const CpuPin& pin) {
    return (uint64_t{pin.cpu().value} + 1) << 48 | ++per_cpu_.Get(pin).nodes;
  }
  // Ascending in order of creation, above 0.
  // order: relaxed; only uniqueness and the order of the numbers themselves matter.
  uint64_t NextTableIdentity() { return next_table_.fetch_add(1, sync::relaxed); }

  // Waits, within limits, while what this CPU or others changed before is not flushed or not
  // reclaimed: the place to do so is before a cursor claims anything. See RcuDomain::Throttle and
  // TlbSystem::Throttle.
  void Throttle(const CpuPin& pin, uint64_t deadline_ns) {
    tlb_.Throttle(pin, deadline_ns);
    rcu_.Throttle(pin, [&] { bus_.Poll(pin); }, deadline_ns);
  }

  // What to return to who would wait inside a read-side section.
  static absl::Status InSectionError(const CpuPin& pin);

  void CountAcquired(const CpuPin& pin) { acquired_.Add(pin, 1); }
  void CountContended(const CpuPin& pin) { contended_.Add(pin, 1); }
  void CountStrayRetry(const CpuPin& pin) { stray_retries_.Add(pin, 1); }
  // From any thread; exact when no cursor is being opened.
  LockStats lock_stats() const;

 private:
  // invariant: touched by the thread on that CPU only.
  struct PerCpu {
    OpenCursors open;
    uint64_t nodes = 0;
  };

  void OnWake(const CpuPin&) override {}
  // A cursor borrows its pin: none may be open when the last pin goes.
  void OnIdle(const CpuPin& pin) override;

  CpuRegistry& cpus_;
  RcuDomain& rcu_;
  IpiBus& bus_;
  FrameTable& frames_;
  TlbSystem& tlb_;
  ClaimQueues claim_queues_;
  CpuLocal<PerCpu> per_cpu_;
  CpuCounter acquired_;
  CpuCounter contended_;
  CpuCounter stray_retries_;
  sync::Atomic<uint64_t> next_table_{1};
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_ENV_H_
