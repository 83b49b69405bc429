// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/rcu.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

uint32_t BatchSize(const RcuOptions& options, uint32_t cpus) {
  constexpr uint64_t kLeast = RcuDomain::kLeastBatch;
  const uint64_t for_all = uint64_t{RcuDomain::kWeightPerCpu} * cpus;
  const uint64_t chosen = std::max(kLeast, std::min(for_all, options.backlog_limit / 4));
  return options.batch_size.value_or(static_cast<uint32_t>(chosen));
}

}  // namespace

absl::Status RcuDomain::CheckOptions(const Options& options) {
  if (options.batch_size == 0u) return absl::InvalidArgumentError("batch_size 0 is not above 0");
  if (options.stall_ns == 0) return absl::InvalidArgumentError("stall_ns 0 is not above 0");
  if (options.max_nesting == 0) return absl::InvalidArgumentError("max_nesting 0 is not above 0");
  return absl::OkStatus();
}

RcuDomain::RcuDomain(CpuRegistry& cpus, Options options)
    : registry_(cpus),
      options_(std::move(options)),
      batch_size_(BatchSize(options_, cpus.size())),
      cpus_(cpus),
      obstructions_(cpus) {
  const absl::Status status = CheckOptions(options_);
  PADDOCK_CHECK(status.ok(), status.message());
  registry_.AddObserver(this);
}

RcuDomain::~RcuDomain() {
  for (uint32_t cpu = 0; cpu < cpus_.size(); ++cpu) {
    // order: relaxed: checks what the caller has made sure of by other means.
    PADDOCK_CHECK(cpus_.At(CpuId{cpu}).announced.load(sync::relaxed) == kQuiescent,
                  "an RcuDomain is destroyed inside a read-side section");
  }
  {
    absl::StatusOr<CpuPin> pin = registry_.Pin(CpuId{0});
    PADDOCK_CHECK(pin.ok(), "an RcuDomain is destroyed while a CPU is pinned");
    Drain(*pin);
  }
  registry_.RemoveObserver(this);
}

void RcuDomain::OnWake(const CpuPin& pin) { cpus_.Get(pin).seal_at = batch_size_; }

void RcuDomain::OnIdle(const CpuPin& pin) {
  PerCpu& cpu = cpus_.Get(pin);
  PADDOCK_CHECK(cpu.nesting == 0, "a CPU goes idle inside a read-side section");
  cpu.seal_at = 0;
  HandOver(cpu);
}

void RcuDomain::RetireSlow(PerCpu& cpu) {
  // An observer that was added before the domain retires while the CPU goes idle.
  if (cpu.seal_at == 0) return HandOver(cpu);
  Seal(cpu);
  TryAdvance(cpu);
}

void RcuDomain::Seal(PerCpu& cpu) {
  cpu.lone_polls = 0;
  if (cpu.open.empty()) return;
  if (cpu.sealed.weight() + cpu.open.weight() > options_.backlog_limit) return HandOver(cpu);
  cpu.sealed.Add(cpu.open, SealEpoch(), sync::NowNs());
}

// Gives the CPU's backlog to the orphans. What is not due is sealed anew: later than needed, but
// one epoch for all.
void RcuDomain::HandOver(PerCpu& cpu) {
  if (cpu.Backlog() == 0) return;
  NotePeak(cpu);
  cpu.lone_polls = 0;
  // order: relaxed: SealEpoch below reads the newest epoch, with all that came before the advances,
  // and the lock passes it on.
  internal::RcuList due = cpu.sealed.TakeDue(epoch_.load(sync::relaxed));
  internal::RcuList rest = cpu.sealed.TakeAll();
  rest.Splice(cpu.open);
  const uint64_t weight = due.weight() + rest.weight();
  {
    SpinLockGuard guard(orphan_lock_);
    // Sealed under the lock, so that the epochs in the list never go down.
    orphans_.Add(rest, SealEpoch(), sync::NowNs());
    orphans_.AddDue(due);
    AnnounceOrphans();
    orphan_peak_ = std::max(orphan_peak_, orphans_.weight());
  }
  // What a callback retires may be handed over while the list that it stands in is not settled yet.
  // order: relaxed: a counter that only this CPU writes.
  cpu.settled.store(cpu.settled.load(sync::relaxed) + weight, sync::relaxed);
}

void RcuDomain::PollSlow(const CpuPin& pin, PerCpu& cpu) {
  if (!MayReclaim(cpu)) return;
  SealIfLeftAlone(cpu);

  // order: acquire pairs with the release in AnnounceOrphans. An old due epoch beside a new weight
  // may be none: this CPU would not advance, nor anybody else.
  const bool has_orphans = orphan_weight_.load(sync::acquire) != 0;
  if (cpu.sealed.empty() && !has_orphans) return;

  // order: acquire pairs with the seq_cst advances: the sections that ended before them are over.
  uint64_t epoch = epoch_.load(sync::acquire);
  const uint64_t due = cpu.sealed.next_due_epoch();
  // order: relaxed, both: ordered by the acquire above.
  const uint64_t orphans_due = has_orphans ? orphan_due_epoch_.load(sync::relaxed) : 0;
  const bool some_are_due = has_orphans && orphans_are_due_.load(sync::relaxed);
  if (due > epoch || orphans_due > epoch) epoch = TryAdvance(cpu);

  internal::RcuList mine = cpu.sealed.TakeDue(epoch);
  if (!mine.empty()) {
    NotePeak(cpu);
    const uint64_t weight = mine.weight();
    Reclaim(pin, cpu, std::move(mine));
    // order: relaxed: a counter that only this CPU writes.
    cpu.settled.store(cpu.settled.load(sync::relaxed) + weight, sync::relaxed);
  }
  if (some_are_due || (has_orphans && orphans_due <= epoch)) {
    Reclaim(pin, cpu, TakeDueOrphans(epoch));
  }
}

// Batches fill while the CPU goes on retiring; one that stopped growing must not wait for ever.
void RcuDomain::SealIfLeftAlone(PerCpu& cpu) {
  const uint64_t weight = cpu.open.weight();
  if (weight != cpu.polled_weight) {
    cpu.polled_weight = weight;
    cpu.lone_polls = 0;
  }
  if (weight != 0 && cpu.sealed.empty() && ++cpu.lone_polls >= kPollsBeforeSeal) Seal(cpu);
}

// As PollSlow, without waiting for batches to fill.
void RcuDomain::PollHard(const CpuPin& pin, PerCpu& cpu) {
  if (MayReclaim(cpu)) Seal(cpu);
  PollSlow(pin, cpu);
}

internal::RcuList RcuDomain::TakeDueOrphans(uint64_t epoch) {
  if (!orphan_lock_.TryLock()) return {};  // another CPU is at it
  internal::RcuList due = orphans_.TakeDue(epoch);
  AnnounceOrphans();
  orphan_lock_.Unlock();
  return due;
}

// Hints for Poll; the lists are read under the lock.
void RcuDomain::AnnounceOrphans() {
  // order: relaxed, both: ordered by the next store.
  orphan_due_epoch_.store(orphans_.next_due_epoch(), sync::relaxed);
  orphans_are_due_.store(orphans_.has_due(), sync::relaxed);
  // order: release pairs with the acquire in PollSlow: who sees the weight sees when it is due.
  orphan_weight_.store(orphans_.weight(), sync::release);
}

void RcuDomain::Reclaim(const CpuPin& pin, PerCpu& cpu, internal::RcuList list) {
  const uint64_t weight = list.weight();
  if (weight == 0) return;
  cpu.reclaiming = true;
  while (!list.empty()) {
    RcuHead* const object = list.Pop();
    object->reclaim(object, pin);
  }
  cpu.reclaiming = false;
  PADDOCK_CHECK(cpu.nesting == 0, "a callback left a read-side section open");
  // order: relaxed: a counter that only this CPU writes.
  cpu.reclaimed.store(cpu.reclaimed.load(sync::relaxed) + weight, sync::relaxed);
}

// Whether a section of `cpu` forbids the advance from `epoch`.
bool RcuDomain::IsInTheWay(CpuId cpu, uint64_t epoch) {
  // After the load of the epoch: see "Why that is enough" in the header.
  const uint64_t announced = cpus_.At(cpu).announced.load(sync::seq_cst);
  if (announced == kQuiescent || announced == epoch) return false;
  // A later epoch: someone else has advanced, and the exchange would fail anyway.
  if (announced < epoch) NoteObstruction(cpu, announced, options_.stall_ns);
  return true;
}

// Returns the epoch, advanced by one if no section is in the way.
uint64_t RcuDomain::TryAdvance(PerCpu& cpu) {
  uint64_t epoch = epoch_.load(sync::seq_cst);
  // The one that was in the way last time is the best guess: one line instead of all.
  if (cpu.blocker != kNobody && IsInTheWay(CpuId{cpu.blocker}, epoch)) return epoch;
  cpu.blocker = kNobody;
  for (uint32_t other = 0; other < cpus_.size(); ++other) {
    if (IsInTheWay(CpuId{other}, epoch)) {
      cpu.blocker = other;
      return epoch;
    }
  }
  if (epoch_.compare_exchange(epoch, epoch + 1, sync::seq_cst, sync::seq_cst)) ++epoch;
  return epoch;
}

// Reports the CPU that this one has waited for in vain. It was first seen in the way after the
// waiting began, so its time falls a little short.
void RcuDomain::ReportBlocker(const PerCpu& cpu) {
  if (cpu.blocker == kNobody) return;
  const CpuId blocker{cpu.blocker};
  const uint64_t announced = cpus_.At(blocker).announced.load(sync::seq_cst);
  if (announced != kQuiescent) NoteObstruction(blocker, announced, options_.stall_ns / 2);
}

// Reports the CPU, once, if it has been in the way for `patience_ns`.
void RcuDomain::NoteObstruction(CpuId cpu, uint64_t announced, uint64_t patience_ns) {
  std::optional<RcuStall> stall;
  if (!stall_lock_.TryLock()) return;  // another CPU notes something: next time
  Obstruction& obstruction = obstructions_.At(cpu);
  const uint64_t now_ns = sync::NowNs();
  if (obstruction.announced != announced) {
    obstruction = {.announced = announced, .since_ns = now_ns, .reported = false};
  }
  if (!obstruction.reported && now_ns - obstruction.since_ns >= patience_ns) {
    obstruction.reported = true;
    stall = {.cpu = cpu, .open_ns = now_ns - obstruction.since_ns};
  }
  stall_lock_.Unlock();
  if (!stall.has_value()) return;
  // order: relaxed: a statistic.
  stalls_.fetch_add(1, sync::relaxed);
  if (options_.on_stall) options_.on_stall(*stall);
}

void RcuDomain::NotePeak(PerCpu& cpu) {
  // order: relaxed: a statistic that only this CPU writes.
  cpu.peak.store(std::max(cpu.peak.load(sync::relaxed), cpu.Backlog()), sync::relaxed);
}

void RcuDomain::NoteGracePeriod(PerCpu& cpu, uint64_t ns) {
  // order: relaxed: statistics that only this CPU writes.
  cpu.synchronized.store(cpu.synchronized.load(sync::relaxed) + 1, sync::relaxed);
  cpu.longest_ns.store(std::max(cpu.longest_ns.load(sync::relaxed), ns), sync::relaxed);
}

void RcuDomain::Drain(const CpuPin& pin) {
  PerCpu& cpu = cpus_.Get(pin);
  PADDOCK_CHECK(MayReclaim(cpu), "Drain inside a read-side section or a callback");
  sync::Spin([&] {
    // order: relaxed: a hint; what it misses belongs to CPUs that are not idle yet.
    const auto is_done = [&] {
      return cpu.Backlog() == 0 && orphan_weight_.load(sync::relaxed) == 0;
    };
    if (!is_done()) PollHard(pin, cpu);
    return is_done();
  });
}

absl::Status RcuDomain::InSectionError(const CpuPin& pin) {
  return absl::FailedPreconditionError(absl::StrCat(
      "Synchronize inside a read-side section of CPU ", pin.cpu().value, " would wait for itself"));
}

RcuStats RcuDomain::stats() const {
  RcuStats stats;
  // order: relaxed: statistics, exact once the CPUs are quiet.
  stats.stalls = stalls_.load(sync::relaxed);
  {
    SpinLockGuard guard(orphan_lock_);
    stats.grace_periods = orphans_.grace_periods();
    stats.longest_ns = orphans_.longest_ns();
    stats.peak_backlog = orphan_peak_;
  }
  for (uint32_t id = 0; id < cpus_.size(); ++id) {
    const PerCpu& cpu = cpus_.At(CpuId{id});
    // order: relaxed: see above. The two counters may be of different moments.
    const uint64_t settled = cpu.settled.load(sync::relaxed);
    const uint64_t retired = cpu.retired.load(sync::relaxed);
    const uint64_t peak = cpu.peak.load(sync::relaxed);
    // order: relaxed: see above.
    const uint64_t synchronized = cpu.synchronized.load(sync::relaxed);
    const uint64_t longest_ns = cpu.longest_ns.load(sync::relaxed);
    const uint64_t reclaimed = cpu.reclaimed.load(sync::relaxed);
    stats.retired += retired;
    stats.reclaimed += reclaimed;
    const uint64_t backlog = retired > settled ? retired - settled : 0;
    stats.peak_backlog = std::max({stats.peak_backlog, peak, backlog});
    stats.grace_periods += synchronized + cpu.sealed.grace_periods();
    stats.longest_ns = std::max({stats.longest_ns, longest_ns, cpu.sealed.longest_ns()});
  }
  return stats;
}

}  // namespace paddock
