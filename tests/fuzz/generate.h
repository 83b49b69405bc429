// SPDX-License-Identifier: Apache-2.0
//
// Programs that mean something: transactions whose steps mostly fit the range that they locked,
// around the landmarks of bytes.h. They seed the fuzzer, which then goes wrong by itself.
//
//   Program program = Generate(/*seed=*/7);        // always the same one
//
// Thread safety: pure.

#ifndef PADDOCK_TESTS_FUZZ_GENERATE_H_
#define PADDOCK_TESTS_FUZZ_GENERATE_H_

#include <cstdint>

#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

// The programs of the corpus are those of seeds 0 to kSeeds - 1.
inline constexpr uint64_t kSeeds = 24;

Program Generate(uint64_t seed);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_GENERATE_H_
