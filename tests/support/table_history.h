// SPDX-License-Identifier: Apache-2.0
//
// What a table meant at every point of its history: after each single store to any entry, as an
// independent walker sees it from the root. An operation must take every page from its old to its
// new meaning without a third one between.
//
//   TableHistory<F> history(memory, root);
//   { history.Record([&] { cursor.Unmap(length); }); }
//   EXPECT_TRUE(history.EveryPageWasOldOrNew(window));
//
// The table's format must be Watched (entry_hooks.h); stores of this thread are seen.

#ifndef PADDOCK_TESTS_SUPPORT_TABLE_HISTORY_H_
#define PADDOCK_TESTS_SUPPORT_TABLE_HISTORY_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/core/frame/physical_memory.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/support/entry_hooks.h"
#include "paddock/tests/support/soft_mmu.h"

namespace paddock {

enum class Between : bool {
  kOldOrNew,
  kOldNewOrAbsent,  // where the format demands break before make
};

template <PagingFormat F>
class TableHistory {
 public:
  TableHistory(const PhysicalMemory& memory, PhysAddr root) : memory_(memory), root_(root) {}

  // Runs `operation` and keeps every distinct view on the way, the first and the last included.
  template <typename Operation>
  void Record(Operation operation) {
    views_.clear();
    stores_ = 0;
    Look();
    EntryHooks hooks;
    hooks.after_store = [this](Pte*) {
      ++stores_;
      Look();
    };
    ScopedEntryHooks watch(hooks);
    operation();
  }

  uint64_t stores() const { return stores_; }
  const std::vector<AbstractTable>& views() const { return views_; }

  testing::AssertionResult EveryPageWasOldOrNew(VirtRange window,
                                                Between between = Between::kOldOrNew) const {
    if (stores_ == 0) return testing::AssertionFailure() << "no store was recorded";
    const AbstractTable& first = views_.front();
    const AbstractTable& last = views_.back();
    for (size_t i = 1; i + 1 < views_.size(); ++i) {
      for (uint64_t at = 0; at < window.size(); at += kPageSize) {
        const VirtAddr va = window.start.Plus(at);
        const std::optional<MappedRun> now = views_[i].Query(va);
        if (now == first.Query(va) || now == last.Query(va)) continue;
        if (!now && between == Between::kOldNewOrAbsent) continue;
        return testing::AssertionFailure()
               << "step " << i << " at 0x" << std::hex << va.value() << ": was "
               << Describe(first.Query(va)) << ", became " << Describe(last.Query(va))
               << ", but between " << Describe(now);
      }
    }
    return testing::AssertionSuccess();
  }

 private:
  void Look() {
    AbstractTable view = ViewOf<F>(memory_, root_);
    if (!views_.empty() && SameMeaning(views_.back(), view, HardwareBits::kExact)) return;
    views_.push_back(std::move(view));
  }

  const PhysicalMemory& memory_;
  const PhysAddr root_;
  std::vector<AbstractTable> views_;
  uint64_t stores_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_TABLE_HISTORY_H_
