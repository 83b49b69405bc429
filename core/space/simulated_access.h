// SPDX-License-Identifier: Apache-2.0
//
// One access of a simulated CPU, in its two halves: translate through the CPU's TLB, on a miss
// through the tables, setting accessed and dirty bits; then touch the memory. For VmSpace and for
// the kernel's accesses, which check addresses and decide what a fault means.
//
//   TlbFill filled =
//       TranslateAccess(machine, pin, {root, tag}, va, Access::kRead, Privilege::kUser);
//   if (filled.fault != WalkFault::kNone) return ...;
//   AccessResult loaded = CompleteAccess(machine.frames(), *filled.entry, va, std::nullopt);
//
// No interrupt point lies between the two: a flush that is served later comes after the access.
// Thread safety: the thread of `pin`. Failure: a fault, or none. Cost: a look into the TLB; on a
// miss one load per level and a compare-exchange per bit set.

#ifndef PADDOCK_CORE_SPACE_SIMULATED_ACCESS_H_
#define PADDOCK_CORE_SPACE_SIMULATED_ACCESS_H_

#include <cstdint>
#include <optional>

#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/hardware_walk.h"
#include "paddock/core/tlb/soft_tlb.h"

namespace paddock {

class Machine;

// A completed simulated access. The generations are those of the frame, when the TLB was filled and
// after the access; they differ if the frame was freed while the CPU could still reach it: a
// violation of TLB coherence. An untracked mapping keeps no frame, so its generations are equal.
struct AccessResult {
  uint64_t value = 0;  // what was loaded, or stored
  PhysAddr frame;      // the base frame that was accessed
  uint32_t generation_at_fill = 0;
  uint32_t generation_now = 0;
};

// The tables that a CPU translates through, and the tag under which its TLB keeps what it finds.
struct TranslationRoot {
  PhysAddr table;
  uint64_t tag = 0;
};

struct TlbFill {
  WalkFault fault = WalkFault::kNone;
  // If there is no fault: of one base page, in place; until the TLB is filled or flushed next.
  const TlbEntry* entry = nullptr;
};

// The TLB entry that allows `access` at `va`, filled if need be.
TlbFill TranslateAccess(Machine& machine, const CpuPin& pin, TranslationRoot root, VirtAddr va,
                        Access access, Privilege privilege);

// Loads the 8 bytes at `va`, or stores `store` there; atomic and unordered. Preconditions: `va` is
// a multiple of 8 in the page of `entry`, whose frame lies in the machine's memory.
AccessResult CompleteAccess(FrameTable& frames, const TlbEntry& entry, VirtAddr va,
                            std::optional<uint64_t> store);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_SIMULATED_ACCESS_H_
