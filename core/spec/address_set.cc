// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/spec/address_set.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <limits>

namespace paddock {
namespace {

constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();

VirtRange RangeOf(uint64_t first, uint64_t last) {
  return {VirtAddr(first), VirtAddr(last + 1)};  // 0 after the last address there is
}

}  // namespace

AddressSet::Ranges::const_iterator AddressSet::At(uint64_t va) const {
  const auto after = ranges_.upper_bound(va);
  if (after == ranges_.begin()) return after;
  const auto before = std::prev(after);
  return before->second >= va ? before : after;
}

void AddressSet::Insert(VirtRange range) {
  assert(!range.IsReversed());
  if (range.IsEmpty()) return;
  uint64_t first = range.start.value();
  uint64_t last = range.last().value();
  // Swallows what overlaps or touches.
  auto it = At(first == 0 ? 0 : first - 1);
  while (it != ranges_.end() && (last == kTop || it->first <= last + 1)) {
    first = std::min(first, it->first);
    last = std::max(last, it->second);
    it = ranges_.erase(it);
  }
  ranges_.emplace(first, last);
}

void AddressSet::Insert(const AddressSet& other) {
  other.ForEach([this](VirtRange range) { Insert(range); });
}

void AddressSet::Erase(VirtRange range) {
  assert(!range.IsReversed());
  if (range.IsEmpty()) return;
  const uint64_t first = range.start.value();
  const uint64_t last = range.last().value();
  for (auto it = At(first); it != ranges_.end() && it->first <= last; it = At(first)) {
    const auto [old_first, old_last] = *it;
    ranges_.erase(it);
    if (old_first < first) ranges_.emplace(old_first, first - 1);
    if (old_last > last) ranges_.emplace(last + 1, old_last);
  }
}

bool AddressSet::Contains(VirtAddr va) const {
  const auto it = At(va.value());
  return it != ranges_.end() && it->first <= va.value();
}

std::optional<VirtAddr> AddressSet::FirstAbsent(VirtRange range) const {
  if (range.IsEmpty()) return std::nullopt;
  const auto it = At(range.start.value());
  if (it == ranges_.end() || it->first > range.start.value()) return range.start;
  if (it->second >= range.last().value()) return std::nullopt;
  return VirtAddr(it->second + 1);
}

AddressSet AddressSet::Part(VirtRange range) const {
  AddressSet part;
  if (range.IsEmpty()) return part;
  const uint64_t first = range.start.value();
  const uint64_t last = range.last().value();
  for (auto it = At(first); it != ranges_.end() && it->first <= last; ++it) {
    part.ranges_.emplace(std::max(first, it->first), std::min(last, it->second));
  }
  return part;
}

void AddressSet::ForEach(absl::FunctionRef<void(VirtRange)> visit) const {
  for (const auto& [first, last] : ranges_) visit(RangeOf(first, last));
}

}  // namespace paddock
