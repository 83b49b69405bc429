// SPDX-License-Identifier: Apache-2.0
//
// A program from the C++ that it prints as: what a finding, a seed and a regression are kept as.
//
//   absl::StatusOr<Program> program = Parse("{\n    CloseOp{},\n}\n");   // == Program{CloseOp{}}
//
// Fields stand in order, those left out keep their defaults; white space and // comments are where
// C++ allows them. Nothing else of C++ is read. Thread safety: pure. Failure: INVALID_ARGUMENT
// names the line and what was wanted.

#ifndef PADDOCK_TESTS_FUZZ_TEXT_H_
#define PADDOCK_TESTS_FUZZ_TEXT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

absl::StatusOr<Program> Parse(std::string_view text);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_TEXT_H_
