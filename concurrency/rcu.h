// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_RCU_H_
#define PADDOCK_CONCURRENCY_RCU_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu_lists.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/concurrency/sync.h"

// Read-copy-update: readers that take no lock, and memory that is freed only after them.
//
//   { RcuReadGuard guard(rcu, pin); Use(root.load(sync::acquire)); }       // reader
//   node = root.exchange(next, sync::seq_cst); rcu.Retire(pin, &node->rcu_head);   // writer
//   rcu.Poll(pin);                                                         // any CPU, now and then
//
// The problem. A walker follows pointers without locks while a writer cuts a node out. The node
// may be freed only when no walker can still be on it. Counting references in nodes would make
// every walk write to shared lines; hazard pointers announce (and order) every single node.
//
// The design: epochs. The domain has an epoch E. A CPU that enters a section announces an epoch in
// a line of its own; leaving clears the announcement. E goes from e to e + 1 only if every CPU in a
// section has announced e. Retired objects collect in a batch of the CPU; a full batch is sealed
// with the value s of E and is due when E reaches s + 2.
//
// Why that is enough. Sealing is a read-modify-write of E that comes after the unlinking stores.
// A reader announces first (seq_cst) and then reads E (seq_cst).
//   - It reads at least s + 1: the advance to s + 1 read what the seal wrote, so the unlinking
//     happens before the section, which cannot find the objects.
//   - It reads s or less: the advance to s + 2 read E as s + 1, so in the order of the seq_cst
//     operations its scan comes after the announcement. It sees it (at most s, so no advance) or
//     the store that cleared it, whose release makes the section happen before the reclaiming.
// No fences; the epoch of the announcement may be old, which only delays.
//
// Bounds. Batches of one epoch merge, so a CPU has an open batch and two sealed lists, whatever
// happens, and Retire never allocates. A CPU whose sealed lists would weigh more than its limit
// gives them to the orphans, and so does one that goes idle: a list that any Poll serves. Memory
// held back is bounded by Throttle, which those call who cause retiring, before they cause more. It
// looks at this CPU's backlog and at the orphans: what one CPU unlinks another may retire (a TLB
// shootdown ends on the CPU that acknowledges last, which may do nothing else), and what that one
// keeps to itself is no more than its limit. Objects count by their weight, so that few large ones
// are held back like many small ones. With N CPUs no more than (N + 1) * backlog_limit is sealed
// and N * batch_size() unsealed, plus what is retired or reclaimed between two calls; once a
// stalled reader has outlasted the patience of Throttle, that much more for each further
// `stall_ns`. Who retires while it holds what others wait for calls Relieve instead, which keeps to
// the limit as long as no section is open. Idle CPUs are in no section and hold nothing up.
//
// Stalls. An advance that finds a CPU in its way notes when it first saw it there; after
// `stall_ns` it reports the CPU, once, and counts it. Readers pay nothing for this.
//
// Cost (one x86 core): enter 5-8 ns (one locked exchange), leave and nested enter < 1 ns, Retire
// 2 ns plus one read-modify-write of a shared line for each batch, Poll with nothing due < 1 ns.
//
//                     | this            | hazard pointers | read-write lock   | counted references
//   reader's writes   | own line, once  | own line, each  | shared line       | shared line, each
//                     | per section     | node            |                   | node
//   reader waits      | never           | retries         | for writers       | never
//   a stalled reader  | holds back      | holds back      | stops writers     | holds back one node
//   holds back        | everything newer| what it points  |                   |
//                     |                 | to              |                   |
//   writer waits      | if over limit   | never           | for readers       | never
namespace paddock {

// A CPU that has kept the epoch from advancing for `open_ns` nanoseconds, at least.
struct RcuStall {
  CpuId cpu;
  uint64_t open_ns = 0;
};

struct RcuStats {
  uint64_t grace_periods = 0;  // waited out by sealed lists and by Synchronize
  uint64_t longest_ns = 0;     // the longest of them, until noticed; anew for what is handed over
  uint64_t retired = 0;        // weight, like the next two
  uint64_t reclaimed = 0;
  uint64_t peak_backlog = 0;  // the most that one CPU, or the orphans, held back at a time
  uint64_t stalls = 0;
};

struct RcuOptions {
  // The weight at which a batch is sealed; above 0. Unless told: kWeightPerCpu for each CPU, as
  // many have to look at it before it is reclaimed; at least kLeastBatch, and beyond that at most a
  // quarter of `backlog_limit`.
  std::optional<uint32_t> batch_size = std::nullopt;
  uint64_t backlog_limit = 4096;      // weight, per CPU: see Bounds
  uint64_t stall_ns = 1'000'000'000;  // above 0
  // Called once for each stall, on the thread that noticed; from a call that may wait, Poll, or a
  // Retire. It must not call into the domain.
  std::function<void(const RcuStall&)> on_stall = nullptr;
  uint32_t max_nesting = 1u << 30;  // sections of one CPU inside each other; above 0
};

// Thread-safe, but for the constructor and the destructor. Callbacks run inside Poll, Throttle,
// Relieve, Synchronize and Drain only, outside of every section of that CPU and never inside each
// other, after every section that was open when the object was retired. They may Retire, open
// sections, and pin the CPU again.
class RcuDomain final : private CpuObserver {
 public:
  using Options = RcuOptions;

  // INVALID_ARGUMENT naming the option and the rule.
  static absl::Status CheckOptions(const Options& options);

  // Before any CPU of the registry is pinned. The registry outlives the domain. Options that break
  // a rule are a broken invariant.
  explicit RcuDomain(CpuRegistry& cpus, Options options = {});
  // Reclaims everything. No section may be open and no CPU pinned (checked).
  ~RcuDomain();
  RcuDomain(const RcuDomain&) = delete;
  RcuDomain& operator=(const RcuDomain&) = delete;

  // Hands the object over; `head->reclaim` is set, and nobody can find the object any more by a
  // walk that starts after this. Waits for no reader, runs no callback, allocates nothing; over the
  // limit it takes a spin lock that is held for a list operation. Legal everywhere: in sections,
  // under locks and cursors, in callbacks.
  void Retire(const CpuPin& pin, RcuHead* head) {
    PADDOCK_DCHECK(head->reclaim != nullptr && head->weight != 0,
                   "an object without a callback or a weight is retired");
    PerCpu& cpu = cpus_.Get(pin);
    cpu.open.Push(head);
    // order: relaxed: only this CPU writes its counters; others read them as statistics.
    cpu.retired.store(cpu.retired.load(sync::relaxed) + head->weight, sync::relaxed);
    if (cpu.open.weight() >= cpu.seal_at) [[unlikely]]
      RetireSlow(cpu);
  }

  // Advances the epoch by at most one if something waits for it, and runs what is due of this CPU
  // and of the orphans. A batch that is not full is sealed by the kPollsBeforeSeal-th Poll in a row
  // that finds nothing sealed and nothing new. Does nothing inside a section or a callback.
  void Poll(const CpuPin& pin) {
    PerCpu& cpu = cpus_.Get(pin);
    // order: relaxed: a hint; the orphans themselves are read under their lock.
    if (cpu.Backlog() == 0 && orphan_weight_.load(sync::relaxed) == 0) [[likely]]
      return;
    PollSlow(pin, cpu);
  }

  // If more than `backlog_limit` waits on this CPU, or as much among the orphans: polls until it
  // does not, at most `stall_ns`, and then reports the CPU whose section is in the way. Ends early
  // at `deadline_ns` on the clock of sync::NowNs(). `serve()` runs between the attempts: let it
  // poll the CPU's mailbox. Does nothing inside a section or a callback.
  template <class Serve>
  void Throttle(const CpuPin& pin, Serve serve, uint64_t deadline_ns = sync::kNoDeadline) {
    PerCpu& cpu = cpus_.Get(pin);
    if (!IsOverLimit(cpu) || !MayReclaim(cpu)) [[likely]]
      return;
    sync::Backoff backoff;
    const uint64_t start_ns = sync::NowNs();
    for (;;) {
      PollHard(pin, cpu);
      if (!IsOverLimit(cpu)) return;
      const uint64_t now_ns = sync::NowNs();
      if (now_ns - start_ns >= options_.stall_ns) return ReportBlocker(cpu);
      if (now_ns >= deadline_ns) return;
      serve();
      backoff.Pause();
    }
  }
  void Throttle(const CpuPin& pin) {
    Throttle(pin, [] {});
  }

  // One attempt of what Throttle does, without waiting.
  void Relieve(const CpuPin& pin) {
    PerCpu& cpu = cpus_.Get(pin);
    if (IsOverLimit(cpu)) [[unlikely]]
      PollHard(pin, cpu);
  }

  // Waits until every section that is open now, on any CPU, has closed; then polls. `serve()` runs
  // between the attempts, outside of every lock: let it poll the CPU's mailbox, since a reader may
  // be waiting for this CPU. Waits for ever if a section stays open, but reports it.
  // FAILED_PRECONDITION inside a section of this CPU, which would wait for itself.
  // INVALID_ARGUMENT: the pin of another registry.
  template <class Serve>
  absl::Status Synchronize(const CpuPin& pin, Serve serve) {
    if (!registry_.Owns(pin)) [[unlikely]]
      return CpuRegistry::ForeignPinError(pin);
    PerCpu& cpu = cpus_.Get(pin);
    if (cpu.nesting != 0) return InSectionError(pin);
    const uint64_t start_ns = sync::NowNs();
    const uint64_t target = SealEpoch() + 2;
    sync::Backoff backoff;
    while (TryAdvance(cpu) < target) {
      serve();
      backoff.Pause();
    }
    NoteGracePeriod(cpu, sync::NowNs() - start_ns);
    Poll(pin);
    return absl::OkStatus();
  }

  // Reclaims everything of this CPU and of the orphans, also what the callbacks retire. CPUs that
  // are pinned must leave their sections without waiting for this one, which serves nobody, and
  // keep their own backlog. Not in a section or callback (checked).
  void Drain(const CpuPin& pin);

  bool InSection(const CpuPin& pin) const { return cpus_.Get(pin).nesting != 0; }

  // How long one reader may hold up everybody before it is reported.
  uint64_t stall_ns() const { return options_.stall_ns; }

  // Exact while no CPU is pinned.
  RcuStats stats() const;

  static constexpr uint32_t kPollsBeforeSeal = 32;
  static constexpr uint32_t kLeastBatch = 64;
  static constexpr uint32_t kWeightPerCpu = 16;
  // The weight at which batches are sealed: the one that was told, or what was chosen.
  uint32_t batch_size() const { return batch_size_; }

 private:
  friend class RcuReadGuard;

  static constexpr uint64_t kQuiescent = 0;
  static constexpr uint64_t kFirstEpoch = 2;
  static constexpr uint32_t kNobody = ~0u;

  struct PerCpu {
    // What the sections write, and others look at: apart from the rest, since lines are fetched in
    // pairs. The epoch announced by the outermost one, or kQuiescent.
    sync::Atomic<uint64_t> announced{kQuiescent};
    uint32_t nesting = 0;

    // What Retire writes; `retired` and `settled` are read by others as statistics.
    alignas(kCpuStride) internal::RcuList open;
    uint32_t seal_at = 0;        // weight of `open`; 0 while the CPU is idle: nothing stays behind
    uint32_t lone_polls = 0;     // that found nothing sealed, and `open` as the last one left it
    uint64_t polled_weight = 0;  // of `open` at the last Poll
    sync::Atomic<uint64_t> retired{};
    sync::Atomic<uint64_t> settled{};  // retired here, and since reclaimed or given to the orphans
    bool reclaiming = false;           // a callback runs
    uint32_t blocker = kNobody;        // the CPU that stopped this one's last attempt to advance

    alignas(64) internal::RcuSealedLists sealed;
    sync::Atomic<uint64_t> reclaimed{};  // by callbacks that ran here
    sync::Atomic<uint64_t> peak{};
    sync::Atomic<uint64_t> synchronized{};  // Synchronize calls, and the longest one
    sync::Atomic<uint64_t> longest_ns{};

    uint64_t Backlog() const {
      // order: relaxed: written by this CPU only.
      return retired.load(sync::relaxed) - settled.load(sync::relaxed);
    }
  };

  // What is known about a CPU that holds up the epoch.
  struct Obstruction {
    uint64_t announced = kQuiescent;
    uint64_t since_ns = 0;
    bool reported = false;
  };

  void OnWake(const CpuPin& pin) override;
  void OnIdle(const CpuPin& pin) override;

  PerCpu& PerCpuOf(const CpuPin& pin) {
    PADDOCK_CHECK(registry_.Owns(pin), "a section is opened with the pin of another machine");
    return cpus_.Get(pin);
  }

  void Enter(PerCpu& cpu) {
    // race: what would go wrong if the second load came first, or were missing:
    //   1. reader: reads E = 5            2. writer: unlinks a node, seals it with 5
    //   3. others: advance E to 7, seeing no announcement, and free the node
    //   4. reader: announces 5, and walks with loads that were done early, onto the node.
    // order: relaxed: an old epoch only makes the announcement hold back more.
    cpu.announced.store(epoch_.load(sync::relaxed), sync::seq_cst);
    (void)epoch_.load(sync::seq_cst);
  }
  void Leave(PerCpu& cpu) {
    // order: release pairs with the scan in TryAdvance: the section happens before the advance.
    cpu.announced.store(kQuiescent, sync::release);
  }

  bool MayReclaim(const PerCpu& cpu) const { return cpu.nesting == 0 && !cpu.reclaiming; }
  bool IsOverLimit(const PerCpu& cpu) const {
    // order: relaxed: a hint, see Poll.
    return cpu.Backlog() > options_.backlog_limit ||
           orphan_weight_.load(sync::relaxed) > options_.backlog_limit;
  }

  uint64_t SealEpoch() {
    // A read-modify-write, although it changes nothing: later advances read from it, whatever order
    // the unlinking stores had, and no store can be delayed past it.
    return epoch_.fetch_add(0, sync::seq_cst);
  }

  void RetireSlow(PerCpu& cpu);
  void Seal(PerCpu& cpu);
  void HandOver(PerCpu& cpu);
  void PollSlow(const CpuPin& pin, PerCpu& cpu);
  void SealIfLeftAlone(PerCpu& cpu);
  void PollHard(const CpuPin& pin, PerCpu& cpu);
  internal::RcuList TakeDueOrphans(uint64_t epoch);
  void AnnounceOrphans() ABSL_EXCLUSIVE_LOCKS_REQUIRED(orphan_lock_);
  void Reclaim(const CpuPin& pin, PerCpu& cpu, internal::RcuList list);
  uint64_t TryAdvance(PerCpu& cpu);
  bool IsInTheWay(CpuId cpu, uint64_t epoch);
  void NoteObstruction(CpuId cpu, uint64_t announced, uint64_t patience_ns);
  void ReportBlocker(const PerCpu& cpu);
  static void NotePeak(PerCpu& cpu);
  static void NoteGracePeriod(PerCpu& cpu, uint64_t ns);
  static absl::Status InSectionError(const CpuPin& pin);

  CpuRegistry& registry_;
  const Options options_;
  const uint32_t batch_size_;
  CpuLocal<PerCpu> cpus_;

  // E. Read by every section, written for each batch and each advance.
  alignas(kCpuStride) sync::Atomic<uint64_t> epoch_{kFirstEpoch};
  // The weight of `orphans_`, the epoch at which the first of those that are not due will be, and
  // whether there are others. Written under the lock.
  sync::Atomic<uint64_t> orphan_weight_{};
  sync::Atomic<uint64_t> orphan_due_epoch_{};
  sync::Atomic<bool> orphans_are_due_{};

  alignas(kCpuStride) mutable SpinLock orphan_lock_;
  internal::RcuSealedLists orphans_ ABSL_GUARDED_BY(orphan_lock_);
  uint64_t orphan_peak_ ABSL_GUARDED_BY(orphan_lock_) = 0;

  SpinLock stall_lock_;
  CpuLocal<Obstruction> obstructions_ ABSL_GUARDED_BY(stall_lock_);
  sync::Atomic<uint64_t> stalls_{};
};

// A read-side section of the pinned CPU, for the guard's scope. Sections nest and are counted;
// Options::max_nesting is checked, and so is the pin's registry. Short: it holds back all
// reclamation; and nothing in it waits for a grace period. The pin outlives the guard (dropping the
// last pin inside a section aborts).
class [[nodiscard]] RcuReadGuard {
 public:
  RcuReadGuard(RcuDomain& domain ABSL_ATTRIBUTE_LIFETIME_BOUND,
               const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND)
      : domain_(domain), cpu_(domain.PerCpuOf(pin)) {
    if (cpu_.nesting == 0) {
      domain_.Enter(cpu_);
    } else {
      PADDOCK_CHECK(cpu_.nesting < domain_.options_.max_nesting,
                    "more read-side sections nested than max_nesting allows");
    }
    ++cpu_.nesting;
  }
  ~RcuReadGuard() {
    if (--cpu_.nesting == 0) domain_.Leave(cpu_);
  }
  RcuReadGuard(const RcuReadGuard&) = delete;
  RcuReadGuard& operator=(const RcuReadGuard&) = delete;

  const RcuDomain& domain() const { return domain_; }

 private:
  RcuDomain& domain_;
  RcuDomain::PerCpu& cpu_;
};

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_RCU_H_
