// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/mem_view.h"

#include <algorithm>

namespace paddock {
namespace {

// The pages that have a byte in `range`.
VirtRange PagesAround(VirtRange range) {
  if (range.IsEmpty()) return {range.start.AlignDown(kPageSize), range.start.AlignDown(kPageSize)};
  return {range.start.AlignDown(kPageSize), range.last().AlignDown(kPageSize).Plus(kPageSize)};
}

PhysAddr PhysicalOf(const MappedRun& run, VirtAddr va) {
  return PhysAddr(run.frame.value() + (va.value() - run.range.start.value()));
}

}  // namespace

MemView::MemView(AbstractTable mappings) : mappings_(std::move(mappings)) {
  mappings_.ForEachRun([this](const MappedRun& run) { addresses_.Insert(run.range); });
}

std::optional<PhysAddr> MemView::Translate(VirtAddr va) const {
  if (!addresses_.Contains(va)) return std::nullopt;
  return PhysicalOf(*mappings_.Query(va), va);
}

MemView MemView::Borrow(VirtRange range) const {
  return {mappings_.Slice(PagesAround(range)), addresses_.Part(range)};
}

MemView MemView::TakeOut(VirtRange range) {
  MemView part = Borrow(range);
  addresses_.Erase(range);
  return part;
}

std::optional<VirtAddr> FirstDisagreement(const MemView& a, const MemView& b) {
  std::optional<VirtAddr> found;
  a.addresses_.ForEach([&](VirtRange of_a) {
    b.addresses_.Part(of_a).ForEach([&](VirtRange of_both) {
      const VirtRange pages = PagesAround(of_both);
      a.mappings_.ForEachRun(pages, [&](const MappedRun& run_a) {
        b.mappings_.ForEachRun(run_a.range, [&](const MappedRun& run_b) {
          const VirtAddr va = std::max(run_b.range.start, of_both.start);
          if (!found && PhysicalOf(run_a, va) != PhysicalOf(run_b, va)) found = va;
        });
      });
    });
  });
  return found;
}

}  // namespace paddock
