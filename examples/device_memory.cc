// SPDX-License-Identifier: Apache-2.0
//
// Maps the registers of two devices into a table of its own configuration, takes a page out of the
// middle of one window and makes another read-only; the tags are where they were.
//
//   bazel run --config=opt //examples:device_memory

#include "paddock/examples/device_memory.h"

#include <cstdio>
#include <memory>

#include "absl/status/status.h"
#include "paddock/core/space/machine.h"

namespace paddock::examples {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr VirtRange kDisk{VirtAddr(0x4000'0000), VirtAddr(0x4000'0000 + 2 * kMiB)};
constexpr VirtRange kNetwork{VirtAddr(0x4020'0000), VirtAddr(0x4020'1000)};
constexpr VirtRange kDoorbell{VirtAddr(0x4000'3000), VirtAddr(0x4000'4000)};
constexpr VirtRange kStatus{VirtAddr(0x4000'8000), VirtAddr(0x4000'9000)};

void Print(PageTable<DeviceConfig>& table, Machine& machine, const CpuPin& pin, VirtAddr va) {
  const RcuReadGuard section(machine.rcu(), pin);
  const std::optional<DeviceMemory> found = DeviceAt(table, section, va);
  if (!found) {
    std::printf("%#llx: nothing\n", static_cast<unsigned long long>(va.value()));
    return;
  }
  std::printf("%#llx: %#llx of device %d, %s\n", static_cast<unsigned long long>(va.value()),
              static_cast<unsigned long long>(found->start.value()), found->tag,
              Describe(found->property).c_str());
}

absl::Status Map(PageTable<DeviceConfig>& table, const CpuPin& pin, VirtRange range,
                 DeviceMemory memory) {
  auto cursor = table.OpenCursorMut(pin, range);
  if (!cursor.ok()) return cursor.status();
  return cursor->Map(std::move(memory));
}

absl::Status CutAndProtect(PageTable<DeviceConfig>& table, const CpuPin& pin) {
  auto cursor = table.OpenCursorMut(pin, kDisk);
  if (!cursor.ok()) return cursor.status();
  if (absl::Status moved = cursor->Jump(kDoorbell.start); !moved.ok()) return moved;
  if (auto removed = cursor->Unmap(kDoorbell.size()); !removed.ok()) return removed.status();
  if (absl::Status moved = cursor->Jump(kStatus.start); !moved.ok()) return moved;
  auto changed = cursor->Protect(kStatus.size(), [](PageProperty property) {
    property.flags &= ~PageFlags::kWrite;
    return property;
  });
  return changed.status();
}

absl::Status Run() {
  auto machine = Machine::Create({.cpus = 1, .memory_bytes = 16 * kMiB});
  if (!machine.ok()) return machine.status();
  auto pin = (*machine)->Pin(CpuId{0});
  if (!pin.ok()) return pin.status();
  auto table = PageTable<DeviceConfig>::Create((*machine)->page_tables(), *pin);
  if (!table.ok()) return table.status();

  // One entry for 2 MiB of registers, one for 4 KiB. Neither is memory of the machine.
  const DeviceMemory disk{.start = PhysAddr(0xfe00'0000), .level = 2, .tag = 3};
  const DeviceMemory network{.start = PhysAddr(0xfec0'0000), .tag = 7};
  if (auto mapped = Map(**table, *pin, kDisk, disk); !mapped.ok()) return mapped;
  if (auto mapped = Map(**table, *pin, kNetwork, network); !mapped.ok()) return mapped;
  if (auto changed = CutAndProtect(**table, *pin); !changed.ok()) return changed;

  for (const VirtAddr va : {kDisk.start, kDoorbell.start, kStatus.start, kNetwork.start}) {
    Print(**table, **machine, *pin, va);
  }
  const RcuReadGuard section((*machine)->rcu(), *pin);
  const auto status = DeviceAt(**table, section, kStatus.start);
  const DeviceMemory expected{
      .start = PhysAddr(0xfe00'8000),
      .tag = disk.tag,
      .property = {.flags = PageFlags::kRead, .cache = CachePolicy::kUncacheable}};
  if (status != expected) return absl::InternalError("a part of a window lost its tag");
  return absl::OkStatus();
}

}  // namespace
}  // namespace paddock::examples

int main() {
  const absl::Status status = paddock::examples::Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
