// SPDX-License-Identifier: Apache-2.0
//
// The two configurations of a machine keep the contract of configurations.

#include "paddock/core/space/configs.h"

#include "gtest/gtest.h"
#include "paddock/tests/support/config_conformance.h"

namespace paddock {
namespace {

static_assert(LeadingBits<UserPtConfig>() == 0);
static_assert(LeadingBits<KernelPtConfig>() == 0xffff'0000'0000'0000);

using MachineSamples = testing::Types<FrameSamples<UserPtConfig>, FrameSamples<KernelPtConfig>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Machine, ConfigConformance, MachineSamples);

}  // namespace
}  // namespace paddock
