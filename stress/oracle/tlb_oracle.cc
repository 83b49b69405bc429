// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/tlb_oracle.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {

void TlbOracle::Report(const ObservedAccess& access) {
  if (sink_.full()) {
    sink_.Report(kTlbOracle, "");
    return;
  }
  sink_.Report(
      kTlbOracle,
      absl::StrFormat("cpu %d reached 0x%x of space %d through a stale entry at %d ns: frame 0x%x "
                      "had generation %d when the entry was filled and has %d now\n%s",
                      access.cpu, access.va, access.space, access.ns, access.frame,
                      access.generation_at_fill, access.generation_now,
                      history_.Describe(access.frame)));
}

OracleResult TlbOracle::result() const {
  return {std::string(kTlbOracle), checks(), sink_.count(kTlbOracle)};
}

}  // namespace paddock
