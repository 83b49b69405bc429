// SPDX-License-Identifier: Apache-2.0
//
// A page-table node: a frame of entries and the slot that describes it.
//
// Who may do what (docs/locking.md): an entry is stored by the holder of its granule, and hardware
// may set accessed and dirty bits in it at any time; anyone may load it. An occupancy bit says that
// its granule may hold an entry: set before the first entry is stored, cleared after the last is
// gone unless the granule's lock has moved, both by the granule's holder. The lock of a granule may
// be a bit of its first entry (granule_lock.h): stores keep it, loads do not show it.
//
// Cost: an entry access is one memory access; occupancy is written only when a granule turns from
// empty to used or back.

#ifndef PADDOCK_CORE_PAGE_TABLE_NODE_H_
#define PADDOCK_CORE_PAGE_TABLE_NODE_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/paging_format.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/frame/meta_slot.h"
#include "paddock/core/page_table/granule_lock.h"

namespace paddock {

// How the entries of a format are accessed. A test that wants to see every store gives its own
// format and specialises this with a type like AtomicRef.
template <PagingFormat F>
struct EntryAccess {
  using Ref = sync::AtomicRef<Pte>;
};

// A borrowed view of a node; whoever has one keeps the node alive by a claim or a read-side
// section.
template <PagingFormat F>
class Node {
 public:
  using Geo = Geometry<F>;
  using Ref = typename EntryAccess<F>::Ref;

  // Refers to nothing, and may only be assigned to.
  Node() {}  // NOLINT: leaves the members as they are, so that an array of nodes costs nothing
  Node(FrameTable& frames, PhysAddr address)
      : slot_(&frames.slot(address)), entries_(reinterpret_cast<Pte*>(frames.Data(address))) {}

  // The node that the table entry `pte` of `level` points to.
  static Node Child(FrameTable& frames, Pte pte, int level) {
    return Node(frames, F::Address(pte, level));
  }

  MetaSlot& slot() const { return *slot_; }
  // Base pages are what CPUs share a table for: locks move in leaf tables only.
  GranuleLock lock(int level) const {
    return GranuleLock(*slot_, entries_, Geo::EntriesPerGranule(level),
                       level == 1 ? F::kClaimBit : 0);
  }
  PhysAddr address(FrameTable& frames) const { return frames.address(*slot_); }
  friend bool operator==(const Node&, const Node&) = default;

  // The granules that hold the entries `first` to `last`, as bits of a lock word.
  static constexpr uint64_t Granules(uint64_t first, uint64_t last, int level) {
    const uint64_t from = first / Geo::EntriesPerGranule(level);
    const uint64_t to = last / Geo::EntriesPerGranule(level);
    return (~uint64_t{0} >> (63 - (to - from))) << from;
  }
  // The granules that the non-empty offset range [start, end), which lies inside the node, touches.
  static constexpr uint64_t GranulesOf(uint64_t start, uint64_t end, int level) {
    return Granules(Geo::Index(start, level), Geo::Index(end - 1, level), level);
  }
  static constexpr uint64_t AllGranules(int level) {
    return Granules(0, Geo::Entries(level) - 1, level);
  }

  Pte Load(uint64_t index) const {
    // order: acquire pairs with the release in Store: whoever sees a table entry sees the
    // initialised table behind it.
    return Ref(entries_[index]).load(sync::acquire) & ~F::kClaimBit;
  }

  // What hardware reads on a TLB miss, the claim bit included. Sequentially consistent: a CPU that
  // joins the set of those to be told, and is not seen there by who exchanged the entry before
  // looking, must not read what was there before. The order that it has on every machine has to be
  // said in C++.
  Pte LoadAsHardware(uint64_t index) const { return Ref(entries_[index]).load(sync::seq_cst); }
  // Replaces what LoadAsHardware read.
  bool CompareExchangeAsHardware(uint64_t index, Pte& expected, Pte pte) const {
    return Ref(entries_[index]).compare_exchange(expected, pte, sync::seq_cst, sync::seq_cst);
  }

  // Stores over an absent entry.
  void Store(uint64_t index, Pte pte, int level) {
    Occupy(index, level);
    // order: release publishes what the entry points to; pairs with the acquire in Load and with
    // the loads of hardware walkers.
    Ref(entries_[index]).store(pte | ClaimIn(index), sync::release);
  }

  // Replaces a live entry and returns what it was, with the bits that hardware set up to this
  // moment. Sequentially consistent: who dispatches a flush afterwards reads the set of CPUs after
  // the store.
  Pte Exchange(uint64_t index, Pte pte) {
    return Ref(entries_[index]).exchange(pte | ClaimIn(index), sync::seq_cst) & ~F::kClaimBit;
  }

  // Replaces a live entry if it is still exactly `expected`, which is updated if not.
  bool CompareExchange(uint64_t index, Pte& expected, Pte pte) {
    const Pte claim = ClaimIn(index);
    expected |= claim;
    const bool done = CompareExchangeAsHardware(index, expected, pte | claim);
    expected &= ~F::kClaimBit;
    return done;
  }

  // Initialises an entry of a node that is not published yet.
  void Fill(uint64_t index, Pte pte) {
    // order: relaxed; the release store that publishes the node orders it.
    Ref(entries_[index]).store(pte, sync::relaxed);
  }

  // Whether the granule of `index` may hold an entry.
  bool MayBeOccupied(uint64_t index, int level) const {
    // order: relaxed; a hint, or ordered by the claim of the granule.
    return (slot_->occupancy.load(sync::relaxed) & Granules(index, index, level)) != 0;
  }

  // To be called by the granule's holder before the granule's first entry is stored.
  void Occupy(uint64_t index, int level) {
    if (MayBeOccupied(index, level)) return;
    // order: relaxed; other holders own other bits, a reader without a claim takes it as a hint.
    slot_->occupancy.fetch_or(Granules(index, index, level), sync::relaxed);
  }

  // The same for all granules of a node that is not published yet.
  void OccupyAll(int level) {
    // order: relaxed; as in Fill.
    slot_->occupancy.store(AllGranules(level), sync::relaxed);
  }

  // To be called by the holder of their granules after the entries `first` to `last` were cleared.
  void Vacate(uint64_t first, uint64_t last, int level) {
    uint64_t emptied = Granules(first, last, level);
    // Only the granules at both ends hold other entries.
    const uint64_t per_granule = Geo::EntriesPerGranule(level);
    if (HoldsAny(last + 1, (last | (per_granule - 1)) + 1)) {
      emptied &= ~Granules(last, last, level);
    }
    if (HoldsAny(first & ~(per_granule - 1), first)) emptied &= ~Granules(first, first, level);
    // Where several CPUs use the table, what they all read is left alone.
    emptied &= ~lock(level).Moved();
    // order: relaxed, as in Occupy.
    if (emptied != 0) slot_->occupancy.fetch_and(~emptied, sync::relaxed);
  }

  // Calls `visit(level, entry)` for every present entry from `first` to `last`, ascending, skipping
  // granules that are known to be empty without looking at their entries. `level` is a constant in
  // a leaf table.
  template <typename Visit>
  void ForEachPresent(uint64_t first, uint64_t last, int level, Visit visit) const {
    if (level == 1) {
      ForEachPresentOf(std::integral_constant<int, 1>(), first, last, visit);
    } else {
      ForEachPresentOf(level, first, last, visit);
    }
  }
  // Calls `visit(index, entry)` for the same entries, descending.
  template <typename Visit>
  void ForEachPresentDown(uint64_t first, uint64_t last, int level, Visit visit) const {
    // order: relaxed, as in ForEachPresent.
    uint64_t granules = slot_->occupancy.load(sync::relaxed) & Granules(first, last, level);
    const uint64_t per_granule = Geo::EntriesPerGranule(level);
    while (granules != 0) {
      const int top = 63 - std::countl_zero(granules);
      granules &= ~(uint64_t{1} << top);
      const uint64_t from = static_cast<uint64_t>(top) * per_granule;
      const uint64_t to = from + per_granule - 1;
      for (uint64_t i = (to > last ? last : to) + 1; i-- > (from < first ? first : from);) {
        if (const Pte pte = Load(i); F::Kind(pte, level) != EntryKind::kAbsent) visit(i, pte);
      }
    }
  }

 private:
  template <typename Level, typename Visit>
  void ForEachPresentOf(Level level, uint64_t first, uint64_t last, Visit& visit) const {
    // order: relaxed; the caller holds the granules, or nobody else knows the node any more.
    uint64_t granules = slot_->occupancy.load(sync::relaxed) & Granules(first, last, level);
    const uint64_t per_granule = Geo::EntriesPerGranule(level);
    for (; granules != 0; granules &= granules - 1) {
      const uint64_t granule = static_cast<uint64_t>(std::countr_zero(granules)) * per_granule;
      const uint64_t end = std::min(last + 1, granule + per_granule);
      for (uint64_t i = std::max(first, granule); i < end; ++i) {
        if (const Pte pte = Load(i); F::Kind(pte, level) != EntryKind::kAbsent) visit(level, pte);
      }
    }
  }

  // Whether one of the entries `from` to `end` - 1 is not absent.
  bool HoldsAny(uint64_t from, uint64_t end) const {
    for (uint64_t i = from; i < end; ++i) {
      // order: relaxed; the granule is held, nobody else stores entries in it.
      if ((Ref(entries_[i]).load(sync::relaxed) & ~F::kClaimBit) != kAbsentPte) return true;
    }
    return false;
  }

  // The claim bit of an entry whose granule the caller holds, or that nobody else knows yet.
  Pte ClaimIn(uint64_t index) const {
    if (index % Geo::kEntriesPerGranule != 0) return 0;
    // order: relaxed; only the holder changes it.
    return sync::AtomicRef<Pte>(entries_[index]).load(sync::relaxed) & F::kClaimBit;
  }

  MetaSlot* slot_;
  Pte* entries_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_NODE_H_
