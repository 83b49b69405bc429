// SPDX-License-Identifier: Apache-2.0
//
// The scenarios that ./paddock explore runs: small programs over the real sources of concurrency/
// and core/, each with the states that it must reach and with checks of its own.
// docs/exploration.md tells how to write one.

#ifndef PADDOCK_STRESS_EXPLORE_SCENARIOS_H_
#define PADDOCK_STRESS_EXPLORE_SCENARIOS_H_

#include <string_view>
#include <vector>

#include "paddock/concurrency/model/scenario.h"

namespace paddock::explore {

std::vector<model::Scenario> LockScenarios();
std::vector<model::Scenario> RcuScenarios();
std::vector<model::Scenario> IpiScenarios();
std::vector<model::Scenario> ShootdownScenarios();
std::vector<model::Scenario> FrameScenarios();
std::vector<model::Scenario> CursorScenarios();
std::vector<model::Scenario> ClaimScenarios();
std::vector<model::Scenario> MovedScenarios();
std::vector<model::Scenario> CrowdScenarios();
std::vector<model::Scenario> TableScenarios();
std::vector<model::Scenario> SplitScenarios();
std::vector<model::Scenario> KernelScenarios();
std::vector<model::Scenario> LedgerScenarios();

// All of them, in the order in which they run.
const std::vector<model::Scenario>& AllScenarios();

}  // namespace paddock::explore

#endif  // PADDOCK_STRESS_EXPLORE_SCENARIOS_H_
