// SPDX-License-Identifier: Apache-2.0
//
// Of which spaces one CPU's TLB may hold entries, and up to which generation of each they are good.
//
//   TagTable::Place place = tags.FindOrEvict(context.tag());
//   if (place.evicted != 0) tlb.FlushTag(place.evicted);   // or its entries would outlive its slot
//
// Thread safety: the thread that is pinned to the CPU. Cost: a scan of the slots, one cache line
// per two or three of them.

#ifndef PADDOCK_CORE_TLB_TAG_TABLE_H_
#define PADDOCK_CORE_TLB_TAG_TABLE_H_

#include <cstdint>
#include <vector>

#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/cpu_allocator.h"

namespace paddock {

class alignas(kCpuStride) TagTable {
 public:
  struct Slot {
    uint64_t tag = 0;  // 0: free
    // invariant: no entry of the tag in the CPU's TLB is older than this generation of its space.
    uint64_t seen = 0;
    uint64_t last_use = 0;
  };
  struct Place {
    Slot* slot;        // `slot->tag` is the tag asked for
    bool is_new;       // the TLB holds no entry of the tag; the caller sets `seen`
    uint64_t evicted;  // the tag that had to make room; 0 if none
  };

  // As many as a PCID tells apart.
  static constexpr uint32_t kMaxSlots = 4096;

  // `slots` is 1 to kMaxSlots.
  explicit TagTable(uint32_t slots) : slots_(slots) {}

  // Null: the TLB holds no entry of `tag`, unless it is a global one.
  Slot* Find(uint64_t tag) {
    for (Slot& slot : slots_) {
      if (slot.tag == tag) return &slot;
    }
    return nullptr;
  }

  // Finds it or takes a free slot, or the one used longest ago.
  Place FindOrEvict(uint64_t tag) {
    ++clock_;
    if (Slot* slot = Find(tag)) {
      slot->last_use = clock_;
      return {slot, false, 0};
    }
    Slot* oldest = &slots_.front();
    for (Slot& slot : slots_) {
      if (slot.last_use < oldest->last_use) oldest = &slot;
    }
    const uint64_t evicted = oldest->tag;
    *oldest = Slot{tag, 0, clock_};
    return {oldest, true, evicted};
  }

  void Clear() {
    for (Slot& slot : slots_) slot = Slot{};
  }

 private:
  // invariant: `last_use` of a free slot is 0, of others above.
  std::vector<Slot, CpuAllocator<Slot>> slots_;
  uint64_t clock_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_TLB_TAG_TABLE_H_
