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

void TransactionLog::Protect(VirtRange range, const PropertyEdit& edit, uint64_t pages_changed) {
  LoggedOperation& operation = Append(LoggedKind::kProtect, range);
  operation.edit = edit;
  operation.pages = pages_changed;
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

void TransactionLog::TakeItem(VirtRange searched, VirtRange taken, uint64_t pages_removed,
                              PhysAddr frame, uint64_t item_pages, PageProperty property) {
  TakeTable(searched, taken, pages_removed);
  LoggedOperation& operation = operations_[operations_.size() - 1];
  operation.frame = frame;
  operation.item_pages = static_cast<uint32_t>(item_pages);
  operation.property = property;
}

void TransactionLog::TakeTable(VirtRange searched, VirtRange taken, uint64_t pages_removed) {
  LoggedOperation& operation = Append(LoggedKind::kTakeNext, searched);
  operation.found = true;
  operation.result = taken;
  operation.pages = pages_removed;
}

void TransactionLog::ProtectNext(VirtRange searched, VirtRange changed, PageProperty before,
                                 const PropertyEdit& edit) {
  LoggedOperation& operation = Append(LoggedKind::kProtectNext, searched);
  operation.found = true;
  operation.result = changed;
  operation.property = before;
  operation.edit = edit;
}

void TransactionLog::Clear() {
  assert(!open_);
  transactions_.Clear();
  operations_.Clear();
}

std::string Describe(const LoggedOperation& operation) {
  const std::string range = Describe(operation.range);
  const std::string property = Describe(operation.property).c_str();
  switch (operation.kind) {
    case LoggedKind::kMap:
      return absl::StrFormat("map %s to 0x%x %s", range, operation.frame.value(), property);
    case LoggedKind::kUnmap:
      return absl::StrFormat("unmap %s removed %d pages", range, operation.pages);
    case LoggedKind::kProtect:
      return absl::StrFormat("protect %s %s changed %d pages", range, DescribeEdit(operation.edit),
                             operation.pages);
    case LoggedKind::kQuery:
      if (!operation.found) {
        return absl::StrFormat("query 0x%x saw none in slot %s", operation.result.start.value(),
                               range);
      }
      return absl::StrFormat("query 0x%x saw slot %s at frame 0x%x %s",
                             operation.result.start.value(), range, operation.frame.value(),
                             property);
    case LoggedKind::kFindNext:
      if (!operation.found) return absl::StrFormat("find_next %s found nothing", range);
      return absl::StrFormat("find_next %s found 0x%x", range, operation.result.start.value());
    case LoggedKind::kTakeNext:
      if (!operation.found) return absl::StrFormat("take_next %s took nothing", range);
      if (operation.item_pages == 0) {
        return absl::StrFormat("take_next %s took the table of %s with %d pages", range,
                               Describe(operation.result), operation.pages);
      }
      return absl::StrFormat("take_next %s took %s with %d pages, an item of %d pages at 0x%x %s",
                             range, Describe(operation.result), operation.pages,
                             operation.item_pages, operation.frame.value(), property);
    case LoggedKind::kProtectNext:
      if (!operation.found) return absl::StrFormat("protect_next %s changed nothing", range);
      return absl::StrFormat("protect_next %s changed %s from %s, %s", range,
                             Describe(operation.result), property, DescribeEdit(operation.edit));
  }
  return "unknown operation";
}

}  // namespace paddock
