// SPDX-License-Identifier: Apache-2.0
//
// Programs as bytes, which is what libFuzzer mutates: twelve for each step. Any bytes are a
// program. Values are chosen so that few bits lead to the places that matter: addresses lie around
// landmarks (0, the borders of tables, the end of the user's half), lengths are a few pages or huge
// pages, misaligned or backwards on occasion.
//
//   Program program = Decode(bytes);
//   absl::StatusOr<std::vector<uint8_t>> same = Encode(program);     // Decode(*same) == program
//
// Thread safety: pure functions. Failure: Encode is INVALID_ARGUMENT for a step with a value that
// no bytes stand for, which Decode never makes.

#ifndef PADDOCK_TESTS_FUZZ_BYTES_H_
#define PADDOCK_TESTS_FUZZ_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

inline constexpr size_t kStepBytes = 12;
// Longer programs are cut.
inline constexpr size_t kMaxSteps = 64;

Program Decode(std::span<const uint8_t> bytes);
absl::StatusOr<std::vector<uint8_t>> Encode(const Program& program);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_BYTES_H_
