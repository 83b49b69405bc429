// SPDX-License-Identifier: Apache-2.0
//
// The oracle of the range lock: cursors whose ranges overlap never coexist, and all of them,
// replayed one after the other in the order of their locks against the abstract table, give every
// result that was observed.
//
//   SerializabilityChecker checker(sink);
//   // all workers at a barrier, outside cursors:
//   checker.CheckRound(logs);                              // checks and clears them
//   checker.CheckFinalView(space, view_read_by_the_walker);  // now and then, and at the end
//   checker.Forget(space);                                 // it was destroyed
//
// The model of each space lives from round to round. A space starts empty. Replay in lock order is
// right although cursors of disjoint ranges run at the same time: they commute. Accessed and dirty
// bits, which hardware sets at any time, are not compared.
//
// A difference is reported with the transaction that observed it and the last one that wrote the
// page. The model then goes on as the log says, so one bug may be reported several times.
//
// Thread safety: one thread, while the writers of the logs stand still. Cost: about 200 ns per
// operation with 65,000 scattered pages mapped; memory 16 bytes per transaction of a round.

#ifndef PADDOCK_STRESS_ORACLE_SERIALIZABILITY_H_
#define PADDOCK_STRESS_ORACLE_SERIALIZABILITY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "paddock/arch/address.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/stress/oracle/transaction_log.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

class SerializabilityChecker {
 public:
  explicit SerializabilityChecker(ViolationSink& sink) : sink_(sink) {}

  // Checks everything logged since the last round and clears the logs.
  void CheckRound(absl::Span<TransactionLog* const> logs);

  // Compares the model with what somebody read from the table while nobody changed it.
  void CheckFinalView(uint32_t space, const AbstractTable& actual);

  void Forget(uint32_t space);
  // What the space should contain now.
  const AbstractTable& model(uint32_t space) { return Model(space); }

  // One check per transaction (its interval), per operation and per page run of a final view.
  uint64_t checks() const { return checks_; }
  uint64_t transactions() const { return transactions_; }
  OracleResult result() const;

 private:
  struct Entry {
    const TransactionLog* log;
    uint32_t index;

    const LoggedTransaction& transaction() const { return log->transaction(index); }
  };

  void Merge(absl::Span<TransactionLog* const> logs);
  void CheckIntervals(const Entry& entry);
  void Replay(size_t position);
  // What is wrong with the operation's observed result; the model has made the operation's step.
  std::optional<std::string> Step(AbstractTable& model, const LoggedTransaction& transaction,
                                  const LoggedOperation& operation);

  AbstractTable& Model(uint32_t space);
  void ReportStep(size_t position, uint32_t operation, const std::string& what);
  // The last transaction before `position`, or operation of its own before `operation`, that wrote
  // a page of `range`.
  std::string LastWriter(size_t position, uint32_t operation, VirtRange range) const;

  ViolationSink& sink_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<AbstractTable>> models_;
  uint32_t last_space_ = 0;
  AbstractTable* last_model_ = nullptr;
  std::vector<Entry> order_;   // this round, by lock time
  std::vector<Entry> active_;  // those that may still hold their range
  uint64_t checks_ = 0;
  uint64_t transactions_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_SERIALIZABILITY_H_
