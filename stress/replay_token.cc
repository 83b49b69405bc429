// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/replay_token.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "paddock/concurrency/cpu_set.h"
#include "paddock/stress/workload/generator.h"

namespace paddock {

std::string ToString(const ReplayToken& token) {
  std::string text =
      absl::StrCat(token.workload, ":", token.seed, ":", token.threads, ":", token.round);
  if (token.inject.set != 0) absl::StrAppend(&text, ":", token.inject.ToString());
  return text;
}

absl::StatusOr<ReplayToken> ParseReplayToken(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("token '", std::string(text), "': ", why,
                     "; a token looks like WORKLOAD:SEED:THREADS:ROUND or "
                     "WORKLOAD:SEED:THREADS:ROUND:INJECTIONS"));
  };
  const std::vector<std::string> parts = absl::StrSplit(std::string(text), ':');
  if (parts.size() != 4 && parts.size() != 5) return refuse("it has not 4 or 5 parts");
  ReplayToken token;
  token.workload = parts[0];
  if (FindWorkload(token.workload) == nullptr) {
    return refuse(absl::StrCat("'", token.workload, "' is no workload with streams"));
  }
  if (!absl::SimpleAtoi(parts[1], &token.seed)) return refuse("the seed is no number");
  if (!absl::SimpleAtoi(parts[2], &token.threads) || token.threads == 0 ||
      token.threads > kMaxCpus) {
    return refuse(absl::StrCat("the number of threads is not 1 to ", kMaxCpus));
  }
  if (!absl::SimpleAtoi(parts[3], &token.round)) return refuse("the round is no number");
  if (parts.size() == 5) {
    absl::StatusOr<Injections> inject = ParseInjections(parts[4]);
    if (!inject.ok()) return inject.status();
    token.inject = *inject;
  }
  return token;
}

}  // namespace paddock
