// SPDX-License-Identifier: Apache-2.0
//
// Runs a program on a machine of its own and judges every step by a model: for each space an
// abstract table (core/spec/abstract_table.h), compared after each step with what an independent
// walker finds in memory, the same for kernel areas, and for each call the codes with which it must
// be refused. At the end everything must have come home: frames, addresses, what was retired.
//
//   absl::Status held = Replay(program);     // INTERNAL: the step, and what is wrong with it
//
// A step that has nothing to work on (no space, no cursor) does nothing. A CPU that opens a second
// cursor is checked to be refused, or closes it at once. A broken check inside of the library stops
// the process.
//
// Thread safety: any thread; needs no CPU. Cost: a machine of 512 MiB, reserved and not touched;
// some 100 us, and a walk of a space's tables for each step.

#ifndef PADDOCK_TESTS_FUZZ_REPLAY_H_
#define PADDOCK_TESTS_FUZZ_REPLAY_H_

#include "absl/status/status.h"
#include "paddock/tests/fuzz/steps.h"

namespace paddock::fuzz {

absl::Status Replay(const Program& program);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_REPLAY_H_
