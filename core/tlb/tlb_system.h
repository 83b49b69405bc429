// SPDX-License-Identifier: Apache-2.0
//
// Keeps the TLBs of one machine coherent with its tables: knows what every CPU may hold, sends
// flushes to those who need them, lets the others catch up by themselves, and passes frames on to
// RCU when nobody can reach them through a TLB. The numbered races in the sources tell why the
// protocol is what it is.
//
//   TlbSystem tlb(cpus, rcu, bus, frames, TlbSystem::Options{});
//   TlbContext context(tlb);
//   tlb.Activate(pin, context);                  // this CPU runs the space
//   tlb.soft_tlb(pin).Lookup(context.tag(), va);
//   tlb.Deactivate(pin);
//
// Who has to be told of a flush, and how:
//
//   the CPU                              with tags                    without
//   runs the space                       a request                    a request
//   runs it, but is idle                 looks when it wakes          looks when it wakes
//   ran it, may hold entries             looks when it runs it again  holds none any more
//   never ran it                         nothing                      nothing
//
// "Looks" compares the space's generation with the one that the CPU saw last, and flushes the
// space's tag if they differ. Without tags, a global mapping in a space (TlbScope::kSpace) survives
// a switch and is not flushed afterwards: global mappings belong to the context of the whole
// machine.
//
// Thread safety: functions that take a pin concern the pinned CPU and run on its thread; stats()
// from any thread. Failure: options that break a rule are a broken invariant (CheckOptions looks
// first). Cost: Activate of the active context is a comparison; otherwise two atomic operations on
// the set of each space, and a scan of tags_per_cpu slots.

#ifndef PADDOCK_CORE_TLB_TLB_SYSTEM_H_
#define PADDOCK_CORE_TLB_TLB_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/ipi_bus.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/tlb/cpu_pool.h"
#include "paddock/core/tlb/frame_run_list.h"
#include "paddock/core/tlb/mailbox_transport.h"
#include "paddock/core/tlb/shootdown_batch.h"
#include "paddock/core/tlb/soft_tlb.h"
#include "paddock/core/tlb/tag_table.h"
#include "paddock/core/tlb/tlb_context.h"
#include "paddock/core/tlb/transport.h"

namespace paddock {

enum class TagMode : uint8_t {
  kTagged,    // entries of several spaces side by side
  kUntagged,  // a switch of spaces flushes all that is not global
};

struct TlbStats {
  uint64_t issued = 0;            // flush operations; one for neighbours that change together
  uint64_t batches = 0;           // dispatches that flushed something
  uint64_t interrupts = 0;        // CPUs kicked
  uint64_t interrupts_saved = 0;  // requests to CPUs that had been kicked already, or were idle
  uint64_t full_flushes = 0;      // batches over the threshold, or issued so
  uint64_t lazy_skips = 0;        // CPUs that may hold entries but were idle or ran something else
  uint64_t lazy_catchups = 0;     // flushes of such CPUs when they woke or ran the space again
};

class TlbSystem final : public CpuObserver {
 public:
  struct Options {
    // Ranges, touching ones merged, that a batch keeps apart before it flushes the whole space; 0
    // to ShootdownBatch::kMaxRanges. Not pages: a range costs a SoftTlb no more than a look at every
    // entry, however long it is. See transport.h for those that flush page by page.
    uint32_t full_flush_threshold = 32;
    // Of each CPU's SoftTlb, for each page size. `tlb_sets` is a power of two; together at most
    // SoftTlb::kMaxEntries.
    uint32_t tlb_sets = 64;
    uint32_t tlb_ways = 4;
    TagMode tag_mode = TagMode::kTagged;
    // Spaces of which one CPU can hold entries; one more evicts the one used longest ago. 1 to
    // TagTable::kMaxSlots.
    uint32_t tags_per_cpu = 8;
    // Pages kept by batches of one CPU that others have not acknowledged, a batch counting for one
    // at least: see Throttle.
    uint64_t in_flight_limit = 4096;
  };

  // INVALID_ARGUMENT naming the option and the rule.
  static absl::Status CheckOptions(const Options& options);

  // Everything passed must outlive the system. No CPU is pinned yet. `transport` null: the
  // mailboxes of `bus`. `bus` must have been made an observer of the CPUs before, so that a waking
  // CPU can be sent requests before it looks at generations.
  TlbSystem(CpuRegistry& cpus, RcuDomain& rcu, IpiBus& bus, FrameTable& frames,
            const Options& options, ShootdownTransport* transport = nullptr);
  // Every CPU is idle, every context gone. Drains RCU if batches are still in it.
  ~TlbSystem();
  TlbSystem(const TlbSystem&) = delete;
  TlbSystem& operator=(const TlbSystem&) = delete;

  const Options& options() const { return options_; }
  const CpuRegistry& cpus() const { return cpus_; }
  TransportScope transport_scope() const { return transport_scope_; }

  SoftTlb& soft_tlb(const CpuPin& pin) { return *per_cpu_.Get(pin).tlb; }

  // Runs the space on this CPU instead of the one before. After this, and until it changes again,
  // the CPU may look up and insert entries of the space, and is told of every flush.
  void Activate(const CpuPin& pin, TlbContext& context);
  // Runs no space.
  void Deactivate(const CpuPin& pin);
  // The space that runs here; null if none.
  TlbContext* current(const CpuPin& pin) { return per_cpu_.Get(pin).current; }

  // Dispatching waits for nobody, so a CPU that comes to interrupt points more slowly than others
  // change what it uses would be owed ever more. Whoever changes spaces calls this before, while it
  // holds nothing that others wait for: if batches of this CPU that are not acknowledged keep more
  // than `in_flight_limit`, waits until they are, serving this CPU's mailbox, at most RcuOptions::stall_ns
  // and until `deadline_ns`.
  void Throttle(const CpuPin& pin, uint64_t deadline_ns) {
    const PerCpu& cpu = per_cpu_.Get(pin);
    if (InFlight(cpu) > options_.in_flight_limit) [[unlikely]]
      ThrottleSlow(pin, cpu, deadline_ns);
  }
  // What batches of this CPU keep that are not acknowledged by all, but for one that a Sync spins
  // for.
  uint64_t in_flight(const CpuPin& pin) const { return InFlight(per_cpu_.Get(pin)); }

  // Exact when nothing is in flight. `interrupts` and `interrupts_saved` count the built-in
  // transport.
  TlbStats stats() const;

  // Batches, chunks and retired runs that were ever allocated: flat once the machine is warm.
  uint64_t allocations() const;

  void OnWake(const CpuPin& pin) override;
  void OnIdle(const CpuPin& pin) override;

 private:
  friend class ShootdownBatch;
  friend class TlbContext;
  friend class TlbFlusher;

  struct PerCpu {
    // invariant: touched by the thread on that CPU only.
    std::unique_ptr<SoftTlb> tlb;
    std::unique_ptr<TagTable> tags;
    TagTable::Slot machine;  // for the context of the whole machine
    TlbContext* current = nullptr;
    // Counted up by the thread on the CPU, down by whoever acknowledges last.
    alignas(64) sync::Atomic<uint64_t> in_flight{0};
  };

  // Frames on their way through RCU that need no batch. On a line of its own.
  struct alignas(64) RetiredRun : RcuHead {
    explicit RetiredRun(TlbSystem& tlb) : system(tlb) {}

    TlbSystem& system;
    FrameRun run;
    RetiredRun* pool_next = nullptr;
  };

  // TlbContext.
  uint64_t NextTag();
  void RegisterMachineContext(TlbContext& context);
  void UnregisterMachineContext(TlbContext& context);

  // Whether who dispatches a batch goes on, or waits for the acknowledgements next and so may be
  // kept for as long as IpiBus::SpinUntil.
  enum class Answers : uint8_t { kLater, kAwaited };

  // TlbFlusher. A dispatched batch is not the caller's any more; a ticket if there is something to
  // wait for.
  ShootdownBatch& TakeBatch(const CpuPin& pin, const TlbContext& context);
  // Does for a flush of one range all that there is to do, if nobody else has to know of it.
  bool FlushAlone(const CpuPin& pin, const TlbContext& context, VirtRange range, uint32_t issued);
  // Releases a run of frames that no TLB has any more after a grace period.
  void RetireRun(const CpuPin& pin, FrameRun run, uint64_t held_pages);
  std::optional<ShootdownTicket> Dispatch(const CpuPin& pin, TlbContext& context,
                                          ShootdownBatch& batch, Answers answers);
  std::optional<ShootdownTicket> Shootdown(const CpuPin& pin, TlbContext& context,
                                           ShootdownBatch& batch, Answers answers);
  void Wait(const CpuPin& pin, ShootdownTicket ticket);
  static uint64_t InFlight(const PerCpu& cpu) {
    // order: relaxed: a hint; who has to know asks the batch.
    return cpu.in_flight.load(sync::relaxed);
  }
  void ThrottleSlow(const CpuPin& pin, const PerCpu& cpu, uint64_t deadline_ns);

  // ShootdownBatch.
  void Flush(const CpuPin& pin, const ShootdownBatch& batch);
  void FinishFlush(const CpuPin& pin, ShootdownBatch& batch);
  void GiveUp(const CpuPin& pin, ShootdownBatch& batch);
  static void Reclaim(RcuHead* head, const CpuPin& pin);
  static void ReclaimRun(RcuHead* head, const CpuPin& pin);
  void Release(FrameRun run);
  void Recycle(const CpuPin& pin, ShootdownBatch& batch);

  // Whether a flush concerns nobody but this CPU.
  bool IsAlone(const CpuPin& pin, const TlbContext& context) const {
    // A CPU that joins holders after this look is race 1 in tlb_system.cc.
    return transport_scope_ == TransportScope::kOtherCpus &&
           context.holders_.EmptyExcept(pin.cpu());
  }

  // Brings what this CPU holds of the space up to its generation.
  void CatchUp(const CpuPin& pin, PerCpu& cpu, const TlbContext& context);
  void CatchUpMachine(const CpuPin& pin, PerCpu& cpu, const TlbContext& context);
  // Stops running the space; another one may be current already.
  void Leave(const CpuPin& pin, TlbContext& context);

  CpuRegistry& cpus_;
  RcuDomain& rcu_;
  IpiBus& bus_;
  FrameTable& frames_;
  const Options options_;

  CpuCounter issued_;
  CpuCounter batches_;
  CpuCounter full_flushes_;
  CpuCounter lazy_skips_;
  CpuCounter lazy_catchups_;

  MailboxTransport mailboxes_;
  ShootdownTransport& transport_;
  const TransportScope transport_scope_;

  CpuLocal<PerCpu> per_cpu_;
  CpuPool<FrameRunChunk> chunks_;
  CpuPool<ShootdownBatch> pool_;
  CpuPool<RetiredRun> retired_runs_;
  sync::Atomic<uint64_t> next_tag_{1};
  sync::Atomic<TlbContext*> machine_context_{nullptr};
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_TLB_SYSTEM_H_
