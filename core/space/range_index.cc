// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/range_index.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace paddock {
namespace {

constexpr uint64_t kTop = std::numeric_limits<uint64_t>::max();

}  // namespace

void RangeIndex::SplitAt(uint64_t va) {
  auto it = stretches_.upper_bound(va);
  if (it == stretches_.begin()) return;
  --it;
  Stretch& lower = it->second;
  if (it->first == va || lower.last < va) return;
  stretches_.emplace_hint(std::next(it), va, lower);
  lower.last = va - 1;
}

void RangeIndex::JoinAt(uint64_t va) {
  const auto it = stretches_.find(va);
  if (it == stretches_.end() || it == stretches_.begin()) return;
  Stretch& before = std::prev(it)->second;
  if (before.last + 1 != va || before.ids != it->second.ids) return;
  before.last = it->second.last;
  stretches_.erase(it);
}

void RangeIndex::Insert(VirtRange range, uint64_t id) {
  if (range.IsEmpty()) return;
  const uint64_t last = range.last().value();
  uint64_t at = range.start.value();
  SplitAt(at);
  if (last != kTop) SplitAt(last + 1);
  for (auto it = stretches_.lower_bound(at);; ++it) {
    if (it == stretches_.end() || it->first > last) {
      stretches_.emplace_hint(it, at, Stretch{last, Ids{id}});
      return;
    }
    if (it->first > at) stretches_.emplace_hint(it, at, Stretch{it->first - 1, Ids{id}});
    it->second.ids.push_back(id);
    if (it->second.last == last) return;
    at = it->second.last + 1;
  }
}

void RangeIndex::Erase(VirtRange range, uint64_t id) {
  if (range.IsEmpty()) return;
  const uint64_t first = range.start.value();
  const uint64_t last = range.last().value();
  for (auto it = stretches_.lower_bound(first); it != stretches_.end() && it->first <= last;) {
    Ids& ids = it->second.ids;
    ids.erase(std::find(ids.begin(), ids.end(), id));
    it = ids.empty() ? stretches_.erase(it) : std::next(it);
  }
  JoinAt(first);
  if (last != kTop) JoinAt(last + 1);
}

std::optional<uint64_t> RangeIndex::FirstOverlap(
    VirtRange range, absl::FunctionRef<bool(uint64_t id)> counts) const {
  if (range.IsEmpty()) return std::nullopt;
  const uint64_t first = range.start.value();
  const uint64_t last = range.last().value();
  auto it = stretches_.upper_bound(first);
  if (it != stretches_.begin() && std::prev(it)->second.last >= first) --it;
  for (; it != stretches_.end() && it->first <= last; ++it) {
    for (const uint64_t id : it->second.ids) {
      if (counts(id)) return id;
    }
  }
  return std::nullopt;
}

}  // namespace paddock
