// SPDX-License-Identifier: Apache-2.0
//
// What one thread did under its cursors: when it held which range, and what every operation was
// told.
//
//   StatusOr<CursorMut> cursor = space.OpenCursorMut(pin, range);
//   log.Begin(space_id, cpu, range, NowNs());      // after the cursor is open
//   log.Unmap(stretch, removed.pages);             // after each operation that succeeded
//   log.End(NowNs());                              // before the cursor is destroyed
//
// Logged times lie inside the time the claim was held, so two overlapping cursors whose logged
// times overlap have really coexisted. A failed operation changed nothing and is not logged. A
// thread that holds cursors of two spaces at once uses two logs.
//
// Thread safety: one writer; read (and cleared) while the writer stands at a barrier. Cost: a
// 64-byte store per operation; no allocation but on the way to a new maximum.

#ifndef PADDOCK_STRESS_ORACLE_TRANSACTION_LOG_H_
#define PADDOCK_STRESS_ORACLE_TRANSACTION_LOG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/spec/property_edit.h"
#include "paddock/stress/oracle/chunked_array.h"

namespace paddock {

enum class LoggedKind : uint8_t {
  kMap,
  kUnmap,
  kProtect,
  kQuery,
  kFindNext,
  kTakeNext,
  kProtectNext,
};

// A flat record; which fields count depends on the kind, as the functions of `TransactionLog` set
// them.
struct LoggedOperation {
  LoggedKind kind = LoggedKind::kMap;
  bool found = false;       // kQuery, kFindNext, kTakeNext, kProtectNext: there was something
  PageProperty property;    // kMap, kQuery, kTakeNext; kProtectNext: before the change
  PropertyEdit edit;        // kProtect, kProtectNext
  uint32_t item_pages = 0;  // kTakeNext: base pages of the item; 0: a whole table was taken
  VirtRange range;          // the argument; for kQuery the slot
  VirtRange result;    // kTakeNext, kProtectNext: what was touched; kFindNext, kQuery: an address
  PhysAddr frame;      // kMap, kQuery: that of range.start; kTakeNext: that of the item
  uint64_t pages = 0;  // kUnmap, kProtect, kTakeNext: how many base pages it said
};
static_assert(sizeof(LoggedOperation) <= 64);

struct LoggedTransaction {
  uint64_t lock_ns = 0;
  uint64_t unlock_ns = 0;
  VirtRange range;
  uint32_t space = 0;
  uint32_t cpu = 0;
  uint32_t first_operation = 0;
  uint32_t operations = 0;
};

class TransactionLog {
 public:
  // `thread` is for messages only.
  explicit TransactionLog(uint32_t thread) : thread_(thread) {}
  TransactionLog(const TransactionLog&) = delete;
  TransactionLog& operator=(const TransactionLog&) = delete;

  // Transactions do not nest. `space`: a number that no other space of the run ever has.
  void Begin(uint32_t space, uint32_t cpu, VirtRange range, uint64_t lock_ns);
  void End(uint64_t unlock_ns);

  // `frame` is where range.start maps to; `range` has the size of the item or items mapped.
  void Map(VirtRange range, PhysAddr frame, PageProperty property);
  void Unmap(VirtRange range, uint64_t pages_removed);
  void Protect(VirtRange range, const PropertyEdit& edit, uint64_t pages_changed);
  // Nothing, or an item, at `va`, in a slot whose start maps to `frame`.
  void QueryAbsent(VirtAddr va, VirtRange slot);
  void QueryMapped(VirtAddr va, VirtRange slot, PhysAddr frame, PageProperty property);
  void FindNext(VirtRange searched, std::optional<VirtAddr> found);
  // An item of `item_pages` base pages from `frame` on, or a table.
  void TakeItem(VirtRange searched, VirtRange taken, uint64_t pages_removed, PhysAddr frame,
                uint64_t item_pages, PageProperty property);
  void TakeTable(VirtRange searched, VirtRange taken, uint64_t pages_removed);
  void ProtectNext(VirtRange searched, VirtRange changed, PageProperty before,
                   const PropertyEdit& edit);
  // kTakeNext or kProtectNext without a result.
  void FoundNothing(LoggedKind kind, VirtRange searched) { Append(kind, searched); }

  uint32_t thread() const { return thread_; }
  // Finished ones. The harness starts a round when some log has enough of them.
  size_t transaction_count() const { return transactions_.size() - (open_ ? 1 : 0); }
  size_t operation_count() const { return operations_.size(); }
  const LoggedTransaction& transaction(size_t i) const { return transactions_[i]; }
  const LoggedOperation& operation(size_t i) const { return operations_[i]; }
  // Precondition: no transaction is open. Keeps the memory.
  void Clear();

 private:
  LoggedOperation& Append(LoggedKind kind, VirtRange range);

  const uint32_t thread_;
  bool open_ = false;
  ChunkedArray<LoggedTransaction> transactions_;
  ChunkedArray<LoggedOperation> operations_;
};

// "unmap [0x1000, 0x3000) removed 2 pages"
std::string Describe(const LoggedOperation& operation);

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_TRANSACTION_LOG_H_
