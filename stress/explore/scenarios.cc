// SPDX-License-Identifier: Apache-2.0
#include "paddock/stress/explore/scenarios.h"

namespace paddock::explore {

const std::vector<model::Scenario>& AllScenarios() {
  static const auto* const all = [] {
    auto* const scenarios = new std::vector<model::Scenario>;
    for (auto* const family :
         {&LockScenarios, &RcuScenarios, &IpiScenarios, &ShootdownScenarios, &FrameScenarios,
          &CursorScenarios, &ClaimScenarios, &MovedScenarios, &CrowdScenarios, &TableScenarios,
          &SplitScenarios, &KernelScenarios, &LedgerScenarios}) {
      for (model::Scenario& scenario : family()) scenarios->push_back(std::move(scenario));
    }
    return scenarios;
  }();
  return *all;
}

}  // namespace paddock::explore
