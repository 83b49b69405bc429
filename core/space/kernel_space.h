// SPDX-License-Identifier: Apache-2.0
//
// The kernel's half of a machine: one table that every space shares, the linear map of physical
// memory, and the store of kernel areas (kvirt_area.h), their addresses included.
//
//   KernelSpace& kernel = machine.kernel();
//   absl::StatusOr<KVirtArea> area = KVirtArea::MapFrames(machine, pin, ...);
//   area = ...;                        // destroyed: unmapped, its addresses in quarantine
//   kernel.FlushDestroyedAreas(pin);   // flushed everywhere, its addresses free, its frames in RCU
//   absl::Status sound = kernel.CheckInvariants(pin);
//
// An address that an area had is not handed out again before every CPU has flushed it. That costs
// no flush per area: destroyed areas collect, with what their flushes keep, until there are as many
// as the layout says, or the window is exhausted, and one batch flushes them all. A CPU that nobody
// is on is never waited for: it flushes when it wakes (tlb_system.h).
//
// Every space sees the kernel's addresses through tables right below the root, which are made with
// the machine and stay for good; so a mapping is seen by all spaces, past and future, and nothing
// is copied.
//
// Thread safety: every function from any pinned thread. Failure: see each. Cost of an area: a lock
// of a few dozen instructions at creation and at destruction, O(log n) in the number of areas; a
// cursor each.

#ifndef PADDOCK_CORE_SPACE_KERNEL_SPACE_H_
#define PADDOCK_CORE_SPACE_KERNEL_SPACE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/spin_lock.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/space/address_quarantine.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/kernel_layout.h"
#include "paddock/core/space/range_allocator.h"

namespace paddock {

struct KernelSpaceStats {
  uint64_t areas = 0;              // alive
  uint64_t free_pages = 0;         // of the window
  uint64_t quarantined_pages = 0;  // of destroyed areas that are not flushed yet
  uint64_t destroyed = 0;          // areas that ever went into quarantine
  uint64_t flushes = 0;            // batches that freed addresses
};

class KernelSpace {
 public:
  using Table = PageTable<KernelPtConfig>;
  using CursorMut = paddock::CursorMut<KernelPtConfig>;

  // `layout` has passed CheckLayout. RESOURCE_EXHAUSTED: no frame for a table.
  static absl::StatusOr<std::unique_ptr<KernelSpace>> Create(CpuRegistry& cpus, PageTableEnv& env,
                                                             const CpuPin& pin,
                                                             const KernelLayout& layout);
  // Every area is gone, no CPU pinned but by the caller, and FlushDestroyedAreas was called after
  // the last area went.
  ~KernelSpace();
  KernelSpace(const KernelSpace&) = delete;
  KernelSpace& operator=(const KernelSpace&) = delete;

  // A cursor of one's own may change what lies outside of the dynamic window and the linear map,
  // and the inside of an area that one owns.
  Table& table() { return *table_; }
  const KernelLayout& layout() const { return layout_; }

  // Where the linear map has `address`; none if nothing is mapped there.
  std::optional<VirtAddr> LinearAddress(PhysAddr address) const;

  // Flushes what was destroyed and waits until all CPUs that are not idle have acknowledged: the
  // addresses are free then, the frames wait for a grace period only. Serves this CPU's mailbox
  // meanwhile. Areas whose owners could not unmap them are unmapped first, but those in which
  // somebody holds a cursor, and all of them if this CPU holds one of the kernel's table. What other
  // CPUs are unmapping or flushing meanwhile is theirs: it may be neither unmapped nor free when
  // this returns. Not inside a read-side section, nor with the pin of another machine (checked).
  void FlushDestroyedAreas(const CpuPin& pin);

  // Exact while nobody creates or destroys an area.
  KernelSpaceStats stats() const;

  // The invariants of the store of areas, at any time: every area is aligned, ordered, inside the
  // window, and disjoint from the others; areas, quarantine and free addresses make up the window;
  // whatever is mapped in the window lies inside an area; tables are live nodes of their level,
  // tracked frames are in use; the linear map is one. INTERNAL: what is broken.
  // INVALID_ARGUMENT: the pin of another machine. Cost: looks at
  // every area and at every entry of the kernel's tables, holding the lock of the store. In builds
  // with PADDOCK_CHECKED it follows every creation, split and destruction of an area.
  absl::Status CheckInvariants(const CpuPin& pin);

 private:
  friend class KVirtArea;

  enum class Wait : uint8_t { kNo, kForAcknowledgements };

  KernelSpace(CpuRegistry& cpus, PageTableEnv& env, const KernelLayout& layout,
              std::unique_ptr<Table> table);

  absl::Status MakeTopTables(const CpuPin& pin);
  absl::Status MapMemory(const CpuPin& pin);

  // For KVirtArea, down to CheckAfterStep.
  // Addresses for an area, with the first of `alignments` that can be had. INVALID_ARGUMENT:
  // `bytes` is 0 or not a multiple of a page. RESOURCE_EXHAUSTED: too few addresses are free, also
  // after a flush of all that was destroyed. FAILED_PRECONDITION: that flush is needed, and this
  // CPU is inside a read-side section.
  absl::StatusOr<VirtRange> Reserve(const CpuPin& pin, uint64_t bytes,
                                    absl::Span<const RangeAlignment> alignments);
  // Undoes Reserve: nothing was ever mapped there.
  void CancelReservation(const CpuPin& pin, VirtRange area);
  // Makes two areas of `area`.
  void Split(const CpuPin& pin, VirtRange area, VirtAddr middle);
  // Unmaps the area, which goes into quarantine. FAILED_PRECONDITION, RESOURCE_EXHAUSTED,
  // UNAVAILABLE: as opening a cursor; nothing has changed.
  absl::Status Unmap(const CpuPin& pin, VirtRange area, paddock::Wait wait);
  // Unmaps all that `cursor` has locked. Returns what has to be flushed; for Quarantine, when the
  // cursor is gone.
  static PendingFlush UnmapAll(CursorMut& cursor);
  // The area is no more: `flush` covers its addresses, which are free after that.
  void Quarantine(const CpuPin& pin, VirtRange area, PendingFlush flush);
  // Unmaps the area if this thread can, or leaves it to whoever next has a pin and can.
  void Abandon(VirtRange area);
  void CheckAfterStep(const CpuPin& pin);

  void UnmapAbandoned(const CpuPin& pin);
  void Flush(const CpuPin& pin, AddressQuarantine::Round round, Wait wait);
  void TakeDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  absl::Status CheckStore() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status CheckNode(Node<UserFormat> node, int level, uint64_t offset) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status CheckChild(VirtAddr at, Pte pte, int level) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  absl::Status CheckLeaf(const Translation& leaf) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  CpuRegistry& cpus_;
  PageTableEnv& env_;
  const KernelLayout layout_;
  const std::unique_ptr<Table> table_;

  mutable SpinLock lock_;
  RangeAllocator addresses_ ABSL_GUARDED_BY(lock_);
  AddressQuarantine quarantine_ ABSL_GUARDED_BY(lock_);
  // invariant: {start, end} of every area that is reserved, alive, or not unmapped yet.
  absl::btree_map<VirtAddr, VirtAddr> areas_ ABSL_GUARDED_BY(lock_);
  // invariant: a part of areas_, without owners.
  std::vector<VirtRange> abandoned_ ABSL_GUARDED_BY(lock_);
  uint64_t destroyed_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t flushes_ ABSL_GUARDED_BY(lock_) = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_KERNEL_SPACE_H_
