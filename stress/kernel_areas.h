// SPDX-License-Identifier: Apache-2.0
//
// The kernel areas of a world, by slot, and what is known of each.
//
//   AreaSlot& slot = areas.slot(3);
//   AreaLock lock(slot);                 // creates, destroys, splits, stores: one at a time
//   if (!lock.held()) return;            // busy: never waited for, the holder may wait for this CPU
//   ...
//   uint64_t changes = slot.changes();   // any CPU: loads
//   AreaFacts facts = slot.facts();
//   ... load ...
//   if (slot.changes() == changes && changes % 2 == 0) { /* the area was there all the time */ }
//
// The window of addresses is small, so that addresses are used again all the time.
//
// Thread safety: any thread; Close while nobody else works. Cost: no lock for loads.

#ifndef PADDOCK_STRESS_KERNEL_AREAS_H_
#define PADDOCK_STRESS_KERNEL_AREAS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/kernel_layout.h"
#include "paddock/core/space/kvirt_area.h"
#include "paddock/core/space/machine.h"
#include "paddock/stress/frame_stamps.h"
#include "paddock/stress/ops.h"
#include "paddock/stress/oracle/books.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

// Pages count from the start of the area. An empty slot has none.
struct AreaFacts {
  VirtAddr start = {};
  uint64_t pages = 0;
  uint64_t first = 0;   // the first mapped one
  uint64_t mapped = 0;  // how many are
  uint32_t id = 0;      // of what was created; both parts of a split area keep it
  uint64_t index = 0;   // of the first mapped page in what was created
  AreaKind kind = AreaKind::kNothing;
  AccessKind rights = AccessKind::kStore;
  PhysAddr physical = {};  // of the first mapped page, if nobody counts them

  VirtAddr Page(uint64_t page) const { return start.Plus(page * kPageSize); }
  bool Maps(uint64_t page) const { return page >= first && page - first < mapped; }
  bool counted() const { return kind == AreaKind::kFrames || kind == AreaKind::kSegment; }
  // Of a page that it maps: the stamp of its frame, or its physical address.
  Stamp StampOf(uint64_t page) const {
    return MakeStamp(id, VirtAddr((index + page - first) * kPageSize));
  }
  PhysAddr PhysicalOf(uint64_t page) const { return physical.Plus((page - first) * kPageSize); }
  // Makes this what lies before `page`; returns the rest.
  AreaFacts Split(uint64_t page);
};

class alignas(64) AreaSlot {
 public:
  // invariant: both are used under an AreaLock only.
  KVirtArea area;

  uint64_t changes() const { return changes_.load(sync::seq_cst); }
  AreaFacts facts() const;
  // Under an AreaLock. From BeginChange to Publish nobody relies on the area.
  void BeginChange() { changes_.fetch_add(1, sync::seq_cst); }
  void Publish(const AreaFacts& facts);

 private:
  friend class AreaLock;

  sync::Atomic<uint32_t> busy_{0};
  sync::Atomic<uint64_t> changes_{0};
  sync::Atomic<uint64_t> words_[9] = {};
};

class AreaLock {
 public:
  explicit AreaLock(AreaSlot& slot)
      : slot_(slot), held_(slot.busy_.exchange(1, sync::seq_cst) == 0) {}
  ~AreaLock() {
    if (held_) slot_.busy_.store(0, sync::seq_cst);
  }
  AreaLock(const AreaLock&) = delete;
  AreaLock& operator=(const AreaLock&) = delete;

  bool held() const { return held_; }

 private:
  AreaSlot& slot_;
  const bool held_;
};

class KernelAreas {
 public:
  static constexpr uint64_t kWindowPages = 2048;
  static constexpr uint64_t kDevicePages = 32;

  static KernelLayout Layout();
  // RESOURCE_EXHAUSTED: no frames for the device's memory.
  static absl::StatusOr<std::unique_ptr<KernelAreas>> Create(Machine& machine, uint32_t slots);

  uint32_t size() const { return size_; }
  AreaSlot& slot(uint32_t index) { return slots_[index]; }

  // A number for an area, for stamps: the spaces of a run do not come so far.
  uint32_t NextId() {
    constexpr uint32_t kFirst = 1u << (63 - kStampPageBits);
    return kFirst + next_id_.fetch_add(1, sync::seq_cst) % kFirst;
  }
  // Physical addresses for an area of that kind which counts no frames.
  PhysRange Uncounted(AreaKind kind, uint64_t pages) const;
  // Notes that `area` was created; how many of its pages another one had before.
  uint64_t MarkUsed(VirtRange area);
  // An operation failed, and may or may not have opened a cursor before.
  void MayHaveOpened() { may_have_opened_.fetch_add(1, sync::seq_cst); }

  // Destroys all areas, and checks that nothing is left of them. Returns the cursors that destroying
  // areas has opened.
  uint64_t Close(const CpuPin& pin, ViolationSink& sink, std::vector<Balance>& balances);
  uint64_t may_have_opened() const { return may_have_opened_.load(sync::seq_cst); }

 private:
  KernelAreas(Machine& machine, uint32_t slots)
      : machine_(machine), size_(slots), slots_(new AreaSlot[slots]) {}

  Machine& machine_;
  const uint32_t size_;
  const std::unique_ptr<AreaSlot[]> slots_;
  USegment device_;
  std::array<sync::Atomic<uint64_t>, kWindowPages / 64> used_ = {};
  sync::Atomic<uint32_t> next_id_{0};
  sync::Atomic<uint64_t> may_have_opened_{0};
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_KERNEL_AREAS_H_
