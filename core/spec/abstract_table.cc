// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/abstract_table.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_format.h"

namespace paddock {
namespace {

constexpr uint64_t kPageCount = uint64_t{1} << (64 - kPageBits);
constexpr PageFlags kHardware = PageFlags::kAccessed | PageFlags::kDirty;

struct Span {
  uint64_t first;
  uint64_t end;
};

// In page numbers the end of a range that reaches the top is an ordinary number.
Span PagesOf(VirtRange range) {
  assert(!range.IsReversed() && range.IsAligned(kPageSize));
  const uint64_t first = range.start.PageNumber();
  const bool to_the_top = range.end.value() == 0 && !range.IsEmpty();
  return {first, to_the_top ? kPageCount : range.end.PageNumber()};
}

VirtAddr PageAddress(uint64_t page) { return VirtAddr(page << kPageBits); }

}  // namespace

MappedRun AbstractTable::ToMapped(uint64_t first, uint64_t end,
                                  const std::pair<const uint64_t, Run>& run) {
  return {.range = {PageAddress(first), PageAddress(end)},
          .frame = PhysAddr((run.second.frame + (first - run.first)) << kPageBits),
          .property = run.second.property};
}

AbstractTable::Runs::const_iterator AbstractTable::At(uint64_t page) const {
  auto it = runs_.upper_bound(page);
  if (it == runs_.begin()) return it;
  const auto before = std::prev(it);
  return before->second.end > page ? before : it;
}

AbstractTable::Runs::iterator AbstractTable::At(uint64_t page) {
  auto it = runs_.upper_bound(page);
  if (it == runs_.begin()) return it;
  const auto before = std::prev(it);
  return before->second.end > page ? before : it;
}

AbstractTable::Runs::iterator AbstractTable::Erase(uint64_t first, uint64_t end) {
  auto it = At(first);
  if (it == runs_.end() || it->first >= end) return it;
  if (it->first < first) {
    const Run old = it->second;
    const uint64_t old_first = it->first;
    it->second.end = first;
    mapped_pages_ -= std::min(old.end, end) - first;
    ++it;
    if (old.end > end) {
      const Run rest{old.end, old.frame + (end - old_first), old.property};
      return runs_.emplace_hint(it, end, rest);
    }
  }
  while (it != runs_.end() && it->first < end) {
    const Run old = it->second;
    const uint64_t old_first = it->first;
    mapped_pages_ -= std::min(old.end, end) - old_first;
    it = runs_.erase(it);
    if (old.end > end) {
      const Run rest{old.end, old.frame + (end - old_first), old.property};
      return runs_.emplace_hint(it, end, rest);
    }
  }
  return it;
}

void AbstractTable::Map(VirtRange range, PhysAddr frame, PageProperty property) {
  assert(frame.IsAligned(kPageSize));
  const auto [first, end] = PagesOf(range);
  if (first == end) return;
  auto next = Erase(first, end);
  mapped_pages_ += end - first;
  Run run{end, frame.PageNumber(), property};
  if (next != runs_.end() && next->first == end && next->second.property == property &&
      next->second.frame == run.frame + (end - first)) {
    run.end = next->second.end;
    next = runs_.erase(next);
  }
  if (next != runs_.begin()) {
    const auto before = std::prev(next);
    if (before->second.end == first && before->second.property == property &&
        before->second.frame + (first - before->first) == run.frame) {
      before->second.end = run.end;
      return;
    }
  }
  runs_.emplace_hint(next, first, run);
}

uint64_t AbstractTable::Unmap(VirtRange range) {
  const auto [first, end] = PagesOf(range);
  const uint64_t before = mapped_pages_;
  if (first != end) Erase(first, end);
  return before - mapped_pages_;
}

uint64_t AbstractTable::Protect(VirtRange range, PropertyFunction op) {
  const auto [first, end] = PagesOf(range);
  uint64_t pages = 0;
  for (auto it = At(first); it != runs_.end() && it->first < end; ++it) {
    const uint64_t run_first = it->first;
    const Run old = it->second;
    const uint64_t from = std::max(first, run_first);
    const uint64_t to = std::min(end, old.end);
    if (from >= to) break;
    pages += to - from;
    const PageProperty property = op(old.property);
    if (property == old.property) continue;
    if (from == run_first && to == old.end) {
      it->second.property = property;
      continue;
    }
    // At most the first and the last run are cut, so this is not on the long path.
    it = Erase(from, to);
    it = runs_.emplace_hint(it, from, Run{to, old.frame + (from - run_first), property});
    mapped_pages_ += to - from;
  }
  return pages;
}

std::optional<MappedRun> AbstractTable::TakeNext(VirtRange range) {
  std::optional<MappedRun> run = NextRun(range);
  if (run) Unmap(run->range);
  return run;
}

void AbstractTable::Clear() {
  runs_.clear();
  mapped_pages_ = 0;
}

std::optional<MappedRun> AbstractTable::Query(VirtAddr va) const {
  const uint64_t page = va.PageNumber();
  const auto it = At(page);
  if (it == runs_.end() || it->first > page) return std::nullopt;
  return ToMapped(page, page + 1, *it);
}

std::optional<VirtAddr> AbstractTable::FindNext(VirtRange range) const {
  const auto [first, end] = PagesOf(range);
  const auto it = At(first);
  if (it == runs_.end() || it->first >= end || first == end) return std::nullopt;
  return PageAddress(std::max(first, it->first));
}

std::optional<MappedRun> AbstractTable::NextRun(VirtRange range) const {
  const auto [first, end] = PagesOf(range);
  const auto it = At(first);
  if (it == runs_.end() || it->first >= end || first == end) return std::nullopt;
  return ToMapped(std::max(first, it->first), std::min(end, it->second.end), *it);
}

uint64_t AbstractTable::CountMapped(VirtRange range) const {
  const auto [first, end] = PagesOf(range);
  uint64_t pages = 0;
  for (auto it = At(first); it != runs_.end() && it->first < end; ++it) {
    pages += std::min(end, it->second.end) - std::max(first, it->first);
  }
  return pages;
}

AbstractTable AbstractTable::Slice(VirtRange range) const {
  AbstractTable slice;
  ForEachRun(range, [&](const MappedRun& run) { slice.Map(run.range, run.frame, run.property); });
  return slice;
}

void AbstractTable::ForEachRun(absl::FunctionRef<void(const MappedRun&)> visit) const {
  for (const auto& run : runs_) visit(ToMapped(run.first, run.second.end, run));
}

void AbstractTable::ForEachRun(VirtRange range,
                               absl::FunctionRef<void(const MappedRun&)> visit) const {
  const auto [first, end] = PagesOf(range);
  if (first == end) return;
  for (auto it = At(first); it != runs_.end() && it->first < end; ++it) {
    visit(ToMapped(std::max(first, it->first), std::min(end, it->second.end), *it));
  }
}

bool PropertyMatches(PageProperty expected, PageProperty actual, HardwareBits bits) {
  if (bits != HardwareBits::kExact) {
    const PageFlags lost = expected.flags & ~actual.flags & kHardware;
    if (bits == HardwareBits::kMayBeSet && lost != PageFlags::kNone) return false;
    expected.flags = expected.flags | kHardware;
    actual.flags = actual.flags | kHardware;
  }
  return expected == actual;
}

std::optional<ViewDifference> FirstDifference(const AbstractTable& expected,
                                              const AbstractTable& actual, HardwareBits bits) {
  const auto differ_at = [&](VirtAddr va) {
    return ViewDifference{va, expected.Query(va), actual.Query(va)};
  };
  // Two halves, because one range cannot hold all addresses.
  constexpr VirtAddr kMiddle(uint64_t{1} << 63);
  for (const VirtRange half : {VirtRange{VirtAddr(0), kMiddle}, VirtRange{kMiddle, VirtAddr(0)}}) {
    VirtAddr at = half.start;
    for (bool more = true; more;) {
      const VirtRange rest{at, half.end};
      const std::optional<MappedRun> left = expected.NextRun(rest);
      const std::optional<MappedRun> right = actual.NextRun(rest);
      if (!left && !right) break;
      if (!left) return differ_at(right->range.start);
      if (!right) return differ_at(left->range.start);
      if (left->range.start != right->range.start) {
        return differ_at(std::min(left->range.start, right->range.start));
      }
      if (left->frame != right->frame || !PropertyMatches(left->property, right->property, bits)) {
        return differ_at(left->range.start);
      }
      // `last`, because an end of 0 means the top.
      at = std::min(left->range.last(), right->range.last()).Plus(1);
      more = at != half.end;
    }
  }
  return std::nullopt;
}

bool SameMeaning(const AbstractTable& expected, const AbstractTable& actual, HardwareBits bits) {
  if (expected.mapped_pages() != actual.mapped_pages()) return false;
  return !FirstDifference(expected, actual, bits);
}

std::string Describe(VirtRange range) {
  return absl::StrFormat("[0x%x, 0x%x)", range.start.value(), range.end.value());
}

std::string Describe(const std::optional<MappedRun>& run) {
  if (!run) return "none";
  return absl::StrFormat("frame 0x%x %s", run->frame.value(), Describe(run->property).c_str());
}

std::string Describe(const ViewDifference& difference) {
  return absl::StrFormat("0x%x: expected %s, found %s", difference.va.value(),
                         Describe(difference.expected), Describe(difference.actual));
}

}  // namespace paddock
