// SPDX-License-Identifier: Apache-2.0
//
// Taking a world down: everything is checked at rest, unmapped, destroyed and counted.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/space/vm_space.h"
#include "paddock/stress/world.h"

namespace paddock {
namespace {

constexpr VirtRange kUserAddresses{VirtAddr(0), kUserEnd};

SuspectFrame Suspect(PhysAddr frame, const MetaSlot& slot, uint64_t claims) {
  // order: relaxed, all; everything stands still.
  const MetaVtable* const kind = slot.kind.load(sync::relaxed);
  return {frame.value(), kind == nullptr ? "of no kind" : kind->name,
          slot.ref_count.load(sync::relaxed), claims};
}

uint64_t ClaimsIn(FrameTable& frames, PhysAddr node) {
  // order: relaxed; everything stands still.
  const int level = frames.slot(node).level.load(sync::relaxed);
  return Node<UserPtConfig::Format>(frames, node).lock(level).Held();
}

void Add(LockStats& to, const LockStats& from) {
  to.acquired += from.acquired;
  to.contended += from.contended;
  to.stray_retries += from.stray_retries;
}
void Add(TlbStats& to, const TlbStats& from) {
  to.issued += from.issued;
  to.batches += from.batches;
  to.interrupts += from.interrupts;
  to.interrupts_saved += from.interrupts_saved;
  to.full_flushes += from.full_flushes;
  to.lazy_skips += from.lazy_skips;
  to.lazy_catchups += from.lazy_catchups;
}
void Add(RcuStats& to, const RcuStats& from) {
  to.grace_periods += from.grace_periods;
  to.longest_ns = std::max(to.longest_ns, from.longest_ns);
  to.retired += from.retired;
  to.reclaimed += from.reclaimed;
  to.peak_backlog = std::max(to.peak_backlog, from.peak_backlog);
  to.stalls += from.stalls;
}

}  // namespace

void World::CheckAtRest(const CpuPin& pin, std::vector<Balance>& balances) {
  const auto is_live = [this](uint64_t frame, int level) { return IsLiveNode(frame, level); };
  for (uint32_t slot = 0; slot < spaces_->size(); ++slot) {
    const SpaceRef ref = spaces_->Get(slot);
    if (!ref) continue;
    const std::string where = absl::StrCat("space ", ref.id);
    const AbstractTable view = oracles_.walker.CheckTable(
        pin.cpu().value, where, *mmu_, ref.space->root().value(), kUserAddresses, is_live);
    oracles_.serializability.CheckFinalView(ref.id, view);
    // Every second space is emptied first; the others are destroyed with what they map.
    if (slot % 2 != 0) continue;
    absl::StatusOr<VmSpace::CursorMut> cursor =
        ref.space->OpenCursorMut(pin, kUserAddresses, {.intent = Intent::kNoMap});
    ++other_cursors_;
    absl::StatusOr<Removed> removed =
        cursor.ok() ? cursor->Unmap(kUserAddresses.size()) : cursor.status();
    if (!removed.ok()) {
      oracles_.sink.Report(
          kBooksOracle,
          absl::StrCat(where, " cannot be emptied: ", std::string(removed.status().message())));
      continue;
    }
    balances.push_back({absl::StrCat("pages unmapped from ", where, " at the end"),
                        view.mapped_pages(), removed->pages});
  }
}

void World::CheckLockWords(BooksSnapshot& books) {
  FrameTable& frames = machine_->frames();
  const PhysAddr base = machine_->memory().base();
  for (uint64_t i = 0; i < frames.total_pages(); ++i) {
    const PhysAddr frame = base.Plus(i * kPageSize);
    const MetaSlot& slot = frames.slot(frame);
    ++books.lock_words_looked_at;
    // order: relaxed, all; everything stands still.
    const bool in_use = slot.ref_count.load(sync::relaxed) != kRefUnused;
    const bool node = in_use && IsNodeSlot(slot);
    // A table that was cut out keeps its mark until its slot is used again.
    const bool stray = node && slot.stray.load(sync::relaxed) != 0;
    const uint64_t claims = node ? ClaimsIn(frames, frame) : slot.lock.load(sync::relaxed);
    const bool waited_for = slot.waiters.load(sync::relaxed) != 0;
    if (claims != 0 || waited_for || stray) books.locked.push_back(Suspect(frame, slot, claims));
  }
}

void World::Drain() {
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    absl::StatusOr<CpuPin> pin = machine_->Pin(CpuId{cpu});
    PADDOCK_CHECK(pin.ok(), "a CPU is in use while the world is closed");
    machine_->rcu().Drain(*pin);
  }
}

void World::DropSpaces() {
  for (uint32_t slot = 0; slot < spaces_->size(); ++slot) {
    const SpaceRef ref = spaces_->Take(slot);
    if (ref) oracles_.serializability.Forget(ref.id);
  }
  for (uint32_t cpu = 0; cpu < options_.cpus; ++cpu) {
    absl::StatusOr<CpuPin> pin = machine_->Pin(CpuId{cpu});
    PADDOCK_CHECK(pin.ok(), "a CPU is in use while the world is closed");
    machine_->DeactivateSpace(*pin);
    if (cpu == 0) torture_->Empty(*pin);
  }
  Drain();
  oracles_.ageing.CheckDrained();
}

void World::BalanceBooks(BooksSnapshot& books, uint64_t opened, WorldTotals& totals) {
  FrameTable& frames = machine_->frames();
  books.frames_expected = baseline_pages_;
  books.frames_used = frames.used_pages();
  if (books.frames_used != books.frames_expected) {
    frames.ForEachInUse([&](PhysAddr frame, const MetaSlot& slot) {
      if (books.in_use.size() < 100)
        books.in_use.push_back(Suspect(frame, slot, slot.lock.load(sync::relaxed)));
    });
  }
  const RcuStats rcu = machine_->rcu().stats();
  const IpiStats ipi = machine_->bus().stats();
  const LockStats locks = machine_->page_tables().lock_stats();
  books.balances.push_back({"objects retired and reclaimed", rcu.retired, rcu.reclaimed});
  // Counted by the senders, and by those who got them. Other transports do not count.
  const TlbStats tlb = machine_->tlb().stats();
  if (tlb.interrupts != 0) {
    books.balances.push_back({"requests sent, and kicked or coalesced or met idle",
                              tlb.interrupts + tlb.interrupts_saved,
                              ipi.kicks + ipi.coalesced + ipi.idle_skips});
  }
  books.balances.push_back({"requests queued and handled", ipi.kicks + ipi.coalesced, ipi.handled});
  // Where memory runs out, of some operations of kernel areas it is not known how far they came.
  const uint64_t cursors = opened + other_cursors_;
  const uint64_t unsure =
      std::min(areas_->may_have_opened(), locks.acquired - std::min(locks.acquired, cursors));
  books.balances.push_back({"cursors opened", cursors, locks.acquired - unsure});

  Add(totals.locks, locks);
  Add(totals.tlb, tlb);
  Add(totals.rcu, rcu);
  totals.frames_total = std::max(totals.frames_total, frames.total_pages());
  totals.frames_peak = std::max(totals.frames_peak, frames.peak_used_pages());
  totals.frames_leaked += LeakedFrames(books);
  totals.refused_allocations += failing_.refused();
}

void World::Close(uint64_t opened, WorldTotals& totals) {
  failing_.Set(false);
  BooksSnapshot books;
  // Nodes that were cut out and wait for reclamation are stray, and in use until then.
  Drain();
  {
    absl::StatusOr<CpuPin> pin = machine_->Pin(CpuId{0});
    PADDOCK_CHECK(pin.ok(), "CPU 0 is in use while the world is closed");
    CheckLockWords(books);
    CheckAtRest(*pin, books.balances);
    other_cursors_ += areas_->Close(*pin, oracles_.sink, books.balances);
  }
  DropSpaces();
  BalanceBooks(books, opened, totals);
  oracles_.books_checks += CheckBooks(books, oracles_.sink).checks;
}

}  // namespace paddock
