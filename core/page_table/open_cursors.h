// SPDX-License-Identifier: Apache-2.0
//
// Which tables a CPU holds cursors in, so that a CPU cannot deadlock with itself or, over two
// tables, with another CPU.
//
// A second cursor in the same table is refused. In another table it may be opened in ascending
// order of table identity, or without waiting: two CPUs that hold one table each and wait for the
// other's would otherwise wait for ever.
//
// Thread safety: one object per CPU, used by the thread on that CPU only. Cost: a few instructions.

#ifndef PADDOCK_CORE_PAGE_TABLE_OPEN_CURSORS_H_
#define PADDOCK_CORE_PAGE_TABLE_OPEN_CURSORS_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/page_table/cursor_options.h"

namespace paddock {

class OpenCursors {
 public:
  // How many tables one CPU may hold cursors in at once.
  static constexpr uint32_t kMax = 8;

  // FAILED_PRECONDITION: a cursor in `table` is open on this CPU, or one in a table of higher
  // identity is and `wait` is not kTry. RESOURCE_EXHAUSTED: kMax are open.
  absl::Status Add(uint64_t table, Wait wait) {
    for (uint32_t i = 0; i < count_; ++i) {
      if (tables_[i] == table || (tables_[i] > table && wait != Wait::kTry)) {
        return Refuse(table, tables_[i]);
      }
    }
    if (count_ == kMax) return RefuseFull();
    tables_[count_++] = table;
    return absl::OkStatus();
  }

  void Remove(uint64_t table) {
    for (uint32_t i = 0; i < count_; ++i) {
      if (tables_[i] != table) continue;
      tables_[i] = tables_[--count_];
      return;
    }
    PADDOCK_CHECK(false, "a cursor is closed that was not opened on this CPU");
  }

  bool empty() const { return count_ == 0; }

 private:
  static absl::Status Refuse(uint64_t table, uint64_t held);
  static absl::Status RefuseFull();

  std::array<uint64_t, kMax> tables_{};
  uint32_t count_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_OPEN_CURSORS_H_
