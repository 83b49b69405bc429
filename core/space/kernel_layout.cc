// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/kernel_layout.h"

#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "paddock/core/space/configs.h"

namespace paddock {
namespace {

std::string Text(absl::string_view name, VirtRange range) {
  return absl::StrFormat("kernel.%s [%#x, %#x)", name, range.start.value(), range.end.value());
}

absl::Status CheckRange(absl::string_view name, VirtRange range) {
  if (range.IsEmpty()) return absl::InvalidArgumentError(Text(name, range) + " is empty");
  if (range.IsReversed()) return absl::InvalidArgumentError(Text(name, range) + " is reversed");
  if (!range.IsAligned(kPageSize)) {
    return absl::InvalidArgumentError(Text(name, range) + " is not aligned to 4 KiB");
  }
  if (!kKernelRange.Contains(range)) {
    return absl::OutOfRangeError(
        absl::StrFormat("%s is not inside the kernel's addresses [%#x, %#x)", Text(name, range),
                        kKernelRange.start.value(), kKernelRange.end.value()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLayout(const KernelLayout& layout, PhysRange memory) {
  absl::Status status = CheckRange("dynamic_window", layout.dynamic_window);
  if (!status.ok()) return status;
  const bool mapped = layout.linear_mapping == LinearMapping::kAllMemory;
  if (layout.linear_map.IsEmpty() && !mapped) return absl::OkStatus();
  status = CheckRange("linear_map", layout.linear_map);
  if (!status.ok()) return status;
  if (layout.linear_map.Intersects(layout.dynamic_window)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s overlaps %s", Text("linear_map", layout.linear_map),
                        Text("dynamic_window", layout.dynamic_window)));
  }
  if (mapped && memory.last().value() >= layout.linear_map.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s has %#x bytes, too few for physical addresses up to %#x",
        Text("linear_map", layout.linear_map), layout.linear_map.size(), memory.last().value()));
  }
  return absl::OkStatus();
}

}  // namespace paddock
