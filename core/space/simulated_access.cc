// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/simulated_access.h"

#include "paddock/concurrency/rcu.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/space/configs.h"
#include "paddock/core/space/machine.h"

namespace paddock {
namespace {

bool Allows(const TlbEntry& entry, Access access, Privilege privilege) {
  PageFlags needed = FlagsNeeded(access, privilege);
  // The first write through a clean entry walks again, to set the dirty bit in the table.
  if (access == Access::kWrite) needed = needed | PageFlags::kDirty;
  return HasAll(entry.property.flags, needed);
}

// A huge page enters the TLB in base pages, as on processors that break them up: each then has the
// generation of its own frame to be checked against.
TlbEntry BasePageEntry(const FrameTable& frames, VirtAddr va, const Translation& found) {
  TlbEntry entry;
  entry.page = va.AlignDown(kPageSize);
  entry.bytes = kPageSize;
  entry.frame = found.address.AlignDown(kPageSize);
  entry.property = found.item.property;
  if (frames.Contains(entry.frame)) {
    // order: relaxed; the caller's section keeps a frame that is owned, and with it its generation,
    // as it is.
    entry.frame_generation = frames.slot(entry.frame).generation.load(sync::relaxed);
  }
  return entry;
}

}  // namespace

TlbFill TranslateAccess(Machine& machine, const CpuPin& pin, TranslationRoot root, VirtAddr va,
                        Access access, Privilege privilege) {
  SoftTlb& tlb = machine.tlb().soft_tlb(pin);
  const TlbEntry* const hit = tlb.Find(root.tag, va);
  if (hit != nullptr && Allows(*hit, access, privilege)) return {WalkFault::kNone, hit};
  RcuReadGuard section(machine.rcu(), pin);
  const HardwareWalkResult walk =
      HardwareWalk<UserFormat>(machine.frames(), root.table, section, va, access, privilege);
  if (walk.fault != WalkFault::kNone) return {walk.fault, nullptr};
  return {WalkFault::kNone,
          tlb.Insert(root.tag, BasePageEntry(machine.frames(), va, walk.translation))};
}

AccessResult CompleteAccess(FrameTable& frames, const TlbEntry& entry, VirtAddr va,
                            std::optional<uint64_t> store) {
  auto* word = reinterpret_cast<uint64_t*>(frames.Data(entry.frame) + va.value() % kPageSize);
  AccessResult result;
  result.frame = entry.frame;
  result.generation_at_fill = entry.frame_generation;
  // order: relaxed, both; the memory is shared as its users agree, and promises nothing by itself.
  if (store) {
    sync::AtomicRef<uint64_t>(*word).store(*store, sync::relaxed);
    result.value = *store;
  } else {
    result.value = sync::AtomicRef<uint64_t>(*word).load(sync::relaxed);
  }
  // The newest that can be had: an older one would miss a stale translation, never invent one.
  result.generation_now = frames.slot(entry.frame).generation.load(sync::seq_cst);
  return result;
}

}  // namespace paddock
