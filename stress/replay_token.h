// SPDX-License-Identifier: Apache-2.0
//
// Names one round of one workload, so that it can be run again: "mixed:7:2:35", or with injections
// "mixed:7:2:35:delay,stall": workload, seed, threads, round.
//
//   std::string token = ToString(ReplayToken{"mixed", 7, 2, 35, {}});
//   absl::StatusOr<ReplayToken> again = ParseReplayToken(token);
//
// A world is built anew every kRoundsPerWorld rounds, so a round is reached from the first of its
// world. The streams are the same again; how they interleave is not.

#ifndef PADDOCK_STRESS_REPLAY_TOKEN_H_
#define PADDOCK_STRESS_REPLAY_TOKEN_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "paddock/stress/inject/injections.h"

namespace paddock {

inline constexpr uint64_t kRoundsPerWorld = 32;
// Steps of each stream in a round, at most.
inline constexpr uint64_t kStepsPerRound = 8192;

struct ReplayToken {
  std::string workload;
  uint64_t seed = 0;
  uint32_t threads = 1;
  uint64_t round = 0;
  Injections inject;

  friend bool operator==(const ReplayToken&, const ReplayToken&) = default;
};

std::string ToString(const ReplayToken& token);

// INVALID_ARGUMENT: says which part is wrong and what would be right.
absl::StatusOr<ReplayToken> ParseReplayToken(std::string_view text);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPLAY_TOKEN_H_
