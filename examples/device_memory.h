// SPDX-License-Identifier: Apache-2.0
//
// A configuration of one's own: a table of device memory. What it maps are physical ranges that no
// frame table counts, each with a tag that says whose they are. The tag travels in the software
// bits of the entry, so it is still there when a part of a window was split off or protected.
//
//   auto table = *PageTable<DeviceConfig>::Create(machine->page_tables(), pin);
//   auto cursor = *table->OpenCursorMut(pin, range);
//   absl::Status mapped = cursor.Map(DeviceMemory{.start = PhysAddr(0xfe000000), .tag = 3});
//   std::optional<DeviceMemory> found = DeviceAt(*table, section, va);
//
// The contract of a configuration is in core/page_table/config.h; device_memory_test.cc puts this
// one through it.

#ifndef PADDOCK_EXAMPLES_DEVICE_MEMORY_H_
#define PADDOCK_EXAMPLES_DEVICE_MEMORY_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/x86_64.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/page_table.h"

namespace paddock::examples {

// Registers, to be neither cached nor executed.
inline constexpr PageProperty kDeviceProperty{.flags = PageFlags::kRead | PageFlags::kWrite,
                                              .cache = CachePolicy::kUncacheable};

// The memory that one entry maps. `property.software` is not used: the tag takes its place.
struct DeviceMemory {
  PhysAddr start;
  int level = 1;
  uint8_t tag = 0;
  PageProperty property = kDeviceProperty;

  friend bool operator==(const DeviceMemory&, const DeviceMemory&) = default;
};

class DeviceConfig {
 public:
  using Format = x86_64::Format4;
  using Item = DeviceMemory;
  static constexpr uint64_t kTopLevelFirst = 0;
  static constexpr uint64_t kTopLevelLast = 255;
  static constexpr bool kTopLevelRemovable = true;
  static constexpr TlbScope kTlbScope = TlbScope::kSpace;

  explicit DeviceConfig(FrameTable&) {}

  RawItem RawOf(const Item& item) const {
    RawItem raw{item.start, item.level, item.property};
    raw.property.software = item.tag;
    return raw;
  }
  Item ItemFromRaw(const RawItem& raw) const {
    Item item{raw.frame, raw.level, raw.property.software, raw.property};
    item.property.software = 0;
    return item;
  }
  // Nobody counts owners of a device's memory: giving up and cloning leave nothing to do.
  RawItem ItemIntoRaw(Item&& item) const { return RawOf(item); }
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const { return ItemFromRaw(raw); }
  bool IsTracked(const RawItem&) const { return false; }
  // Every machine has the same physical addresses for its devices.
  bool Owns(const Item&) const { return true; }
};

static_assert(PageTableConfig<DeviceConfig>);

// What is mapped at `va`, from there on.
inline std::optional<DeviceMemory> DeviceAt(const PageTable<DeviceConfig>& table,
                                            const RcuReadGuard& section, VirtAddr va) {
  const std::optional<Translation> found = table.Walk(section, va);
  if (!found) return std::nullopt;
  DeviceMemory memory = table.config().ItemFromRaw(found->item);
  memory.start = found->address;
  return memory;
}

}  // namespace paddock::examples

#endif  // PADDOCK_EXAMPLES_DEVICE_MEMORY_H_
