// SPDX-License-Identifier: Apache-2.0
//
// The configuration of this example keeps the contract of configurations: all that there is to do
// for it is to make samples.

#include "paddock/examples/device_memory.h"

#include <optional>

#include "gtest/gtest.h"
#include "paddock/tests/support/config_conformance.h"

namespace paddock {
namespace {

using examples::DeviceConfig;
using examples::DeviceMemory;

struct DeviceSamples {
  using Config = DeviceConfig;
  static constexpr Tracking kTracking = Tracking::kUntracked;
  static constexpr PageProperty kProperty = examples::kDeviceProperty;

  // Tagged with what the property says of software bits, which the item itself does not keep.
  static std::optional<DeviceMemory> Make(FrameTable&, int level, PageProperty property) {
    DeviceMemory memory{.start = PhysAddr(uint64_t{7} << 30),
                        .level = level,
                        .tag = property.software,
                        .property = property};
    memory.property.software = 0;
    return memory;
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(DeviceMemory, ConfigConformance, testing::Types<DeviceSamples>);

}  // namespace
}  // namespace paddock
