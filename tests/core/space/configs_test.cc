// SPDX-License-Identifier: Apache-2.0
//
// The two configurations of a machine keep the contract of configurations.

#include "paddock/core/space/configs.h"

#include <cstdint>
#include <optional>

#include "gtest/gtest.h"
#include "paddock/tests/support/config_conformance.h"

namespace paddock {
namespace {

static_assert(LeadingBits<UserPtConfig>() == 0);
static_assert(LeadingBits<KernelPtConfig>() == 0xffff'0000'0000'0000);

struct KernelFrames {
  using Config = KernelPtConfig;
  static constexpr Tracking kTracking = Tracking::kTracked;
  static std::optional<KernelItem> Make(FrameTable& frames, int level, PageProperty property) {
    std::optional<MappedFrames> mapped = FrameSamples<UserPtConfig>::Make(frames, level, property);
    if (!mapped) return std::nullopt;
    return KernelItem(std::move(mapped->frames), property);
  }
};

struct KernelDevices {
  using Config = KernelPtConfig;
  static constexpr Tracking kTracking = Tracking::kUntracked;
  static std::optional<KernelItem> Make(FrameTable&, int level, PageProperty property) {
    const PhysAddr start(uint64_t{7} << 30);
    const uint64_t span = Geometry<UserFormat>::EntrySpan(level);
    return KernelItem(PhysRange{start, start.Plus(span)}, property);
  }
};

using MachineSamples = testing::Types<FrameSamples<UserPtConfig>, KernelFrames, KernelDevices>;
INSTANTIATE_TYPED_TEST_SUITE_P(Machine, ConfigConformance, MachineSamples);

}  // namespace
}  // namespace paddock
