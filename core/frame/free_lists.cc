// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/frame/free_lists.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "paddock/concurrency/check.h"

namespace paddock {

FreeLists::FreeLists(MetaSlot* slots, uint64_t first_page, uint32_t frames)
    : slots_(slots), first_page_(first_page), frames_(frames) {
  heads_.fill(kNone);
}

void FreeLists::InsertAll() {
  // From the top down, so that the lowest block of each order ends up at the head of its list.
  for (uint64_t end = frames_; end > 0;) {
    int order = std::countr_zero(first_page_ + end);
    if (order > kMaxFrameOrder) order = kMaxFrameOrder;
    while (uint64_t{1} << order > end) --order;
    end -= uint64_t{1} << order;
    Push(static_cast<uint32_t>(end), order);
  }
}

std::optional<uint32_t> FreeLists::Take(int order) {
  int found = order;
  while (found <= kMaxFrameOrder && heads_[found] == kNone) ++found;
  if (found > kMaxFrameOrder) return std::nullopt;
  const uint32_t block = heads_[found];
  Remove(block, found);
  while (found > order) {
    --found;
    Push(block + (uint32_t{1} << found), found);
  }
  return block;
}

std::optional<FreeLists::Block> FreeLists::TakeUpTo(uint32_t most) {
  int smallest = 0;
  while (smallest <= kMaxFrameOrder && heads_[smallest] == kNone) ++smallest;
  const int order = std::min(smallest, static_cast<int>(std::bit_width(most)) - 1);
  const std::optional<uint32_t> start = Take(order);
  if (!start) return std::nullopt;
  return Block{*start, order};
}

bool FreeLists::TakeFrame(uint32_t frame) {
  const uint64_t page = first_page_ + frame;
  for (int order = 0; order <= kMaxFrameOrder; ++order) {
    const uint64_t start = page & ~((uint64_t{1} << order) - 1);
    if (start < first_page_) return false;
    uint32_t block = static_cast<uint32_t>(start - first_page_);
    if (!IsFreeBlock(block, order)) continue;
    Remove(block, order);
    while (order > 0) {
      --order;
      const uint32_t upper = block + (uint32_t{1} << order);
      Push(frame < upper ? upper : block, order);
      if (frame >= upper) block = upper;
    }
    return true;
  }
  return false;
}

void FreeLists::Insert(uint32_t block, int order) {
  PADDOCK_CHECK(slots_[block].order == 0, "a free block is freed again");
  for (; order < kMaxFrameOrder; ++order) {
    const uint32_t buddy = Buddy(block, order);
    if (buddy == kNone || !IsFreeBlock(buddy, order)) break;
    Remove(buddy, order);
    if (buddy < block) block = buddy;
  }
  Push(block, order);
}

uint32_t FreeLists::Buddy(uint32_t block, int order) const {
  const uint64_t size = uint64_t{1} << order;
  const uint64_t page = (first_page_ + block) ^ size;
  if (page < first_page_ || page - first_page_ + size > frames_) return kNone;
  return static_cast<uint32_t>(page - first_page_);
}

FreeLists::Links FreeLists::LinksOf(uint32_t block) const {
  static_assert(sizeof(Links) == sizeof(MetaSlot::payload));
  Links links;
  std::memcpy(&links, slots_[block].payload, sizeof(links));
  return links;
}

void FreeLists::SetLinks(uint32_t block, Links links) {
  std::memcpy(slots_[block].payload, &links, sizeof(links));
}

void FreeLists::Push(uint32_t block, int order) {
  const uint32_t next = heads_[order];
  SetLinks(block, Links{next, kNone});
  if (next != kNone) SetLinks(next, Links{LinksOf(next).next, block});
  heads_[order] = block;
  slots_[block].order = static_cast<uint8_t>(order + 1);
}

void FreeLists::Remove(uint32_t block, int order) {
  const Links links = LinksOf(block);
  if (links.next != kNone) SetLinks(links.next, Links{LinksOf(links.next).next, links.previous});
  if (links.previous != kNone) {
    SetLinks(links.previous, Links{links.next, LinksOf(links.previous).previous});
  } else {
    heads_[order] = links.next;
  }
  slots_[block].order = 0;
}

}  // namespace paddock
