// SPDX-License-Identifier: Apache-2.0
//
// Programs in files: texts (*.steps), as they are kept in the repository, and what libFuzzer
// writes.
//
//   absl::StatusOr<Program> program = ReadProgram("tests/fuzz/corpus/seed_00.steps");
//
// Thread safety: pure but for the files. Failure: NOT_FOUND if a file cannot be read;
// INVALID_ARGUMENT with the file's name if it holds no program.

#ifndef PADDOCK_TESTS_FUZZ_FILES_H_
#define PADDOCK_TESTS_FUZZ_FILES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

// A text if the name ends so, else bytes.
absl::StatusOr<Program> ReadProgram(const std::string& path);

// UNAVAILABLE: it cannot be written.
absl::Status WriteFile(const std::string& path, std::string_view content);

// The text of a program as a file of the repository.
std::string FileText(const Program& program);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_FILES_H_
