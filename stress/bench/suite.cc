// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/suite.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "paddock/stress/bench/raw_costs.h"

namespace paddock::bench {

Suite::Added& Suite::Added::Beside(const char* operation) {
  const auto add = [&](const char* column, std::string reference, int threads) {
    suite_.contests_.push_back({name_, column, std::move(reference), threads});
  };
  add("L", kUnitCase, 1);
  add("store", kStoreCase, 1);
  add("load", kHotLoadsCase, 1);
  add("cold load", kColdLoadsCase, 1);
  add("transfer", kLineTransferCase, 1);
  if (operation == nullptr) return *this;
  for (const char* const design : {kMutexTable, kHandOverHand, kBtreeMap, kLinux}) {
    add(design, absl::StrCat(design, "/", operation), 0);
  }
  return *this;
}

bool Suite::MayGetWorse(const CaseId& id) const {
  return std::none_of(cases_.begin(), cases_.end(), [&](const Case& each) {
    return each.id == id && each.role != Role::kPaddock;
  });
}

Results Suite::EmptyResults() const {
  Results results;
  for (const Comparison& each : comparisons_) results.Compare(each);
  for (const Contest& each : contests_) results.Against(each);
  return results;
}

}  // namespace paddock::bench
