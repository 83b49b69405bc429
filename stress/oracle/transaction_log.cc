// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/transaction_log.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/spec/abstract_table.h"

namespace paddock {
namespace {

std::string DescribeEdit(const PropertyEdit& edit) {
  const auto text = [](PageFlags flags, uint8_t software) {
    return std::string(Describe(PageProperty{.flags = flags, .software = software}).c_str());
  };
  return absl::StrCat("clear ", text(edit.clear, edit.software_clear), ", set ",
                      text(edit.set, edit.software_set));
}

}  // namespace

void TransactionLog::Begin(uint32_t space, uint32_t cpu, VirtRange range, uint64_t lock_ns) {
  assert(!open_);
  open_ = true;
  LoggedTransaction& transaction = transactions_.Append();
  transaction.lock_ns = lock_ns;
  transaction.range = range;
  transaction.space = space;
  transaction.cpu = cpu;
  transaction.first_operation = static_cast<uint32_t>(operations_.size());
}

void TransactionLog::End(uint64_t unlock_ns) {
  assert(open_);
  open_ = false;
  LoggedTransaction& transaction = transactions_[transactions_.size() - 1];
  transaction.unlock_ns = unlock_ns;
  transaction.operations = static_cast<uint32_t>(operations_.size()) - transaction.first_operation;
}

LoggedOperation& TransactionLog::Append(LoggedKind kind, VirtRange range) {
  assert(open_);
  LoggedOperation& operation = operations_.Append();
  operation.kind = kind;
  operation.range = range;
  return operation;
}

void TransactionLog::Map(VirtRange range, PhysAddr frame, PageProperty property) {
  LoggedOperation& operation = Append(LoggedKind::kMap, range);
  operation.frame = frame;
  operation.property = property;
}

void TransactionLog::Unmap(VirtRange range, uint64_t pages_removed) {
  Append(LoggedKind::kUnmap, range).pages = pages_removed;
}

void TransactionLog::Protect(VirtRange range, const PropertyEdit& edit) {
  Append(LoggedKind::kProtect, range).edit = edit;
}

void TransactionLog::QueryAbsent(VirtAddr va, VirtRange slot) {
  Append(LoggedKind::kQuery, slot).result.start = va;
}

void TransactionLog::QueryMapped(VirtAddr va, VirtRange slot, PhysAddr frame,
                                 PageProperty property) {
  LoggedOperation& operation = Append(LoggedKind::kQuery, slot);
  operation.result.start = va;
  operation.found = true;
  operation.frame = frame;
  operation.property = property;
}

void TransactionLog::FindNext(VirtRange searched, std::optional<VirtAddr> found) {
  LoggedOperation& operation = Append(LoggedKind::kFindNext, searched);
  operation.found = found.has_value();
  if (found) operation.result.start = *found;
}

void TransactionLog::TakeNext(VirtRange searched, std::optional<VirtRange> taken, uint64_t pages) {
  LoggedOperation& operation = Append(LoggedKind::kTakeNext, searched);
  operation.found = taken.has_value();
  if (taken) operation.result = *taken;
  operation.pages = pages;
}

void TransactionLog::ProtectNext(VirtRange searched, std::optional<VirtRange> changed,
                                 const PropertyEdit& edit) {
  LoggedOperation& operation = Append(LoggedKind::kProtectNext, searched);
  operation.found = changed.has_value();
  if (changed) operation.result = *changed;
  operation.edit = edit;
}

void TransactionLog::Clear() {
  assert(!open_);
  transactions_.Clear();
  operations_.Clear();
}

std::string Describe(const LoggedOperation& operation) {
  const std::string range = Describe(operation.range);
  const std::string result = operation.found ? Describe(operation.result) : "nothing";
  switch (operation.kind) {
    case LoggedKind::kMap:
      return absl::StrFormat("map %s to 0x%x %s", range, operation.frame.value(),
                             Describe(operation.property).c_str());
    case LoggedKind::kUnmap:
      return absl::StrFormat("unmap %s removed %d pages", range, operation.pages);
    case LoggedKind::kProtect:
      return absl::StrFormat("protect %s %s", range, DescribeEdit(operation.edit));
    case LoggedKind::kQuery:
      if (!operation.found) {
        return absl::StrFormat("query 0x%x saw none in slot %s", operation.result.start.value(),
                               range);
      }
      return absl::StrFormat("query 0x%x saw slot %s at frame 0x%x %s",
                             operation.result.start.value(), range, operation.frame.value(),
                             Describe(operation.property).c_str());
    case LoggedKind::kFindNext:
      if (!operation.found) return absl::StrFormat("find_next %s found nothing", range);
      return absl::StrFormat("find_next %s found 0x%x", range, operation.result.start.value());
    case LoggedKind::kTakeNext:
      return absl::StrFormat("take_next %s took %s with %d pages", range, result, operation.pages);
    case LoggedKind::kProtectNext:
      return absl::StrFormat("protect_next %s changed %s, %s", range, result,
                             DescribeEdit(operation.edit));
  }
  return "unknown operation";
}

}  // namespace paddock
