// SPDX-License-Identifier: Apache-2.0
//
// The contract of configurations at both ends of the x86-64 address space: below the hole with four
// levels, and up to the very top with five.

#include "gtest/gtest.h"
#include "paddock/arch/x86_64.h"
#include "paddock/tests/support/bare_config.h"
#include "paddock/tests/support/config_conformance.h"

namespace paddock {
namespace {

template <typename F>
using Upper = BareConfig<F, kLastRootEntry<F> / 2 + 1, kLastRootEntry<F>>;

using X86Samples =
    testing::Types<BareSamples<BareConfig<x86_64::Format4>>, BareSamples<Upper<x86_64::Format5>>>;
INSTANTIATE_TYPED_TEST_SUITE_P(X86, ConfigConformance, X86Samples);

}  // namespace
}  // namespace paddock
