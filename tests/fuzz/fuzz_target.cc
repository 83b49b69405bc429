// SPDX-License-Identifier: Apache-2.0
//
// The entry point of libFuzzer: bytes are a program, which is replayed.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "paddock/tests/fuzz/bytes.h"
#include "paddock/tests/fuzz/replay.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const paddock::fuzz::Program program = paddock::fuzz::Decode({data, size});
  const absl::Status held = paddock::fuzz::Replay(program);
  if (held.ok()) return 0;
  std::fprintf(stderr, "%s\n%s", std::string(held.message()).c_str(),
               paddock::fuzz::Print(program).c_str());
  std::abort();
}
