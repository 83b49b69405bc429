// SPDX-License-Identifier: Apache-2.0
//
// The oracle that reads tables with an MMU of its own (`SoftMmu`): at any moment a walk sees an old
// or a new mapping, never a third thing, and never a freed node.
//
//   WalkerOracle oracle(workers, sink);
//   RcuReadGuard guard(rcu, pin);
//   MmuWalk seen = oracle.CheckWalk(worker, "space 3", mmu, root, va, is_live_node,
//                                   [&](const MmuWalk& walk) { return IsOldOrNew(walk); });
//   // at rest:
//   AbstractTable view = oracle.CheckTable(worker, "space 3", mmu, root, range, is_live_node);
//
// Thread safety: any thread with its own worker index. Cost: a walk; messages are built on
// violation only.

#ifndef PADDOCK_STRESS_ORACLE_WALKER_H_
#define PADDOCK_STRESS_ORACLE_WALKER_H_

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/stress/oracle/check_counter.h"
#include "paddock/stress/oracle/soft_mmu.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

// The neutral property of a leaf as the MMU understood it, for tables under x86_64::kPatMsr. Rights
// are those of the whole path; a leaf is readable whenever present.
PageProperty PropertyOf(const MmuTranslation& translation);

class WalkerOracle {
 public:
  WalkerOracle(uint32_t workers, ViolationSink& sink) : sink_(sink), checks_(workers) {}

  // Inside a read-side section. `allowed` judges a translation or a fault; violations found by the
  // MMU itself are reported without it. `where` names the table in messages.
  MmuWalk CheckWalk(uint32_t worker, std::string_view where, const SoftMmu& mmu, uint64_t root,
                    VirtAddr va, SoftMmu::NodePredicate is_live_node,
                    absl::FunctionRef<bool(const MmuWalk&)> allowed);

  // Reads everything mapped in `range`, cut to it, while nobody changes it; every table is checked.
  AbstractTable CheckTable(uint32_t worker, std::string_view where, const SoftMmu& mmu,
                           uint64_t root, VirtRange range, SoftMmu::NodePredicate is_live_node);

  uint64_t checks() const { return checks_.Sum(); }
  OracleResult result() const;

 private:
  ViolationSink& sink_;
  CheckCounter checks_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_WALKER_H_
