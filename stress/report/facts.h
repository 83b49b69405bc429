// SPDX-License-Identifier: Apache-2.0
//
// The parts of a summary that people read as names and values, whatever they are written into.
//
//   for (const FactGroup& group : MachineFacts(summary)) {
//     for (const Fact& fact : group.facts) { ... fact.value << " " << fact.name ... }
//   }
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_REPORT_FACTS_H_
#define PADDOCK_STRESS_REPORT_FACTS_H_

#include <string>
#include <vector>

#include "paddock/stress/report/summary.h"

namespace paddock {

struct Fact {
  std::string name;
  std::string value;
};
struct FactGroup {
  std::string title;
  std::vector<Fact> facts;
};

// Locks, TLB, RCU, frames.
std::vector<FactGroup> MachineFacts(const Summary& summary);
// A group for each recording.
std::vector<FactGroup> TraceFacts(const Summary& summary);
// What an oracle that made no check says of that; empty if it made some.
std::string IdleNote(const OracleResult& oracle);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_FACTS_H_
