// SPDX-License-Identifier: Apache-2.0
//
// A fixture with one page table of a given configuration and this thread on CPU 0. When a test
// ends, the table is destroyed and everything must have come home: frames, claims, what was
// retired.

#ifndef PADDOCK_TESTS_SUPPORT_TABLE_FIXTURE_H_
#define PADDOCK_TESTS_SUPPORT_TABLE_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/address.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/support/bare_config.h"
#include "paddock/tests/support/soft_mmu.h"
#include "paddock/tests/support/status_checks.h"
#include "paddock/tests/support/table_world.h"

namespace paddock {

template <PageTableConfig C>
class TableTest : public testing::Test {
 public:
  using Config = C;
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Table = PageTable<C>;

  explicit TableTest(TableWorld::Options options = {})
      : world_(std::make_unique<TableWorld>(std::move(options))), pin_(world_->Pin(0)) {
    table_ = Must(Table::Create(env(), pin()));
  }

  void TearDown() override {
    table_.reset();
    world_->ExpectNothingLeft(pin());
    pin_.reset();
    world_.reset();
  }

 protected:
  TableWorld& world() { return *world_; }
  PageTableEnv& env() { return world_->env(); }
  FrameTable& frames() { return world_->frames(); }
  const CpuPin& pin() const { return *pin_; }
  Table& table() { return *table_; }
  // For tests that destroy it themselves.
  std::unique_ptr<Table>& owned_table() { return table_; }

  static constexpr uint64_t kSpan2 = Geo::kLevels >= 2 ? Geo::EntrySpan(2) : 0;
  static constexpr uint64_t kSpan3 = Geo::kLevels >= 3 ? Geo::EntrySpan(3) : 0;

  // `pages` pages from page number `first` on.
  static VirtRange Pages(uint64_t first, uint64_t pages) {
    return {VirtAddr(first * kPageSize), VirtAddr((first + pages) * kPageSize)};
  }
  static VirtRange Bytes(uint64_t start, uint64_t size) {
    return {VirtAddr(start), VirtAddr(start + size)};
  }
  static constexpr uint64_t PagesAt(int level) { return Geo::EntrySpan(level) / kPageSize; }

  CursorMut<C> Open(VirtRange range, CursorOptions options = {}) {
    return Must(table().OpenCursorMut(pin(), range, options));
  }

  // Maps without ownership: for BareConfig.
  void MapPage(VirtAddr va, PhysAddr frame, int level = 1, PageProperty property = kReadWriteUser) {
    const VirtRange range{va, VirtAddr(va.value() + Geo::EntrySpan(level))};
    CursorMut<C> cursor = Open(range);
    Must(cursor.Map(RawItem{frame, level, property}));
  }
  // Page number i of `range` to page number `frame` + i, with base pages.
  void MapRun(VirtRange range, uint64_t frame, PageProperty property = kReadWriteUser) {
    CursorMut<C> cursor = Open(range);
    for (uint64_t i = 0; cursor.remaining() != 0; ++i) {
      Must(cursor.Map(RawItem{PhysAddr((frame + i) * kPageSize), 1, property}));
    }
  }

  // What the independent walker sees.
  AbstractTable View() {
    return ViewOf<F>(frames().memory(), table().root(), C::kTopLevelFirst, C::kTopLevelLast);
  }
  std::optional<MappedPage> Hardware(VirtAddr va) {
    return SoftWalk<F>(frames().memory(), table().root(), va);
  }
  std::optional<PhysAddr> NodeOf(VirtAddr va, int level) {
    return TableAt<F>(frames().memory(), table().root(), va, level);
  }
  MetaSlot& NodeSlot(VirtAddr va, int level) { return frames().slot(*NodeOf(va, level)); }
  Pte* EntryOf(VirtAddr va, int level) {
    return EntryAt<F>(frames().memory(), table().root(), va, level);
  }

  // Frames used by tables, the root included; of bare tables all that are used.
  uint64_t UsedFrames() {
    world_->Settle(pin());
    return frames().used_pages();
  }

 private:
  std::unique_ptr<TableWorld> world_;
  std::optional<CpuPin> pin_;
  std::unique_ptr<Table> table_;
};

// Whether two views are equal, accessed and dirty bits included.
inline testing::AssertionResult SameView(const AbstractTable& expected,
                                         const AbstractTable& actual) {
  if (const auto difference = FirstDifference(expected, actual, HardwareBits::kExact)) {
    return testing::AssertionFailure() << Describe(*difference);
  }
  return testing::AssertionSuccess();
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_TABLE_FIXTURE_H_
