// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/tlb/soft_tlb.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "paddock/concurrency/check.h"

namespace paddock {

SoftTlb::SoftTlb(uint32_t sets, uint32_t ways) : sets_(sets), ways_(ways) {
  PADDOCK_CHECK(std::has_single_bit(sets) && ways > 0, "a TLB needs 2^n sets and a way");
  PADDOCK_CHECK(sets_ * ways_ <= kMaxEntries, "a TLB of more entries than any has");
  for (Array& array : arrays_) {
    array.lines.resize(sets_ * ways_);
    array.next_victim.resize(sets_);
  }
}

const TlbEntry* SoftTlb::Find(uint64_t tag, VirtAddr va) {
  for (const Array& array : arrays_) {
    if (array.bytes == 0) break;
    if (array.live == 0) continue;
    const VirtAddr page = va.AlignDown(array.bytes);
    const Line* set = &array.lines[SetOf(array, page) * ways_];
    for (uint64_t way = 0; way < ways_; ++way) {
      if (set[way].entry.page == page && set[way].Matches(tag)) {
        ++stats_.hits;
        return &set[way].entry;
      }
    }
  }
  ++stats_.misses;
  return nullptr;
}

SoftTlb::Array& SoftTlb::ArrayFor(uint64_t bytes) {
  for (size_t i = 0; i < arrays_.size(); ++i) {
    if (arrays_[i].bytes == bytes) return arrays_[i];
    if (arrays_[i].bytes == 0) {
      arrays_[i].bytes = bytes;
      arrays_[i].bits = std::countr_zero(bytes);
      for (; i > 0 && arrays_[i].bytes < arrays_[i - 1].bytes; --i) {
        std::swap(arrays_[i], arrays_[i - 1]);
      }
      return arrays_[i];
    }
  }
  PADDOCK_CHECK(false, "more page sizes than a TLB keeps apart");
  return arrays_.front();
}

const TlbEntry* SoftTlb::Insert(uint64_t tag, const TlbEntry& entry) {
  PADDOCK_DCHECK(tag != 0, "tag 0 means a free line");
  PADDOCK_DCHECK(std::has_single_bit(entry.bytes) && entry.bytes >= kPageSize &&
                     entry.page.IsAligned(entry.bytes),
                 "a TLB entry covers one aligned page");
  Array& array = ArrayFor(entry.bytes);
  const uint64_t set_index = SetOf(array, entry.page);
  Line* set = &array.lines[set_index * ways_];
  Line* place = nullptr;
  for (uint64_t way = 0; way < ways_; ++way) {
    if (set[way].tag == tag && set[way].entry.page == entry.page) {
      place = &set[way];
      break;
    }
    if (place == nullptr && set[way].tag == 0) place = &set[way];
  }
  if (place == nullptr) {
    uint32_t& victim = array.next_victim[set_index];
    place = &set[victim];
    victim = (victim + 1) % ways_;
    ++stats_.evictions;
  }
  if (place->tag == 0) ++array.live;
  *place = Line{tag, entry};
  ++stats_.inserts;
  return &place->entry;
}

template <typename Drop>
void SoftTlb::FlushWhere(Array& array, uint64_t first_line, uint64_t lines, Drop drop) {
  for (uint64_t i = first_line; i < first_line + lines; ++i) {
    Line& line = array.lines[i];
    if (line.tag == 0 || !drop(line)) continue;
    line.tag = 0;
    --array.live;
    ++stats_.flushed;
  }
}

template <typename Drop>
void SoftTlb::FlushEverywhere(Drop drop) {
  for (Array& array : arrays_) {
    if (array.live != 0) FlushWhere(array, 0, array.lines.size(), drop);
  }
}

template <typename Drop>
void SoftTlb::FlushRangeWhere(VirtRange range, Drop drop) {
  if (range.IsEmpty()) return;
  const auto drop_inside = [&](const Line& line) {
    const VirtAddr last_of_page(line.entry.page.value() + (line.entry.bytes - 1));
    return line.entry.page <= range.last() && range.start <= last_of_page && drop(line);
  };
  for (Array& array : arrays_) {
    if (array.live == 0) continue;
    const uint64_t first_page = range.start.value() >> array.bits;
    const uint64_t pages_after_it = (range.last().value() >> array.bits) - first_page;
    if (pages_after_it >= sets_ - 1) {
      FlushWhere(array, 0, array.lines.size(), drop_inside);
      continue;
    }
    for (uint64_t page = first_page; page <= first_page + pages_after_it; ++page) {
      FlushWhere(array, (page & (sets_ - 1)) * ways_, ways_, drop_inside);
    }
  }
}

void SoftTlb::FlushRange(uint64_t tag, VirtRange range) {
  FlushRangeWhere(range, [tag](const Line& line) { return line.Matches(tag); });
}

void SoftTlb::FlushRangeOfAllTags(VirtRange range) {
  FlushRangeWhere(range, [](const Line&) { return true; });
}

void SoftTlb::FlushTag(uint64_t tag) {
  FlushEverywhere([tag](const Line& line) { return line.tag == tag; });
}

void SoftTlb::FlushNonGlobal() {
  FlushEverywhere(
      [](const Line& line) { return !HasAny(line.entry.property.flags, PageFlags::kGlobal); });
}

void SoftTlb::FlushAll() {
  FlushEverywhere([](const Line&) { return true; });
}

uint64_t SoftTlb::size() const {
  uint64_t live = 0;
  for (const Array& array : arrays_) live += array.live;
  return live;
}

}  // namespace paddock
