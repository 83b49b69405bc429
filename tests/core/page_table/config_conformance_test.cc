// SPDX-License-Identifier: Apache-2.0
//
// The configurations that other tests build tables of keep the contract, so that those tests say
// something about every configuration that does.

#include <cstdint>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/bare_config.h"
#include "paddock/tests/support/config_conformance.h"

namespace paddock {
namespace {

template <typename F>
using Owning = FramesConfig<F, 0, kLastLowerEntry<F>>;

using TinySamples =
    testing::Types<FrameSamples<Owning<tiny::Format<3, 2>>>,
                   FrameSamples<Owning<tiny::Format<4, 1, 1, 2>>>,
                   BareSamples<BareConfig<tiny::Format2x2>>,
                   BareSamples<BareConfig<tiny::Format<3, 1>, 0, 1, /*Removable=*/false>>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Tiny, ConfigConformance, TinySamples);

}  // namespace
}  // namespace paddock
