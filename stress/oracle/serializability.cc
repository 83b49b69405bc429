// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/serializability.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/spec/contracts.h"

namespace paddock {
namespace {

constexpr PageFlags kHardware = PageFlags::kAccessed | PageFlags::kDirty;

PageProperty WithoutHardwareBits(PageProperty property) {
  property.flags &= ~kHardware;
  return property;
}

std::string DescribeAddress(std::optional<VirtAddr> va) {
  return va ? absl::StrFormat("0x%x", va->value()) : "none";
}

// The pages that the operation wrote; empty if it only read.
VirtRange Written(const LoggedOperation& operation) {
  switch (operation.kind) {
    case LoggedKind::kMap:
    case LoggedKind::kUnmap:
    case LoggedKind::kProtect:
      return operation.range;
    case LoggedKind::kTakeNext:
    case LoggedKind::kProtectNext:
      return operation.found ? operation.result : VirtRange{};
    case LoggedKind::kQuery:
    case LoggedKind::kFindNext:
      return {};
  }
  return {};
}

std::string DescribeTransaction(const TransactionLog& log, const LoggedTransaction& transaction) {
  return absl::StrFormat("thread %d cpu %d cursor %s held from %d to %d ns", log.thread(),
                         transaction.cpu, Describe(transaction.range), transaction.lock_ns,
                         transaction.unlock_ns);
}

// That `first` (what the model has) lies in what a search returned, and that in what was searched.
std::optional<std::string> CheckFound(std::optional<VirtAddr> first,
                                      const LoggedOperation& operation) {
  if (!first && !operation.found) return std::nullopt;
  if (first && operation.found && operation.result.Contains(*first) &&
      operation.range.Contains(operation.result)) {
    return std::nullopt;
  }
  return absl::StrCat("the first mapped address is ", DescribeAddress(first));
}

std::optional<std::string> CheckPages(uint64_t pages, const LoggedOperation& operation) {
  if (pages == operation.pages) return std::nullopt;
  return absl::StrCat(pages, " pages were mapped there");
}

// What was said to be mapped in `slot`, as far as `held` covers it.
std::optional<std::string> CheckSlot(const AbstractTable& model, VirtRange held, VirtAddr va,
                                     VirtRange slot, const std::optional<QueriedItem>& item) {
  const VirtRange judged = slot.Intersection(held);
  const std::optional<MappedRun> run = model.NextRun(judged);
  const uint64_t skipped = judged.start.value() - slot.start.value();
  if (!run && !item && judged.Contains(va)) return std::nullopt;
  if (run && item && run->range == judged && judged.Contains(va) &&
      run->frame == PhysAddr(item->frame.value() + skipped) &&
      run->property == WithoutHardwareBits(item->property)) {
    return std::nullopt;
  }
  // The common cases are over; runs may be cut differently, so the last word is the contract's.
  const absl::Status status = CheckQuery(model, held, va, slot, item, HardwareBits::kIgnore);
  if (status.ok()) return std::nullopt;
  return std::string(status.message());
}

// What TakeNext returned, which the model still has.
std::optional<std::string> CheckTaken(const AbstractTable& model,
                                      const LoggedOperation& operation) {
  std::optional<std::string> wrong = CheckFound(model.FindNext(operation.range), operation);
  if (wrong || !operation.found || operation.item_pages == 0) return wrong;
  if (operation.item_pages * kPageSize != operation.result.size()) {
    return absl::StrCat("the item has ", operation.item_pages, " pages");
  }
  return CheckSlot(model, operation.result, operation.result.start, operation.result,
                   QueriedItem{operation.frame, operation.property});
}

// What ProtectNext returned, which the model has not changed yet: one entry, so one property.
std::optional<std::string> CheckProtected(const AbstractTable& model,
                                          const LoggedOperation& operation) {
  std::optional<std::string> wrong = CheckFound(model.FindNext(operation.range), operation);
  if (wrong || !operation.found) return wrong;
  const PageProperty before = WithoutHardwareBits(operation.property);
  uint64_t pages = 0;
  model.ForEachRun(operation.result, [&](const MappedRun& run) {
    pages += run.range.size() / kPageSize;
    if (run.property != before) wrong = absl::StrCat("there was ", Describe(run));
  });
  if (pages * kPageSize == operation.result.size()) return wrong;
  return absl::StrCat("only ", pages, " pages were mapped there");
}

}  // namespace

void SerializabilityChecker::CheckRound(absl::Span<TransactionLog* const> logs) {
  Merge(logs);
  active_.clear();
  for (size_t i = 0; i < order_.size(); ++i) {
    CheckIntervals(order_[i]);
    Replay(i);
  }
  transactions_ += order_.size();
  order_.clear();
  for (TransactionLog* log : logs) log->Clear();
}

// Each log is in order already; a heap of their heads merges them.
void SerializabilityChecker::Merge(absl::Span<TransactionLog* const> logs) {
  struct Head {
    uint64_t lock_ns;
    uint64_t unlock_ns;
    Entry entry;
  };
  const auto later = [](const Head& a, const Head& b) {
    return std::tie(a.lock_ns, a.unlock_ns) > std::tie(b.lock_ns, b.unlock_ns);
  };
  const auto head_of = [](const TransactionLog* log, uint32_t index) {
    const LoggedTransaction& transaction = log->transaction(index);
    return Head{transaction.lock_ns, transaction.unlock_ns, {log, index}};
  };
  std::vector<Head> heads;
  for (const TransactionLog* log : logs) {
    if (log->transaction_count() != 0) heads.push_back(head_of(log, 0));
  }
  std::make_heap(heads.begin(), heads.end(), later);
  order_.clear();
  while (!heads.empty()) {
    std::pop_heap(heads.begin(), heads.end(), later);
    const Entry entry = heads.back().entry;
    heads.pop_back();
    order_.push_back(entry);
    if (entry.index + 1 == entry.log->transaction_count()) continue;
    heads.push_back(head_of(entry.log, entry.index + 1));
    std::push_heap(heads.begin(), heads.end(), later);
  }
}

// A sweep: entries come in lock order, so whoever still holds its range now overlaps in time.
void SerializabilityChecker::CheckIntervals(const Entry& entry) {
  ++checks_;
  const LoggedTransaction& now = entry.transaction();
  std::erase_if(active_,
                [&](const Entry& old) { return old.transaction().unlock_ns <= now.lock_ns; });
  for (const Entry& other : active_) {
    const LoggedTransaction& held = other.transaction();
    if (held.space != now.space || !held.range.Intersects(now.range)) continue;
    sink_.Report(kSerializabilityOracle,
                 absl::StrCat("two overlapping cursors of space ", now.space,
                              " were open at once\n  this:  ", DescribeTransaction(*entry.log, now),
                              "\n  other: ", DescribeTransaction(*other.log, held)));
  }
  if (now.unlock_ns < now.lock_ns) {
    sink_.Report(kSerializabilityOracle,
                 absl::StrCat("the clock went backwards: ", DescribeTransaction(*entry.log, now)));
  }
  active_.push_back(entry);
}

void SerializabilityChecker::Replay(size_t position) {
  const Entry& entry = order_[position];
  const LoggedTransaction& transaction = entry.transaction();
  AbstractTable& model = Model(transaction.space);
  checks_ += transaction.operations;
  for (uint32_t i = 0; i < transaction.operations; ++i) {
    const LoggedOperation& operation = entry.log->operation(transaction.first_operation + i);
    const std::optional<std::string> wrong = Step(model, transaction, operation);
    if (wrong) ReportStep(position, i, *wrong);
  }
}

std::optional<std::string> SerializabilityChecker::Step(AbstractTable& model,
                                                        const LoggedTransaction& transaction,
                                                        const LoggedOperation& operation) {
  const auto edit = [&](PageProperty property) {
    return WithoutHardwareBits(operation.edit.Apply(property));
  };
  switch (operation.kind) {
    case LoggedKind::kMap:
      model.Map(operation.range, operation.frame, WithoutHardwareBits(operation.property));
      return std::nullopt;
    case LoggedKind::kUnmap:
      return CheckPages(model.Unmap(operation.range), operation);
    case LoggedKind::kProtect:
      return CheckPages(model.Protect(operation.range, edit), operation);
    case LoggedKind::kQuery: {
      std::optional<QueriedItem> item;
      if (operation.found) item = QueriedItem{operation.frame, operation.property};
      return CheckSlot(model, transaction.range, operation.result.start, operation.range, item);
    }
    case LoggedKind::kFindNext: {
      const std::optional<VirtAddr> first = model.FindNext(operation.range);
      if (first.has_value() == operation.found && (!first || *first == operation.result.start)) {
        return std::nullopt;
      }
      return absl::StrCat("the first mapped address is ", DescribeAddress(first));
    }
    case LoggedKind::kTakeNext: {
      std::optional<std::string> wrong = CheckTaken(model, operation);
      const uint64_t pages = operation.found ? model.Unmap(operation.result) : 0;
      return wrong ? wrong : CheckPages(pages, operation);
    }
    case LoggedKind::kProtectNext: {
      std::optional<std::string> wrong = CheckProtected(model, operation);
      if (operation.found) model.Protect(operation.result, edit);
      return wrong;
    }
  }
  return "an operation of unknown kind";
}

void SerializabilityChecker::CheckFinalView(uint32_t space, const AbstractTable& actual) {
  const AbstractTable& expected = Model(space);
  checks_ += 1 + expected.run_count();
  const std::optional<ViewDifference> difference =
      FirstDifference(expected, actual, HardwareBits::kIgnore);
  if (!difference) return;
  sink_.Report(kSerializabilityOracle,
               absl::StrCat("space ", space, " at rest differs from its replayed history at ",
                            Describe(*difference)));
}

void SerializabilityChecker::Forget(uint32_t space) {
  models_.erase(space);
  last_model_ = nullptr;
}

AbstractTable& SerializabilityChecker::Model(uint32_t space) {
  if (last_model_ != nullptr && last_space_ == space) return *last_model_;
  std::unique_ptr<AbstractTable>& model = models_[space];
  if (model == nullptr) model = std::make_unique<AbstractTable>();
  last_space_ = space;
  last_model_ = model.get();
  return *model;
}

OracleResult SerializabilityChecker::result() const {
  return {std::string(kSerializabilityOracle), checks_, sink_.count(kSerializabilityOracle)};
}

void SerializabilityChecker::ReportStep(size_t position, uint32_t operation,
                                        const std::string& what) {
  const Entry& entry = order_[position];
  const LoggedTransaction& transaction = entry.transaction();
  const LoggedOperation& observed = entry.log->operation(transaction.first_operation + operation);
  if (sink_.full()) {
    sink_.Report(kSerializabilityOracle, "");
    return;
  }
  sink_.Report(kSerializabilityOracle,
               absl::StrCat("space ", transaction.space, ": ", Describe(observed),
                            ", but after all earlier cursors: ", what,
                            "\n  this:  ", DescribeTransaction(*entry.log, transaction),
                            ", operation ", operation + 1, " of ", transaction.operations,
                            "\n  other: ", LastWriter(position, operation, observed.range)));
}

std::string SerializabilityChecker::LastWriter(size_t position, uint32_t operation,
                                               VirtRange range) const {
  const uint32_t space = order_[position].transaction().space;
  for (size_t p = position + 1; p-- > 0;) {
    const Entry& entry = order_[p];
    const LoggedTransaction& transaction = entry.transaction();
    if (transaction.space != space || !transaction.range.Intersects(range)) continue;
    for (uint32_t i = p == position ? operation : transaction.operations; i-- > 0;) {
      const LoggedOperation& written = entry.log->operation(transaction.first_operation + i);
      if (!Written(written).Intersects(range)) continue;
      return absl::StrCat(DescribeTransaction(*entry.log, transaction), ", ", Describe(written),
                          " (the last to write there)");
    }
  }
  return "nobody wrote there in this round";
}

}  // namespace paddock
