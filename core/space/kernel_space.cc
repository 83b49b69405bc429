// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/kernel_space.h"

#include <utility>

#include "paddock/concurrency/check.h"
#include "paddock/core/space/map_range.h"

namespace paddock {
namespace {

using Geo = Geometry<UserFormat>;

// How often one reservation flushes what was destroyed while others take what becomes free.
constexpr int kMaxFlushesPerReservation = 4;

}  // namespace

absl::StatusOr<std::unique_ptr<KernelSpace>> KernelSpace::Create(CpuRegistry& cpus,
                                                                 PageTableEnv& env,
                                                                 const CpuPin& pin,
                                                                 const KernelLayout& layout) {
  absl::StatusOr<std::unique_ptr<Table>> table = Table::Create(env, pin);
  if (!table.ok()) return table.status();
  std::unique_ptr<KernelSpace> kernel(new KernelSpace(cpus, env, layout, *std::move(table)));
  if (absl::Status status = kernel->MakeTopTables(pin); !status.ok()) return status;
  if (layout.linear_mapping == LinearMapping::kAllMemory) {
    if (absl::Status status = kernel->MapMemory(pin); !status.ok()) return status;
  }
  return kernel;
}

KernelSpace::KernelSpace(CpuRegistry& cpus, PageTableEnv& env, const KernelLayout& layout,
                         std::unique_ptr<Table> table)
    : cpus_(cpus),
      env_(env),
      layout_(layout),
      table_(std::move(table)),
      addresses_(layout.dynamic_window),
      quarantine_({layout.quarantine_areas, layout.quarantine_pages}) {}

KernelSpace::~KernelSpace() {
  SpinLockGuard guard(lock_);
  PADDOCK_CHECK(areas_.empty(), "a kernel area outlives its machine");
}

absl::Status KernelSpace::MakeTopTables(const CpuPin& pin) {
  // A cursor that crosses the border between two entries of a table makes that table.
  const uint64_t twice = Geo::EntrySpan(Geo::kLevels - 1) * 2;
  for (VirtAddr va = kKernelRange.start; va != kKernelRange.end;
       va = va.Plus(Geo::EntrySpan(Geo::kLevels))) {
    auto cursor = table_->OpenCursorMut(pin, VirtRange{va, va.Plus(twice)});
    if (!cursor.ok()) return cursor.status();
  }
  return absl::OkStatus();
}

absl::Status KernelSpace::MapMemory(const CpuPin& pin) {
  const PhysRange memory = env_.frames().memory().range();
  const VirtAddr start = layout_.linear_map.start.Plus(memory.start.value());
  auto cursor = table_->OpenCursorMut(pin, VirtRange{start, start.Plus(memory.size())});
  if (!cursor.ok()) return cursor.status();
  const PageProperty property{kReadWriteKernel.flags | PageFlags::kGlobal};
  return MapRange(*cursor, memory, property).status;
}

std::optional<VirtAddr> KernelSpace::LinearAddress(PhysAddr address) const {
  const bool mapped = layout_.linear_mapping == LinearMapping::kAllMemory;
  if (!mapped || !env_.frames().Contains(address)) return std::nullopt;
  return layout_.linear_map.start.Plus(address.value());
}

absl::StatusOr<VirtRange> KernelSpace::Reserve(const CpuPin& pin, uint64_t bytes,
                                               absl::Span<const RangeAlignment> alignments) {
  if (!cpus_.Owns(pin)) return CpuRegistry::ForeignPinError(pin);
  UnmapAbandoned(pin);
  for (int flushes = 0;; ++flushes) {
    AddressQuarantine::Round round;
    {
      SpinLockGuard guard(lock_);
      TakeDone();
      absl::StatusOr<VirtRange> range = absl::InternalError("no alignment to try");
      for (const RangeAlignment& alignment : alignments) {
        range = addresses_.Allocate(bytes, alignment);
        if (range.ok()) {
          areas_.emplace(range->start, range->end);
          return range;
        }
      }
      const uint64_t quarantined = quarantine_.pages() * kPageSize;
      const bool may_help = quarantined != 0 && addresses_.free_bytes() + quarantined >= bytes;
      const bool exhausted = absl::IsResourceExhausted(range.status());
      if (!exhausted || !may_help || flushes == kMaxFlushesPerReservation) return range;
      // Whoever must acknowledge may be waiting for this section.
      if (env_.rcu().InSection(pin)) {
        return absl::FailedPreconditionError(
            "no addresses are free, and a read-side section is no place to wait for flushes");
      }
      round = quarantine_.Begin(AddressQuarantine::Cover::kAll);
    }
    Flush(pin, std::move(round), Wait::kForAcknowledgements);
  }
}

void KernelSpace::CancelReservation(const CpuPin& pin, VirtRange area) {
  {
    SpinLockGuard guard(lock_);
    areas_.erase(area.start);
    addresses_.Free(area);
  }
  CheckAfterStep(pin);
}

void KernelSpace::Split(const CpuPin& pin, VirtRange area, VirtAddr middle) {
  {
    SpinLockGuard guard(lock_);
    areas_[area.start] = middle;
    areas_.emplace(middle, area.end);
  }
  CheckAfterStep(pin);
}

absl::Status KernelSpace::Unmap(const CpuPin& pin, VirtRange area, paddock::Wait wait) {
  PendingFlush flush;
  {
    absl::StatusOr<CursorMut> cursor =
        table_->OpenCursorMut(pin, area, {.intent = Intent::kNoMap, .wait = wait});
    if (!cursor.ok()) return cursor.status();
    // All of it: a cursor of the area's owner may have unmapped something before, and a CPU may not
    // have acknowledged that flush yet. First, so that what is unmapped now merges into one range;
    // it is dispatched much later.
    cursor->flusher().Issue(area);
    flush = UnmapAll(*cursor);
  }
  Quarantine(pin, area, std::move(flush));
  return absl::OkStatus();
}

PendingFlush KernelSpace::UnmapAll(CursorMut& cursor) {
  // No mapping crosses the ends of an area: nothing has to be split, and nothing can fail.
  absl::Status status = cursor.Jump(cursor.range().start);
  if (status.ok()) status = cursor.Unmap(cursor.remaining(), FlushDispatch::kByCaller).status();
  PADDOCK_CHECK(status.ok(), status.ToString());
  return cursor.flusher().Detach();
}

void KernelSpace::Abandon(VirtRange area) {
  if (const std::optional<CpuId> cpu = cpus_.CurrentCpu()) {
    const absl::StatusOr<CpuPin> pin = cpus_.Pin(*cpu);
    if (pin.ok() && Unmap(*pin, area, paddock::Wait::kForever).ok()) return;
  }
  SpinLockGuard guard(lock_);
  abandoned_.push_back(area);
}

void KernelSpace::UnmapAbandoned(const CpuPin& pin) {
  std::vector<VirtRange> abandoned;
  {
    SpinLockGuard guard(lock_);
    abandoned.swap(abandoned_);
  }
  // Whoever still holds a cursor in one must not hold up the owners of others.
  std::erase_if(abandoned,
                [&](VirtRange area) { return Unmap(pin, area, paddock::Wait::kTry).ok(); });
  if (abandoned.empty()) return;
  SpinLockGuard guard(lock_);
  abandoned_.insert(abandoned_.end(), abandoned.begin(), abandoned.end());
}

void KernelSpace::Quarantine(const CpuPin& pin, VirtRange area, PendingFlush flush) {
  std::optional<AddressQuarantine::Round> round;
  {
    SpinLockGuard guard(lock_);
    areas_.erase(area.start);
    ++destroyed_;
    quarantine_.Put(area, std::move(flush));
    TakeDone();
    if (quarantine_.IsFull()) round = quarantine_.Begin(AddressQuarantine::Cover::kCollected);
  }
  if (round) Flush(pin, *std::move(round), Wait::kNo);
  CheckAfterStep(pin);
}

void KernelSpace::Flush(const CpuPin& pin, AddressQuarantine::Round round, Wait wait) {
  TlbFlusher flusher(env_.tlb(), table_->tlb_context(), pin);
  for (PendingFlush& pending : round.flushes) flusher.Attach(std::move(pending));
  if (round.everything) flusher.IssueAll();
  std::optional<ShootdownTicket> ticket;
  if (wait == Wait::kForAcknowledgements) {
    flusher.Sync();
  } else {
    ticket = flusher.DispatchForLater();
  }
  SpinLockGuard guard(lock_);
  ++flushes_;
  if (ticket) {
    quarantine_.Sent(round.number, *ticket);
    TakeDone();
    return;
  }
  const auto cover = wait == Wait::kForAcknowledgements ? AddressQuarantine::Cover::kAll
                                                        : AddressQuarantine::Cover::kCollected;
  for (const VirtRange range : quarantine_.Finish(round.number, cover)) addresses_.Free(range);
}

void KernelSpace::TakeDone() {
  for (const VirtRange range : quarantine_.TakeDone()) addresses_.Free(range);
}

void KernelSpace::FlushDestroyedAreas(const CpuPin& pin) {
  PADDOCK_CHECK(cpus_.Owns(pin), "areas are flushed with the pin of another machine");
  PADDOCK_CHECK(!env_.rcu().InSection(pin), "areas are flushed inside a read-side section");
  UnmapAbandoned(pin);
  AddressQuarantine::Round round;
  {
    SpinLockGuard guard(lock_);
    TakeDone();
    if (quarantine_.IsEmpty()) return;
    round = quarantine_.Begin(AddressQuarantine::Cover::kAll);
  }
  Flush(pin, std::move(round), Wait::kForAcknowledgements);
  CheckAfterStep(pin);
}

KernelSpaceStats KernelSpace::stats() const {
  SpinLockGuard guard(lock_);
  return KernelSpaceStats{.areas = areas_.size() - abandoned_.size(),
                          .free_pages = addresses_.free_bytes() / kPageSize,
                          .quarantined_pages = quarantine_.pages(),
                          .destroyed = destroyed_,
                          .flushes = flushes_};
}

void KernelSpace::CheckAfterStep(const CpuPin& pin) {
  if constexpr (kContractsChecked) {
    const absl::Status status = CheckInvariants(pin);
    PADDOCK_CHECK(status.ok(), status.ToString());
  }
}

}  // namespace paddock
