// SPDX-License-Identifier: Apache-2.0
//
// Where a machine's kernel has what: the linear map of physical memory, and the window from which
// kernel areas (kvirt_area.h) get their addresses.
//
//   KernelLayout layout;
//   layout.linear_mapping = LinearMapping::kAllMemory;
//   auto machine = Machine::Create({.cpus = 2, .kernel = layout});
//
// Thread safety: a value. Failure: CheckLayout. Cost of a linear mapping: once, when the machine is
// made, one entry per GiB of memory, or per 2 MiB and 4 KiB at ends that are not multiples of it,
// and the tables for those.

#ifndef PADDOCK_CORE_SPACE_KERNEL_LAYOUT_H_
#define PADDOCK_CORE_SPACE_KERNEL_LAYOUT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "paddock/arch/address.h"

namespace paddock {

enum class LinearMapping : uint8_t {
  kNone,
  // Physical address p at linear_map.start + p, untracked, global, read and write, for all physical
  // memory.
  kAllMemory,
};

struct KernelLayout {
  VirtRange linear_map{VirtAddr(0xffff'fc00'0000'0000), VirtAddr(0xffff'fe00'0000'0000)};
  VirtRange dynamic_window{VirtAddr(0xffff'fe00'0000'0000), VirtAddr(0xffff'ff80'0000'0000)};
  // Off by default: who uses the library reaches all memory through PhysicalMemory::Data.
  LinearMapping linear_mapping = LinearMapping::kNone;
  // Destroyed areas whose addresses wait for a flush: as soon as there are more areas, or more
  // pages in them, all are flushed in one batch. 0: each at once. Frames of theirs wait with them.
  uint32_t quarantine_areas = 32;
  uint64_t quarantine_pages = 4096;
};

// INVALID_ARGUMENT: a range is reversed, not aligned to 4 KiB, or empty (the linear map may be, if
// nothing is mapped there), or the two overlap, or the linear map does not reach the end of
// `memory` though it is to hold it. OUT_OF_RANGE: a range is not inside the addresses that cursors
// of the kernel's table may lock.
absl::Status CheckLayout(const KernelLayout& layout, PhysRange memory);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_KERNEL_LAYOUT_H_
