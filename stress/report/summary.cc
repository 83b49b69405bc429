// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/summary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace paddock {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFail:
      return "fail";
    case Verdict::kInterrupted:
      return "interrupted";
  }
  return "?";
}

Verdict Summary::verdict() const {
  if (!Failures().empty()) return Verdict::kFail;
  return interrupted ? Verdict::kInterrupted : Verdict::kPass;
}

uint64_t Summary::AllViolations() const {
  return std::max<uint64_t>(violation_count, violations.size());
}

std::vector<std::string> Summary::Failures() const {
  std::vector<std::string> failures;
  uint64_t in_oracles = 0;
  for (const OracleResult& oracle : oracles) {
    in_oracles += oracle.violations;
    if (oracle.violations != 0) {
      failures.push_back(absl::StrCat(oracle.name, ": ", oracle.violations, " violations"));
    } else if (!oracle.Passed()) {
      failures.push_back(absl::StrCat(oracle.name, ": checked nothing"));
    }
  }
  // Others report too, the watchdog for one.
  const uint64_t all = AllViolations();
  if (all > in_oracles) failures.push_back(absl::StrCat(all - in_oracles, " other violations"));
  return failures;
}

}  // namespace paddock
