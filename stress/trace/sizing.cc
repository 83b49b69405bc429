// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/sizing.h"

#include <algorithm>
#include <vector>

namespace paddock {

bool TracePageSet::Insert(uint64_t page) {
  auto bit = chunks_[page >> kChunkBits][page % kChunkPages];
  const bool inserted = !bit;
  bit = true;
  return inserted;
}

uint64_t TracePageSet::Erase(VirtRange range) {
  const uint64_t first = range.start.PageNumber();
  const uint64_t last = range.last().PageNumber();
  uint64_t erased = 0;
  auto it = chunks_.lower_bound(first >> kChunkBits);
  while (it != chunks_.end() && it->first <= last >> kChunkBits) {
    const uint64_t base = it->first << kChunkBits;
    std::bitset<kChunkPages>& pages = it->second;
    const size_t before = pages.count();
    if (first <= base && last >= base + kChunkPages - 1) {
      pages.reset();
    } else {
      const uint64_t end = std::min(last, base + kChunkPages - 1);
      for (uint64_t page = std::max(first, base); page <= end; ++page) pages.reset(page - base);
    }
    erased += before - pages.count();
    it = pages.none() ? chunks_.erase(it) : std::next(it);
  }
  return erased;
}

TraceSizer::Space::Space(TraceSizer& sizer) : sizer_(&sizer) { ++sizer_->sizing_.table_pages; }

void TraceSizer::Space::NeedTables(VirtAddr addr) {
  uint64_t table = addr.PageNumber() >> TracePageSet::kChunkBits;
  if (table == last_table_) return;
  last_table_ = table;
  for (auto& level : tables_) {
    if (!level.insert(table).second) return;
    ++sizer_->sizing_.table_pages;
    table >>= TracePageSet::kChunkBits;
  }
}

void TraceSizer::Space::Map(uint64_t page) {
  NeedTables(VirtAddr(page << kPageBits));
  if (touched_.Insert(page)) ++sizer_->sizing_.touched_pages;
  if (!mapped_.Insert(page)) return;
  uint64_t& now = ++sizer_->mapped_pages_;
  sizer_->sizing_.peak_pages = std::max(sizer_->sizing_.peak_pages, now);
}

void TraceSizer::Space::Unmap(VirtRange range) {
  if (!range.IsEmpty()) sizer_->mapped_pages_ -= mapped_.Erase(range);
}

void TraceSizer::Space::Move(VirtRange source, VirtRange target) {
  std::vector<uint64_t> pages;
  if (!source.IsEmpty()) {
    mapped_.ForEach(source, [&](uint64_t page) {
      const uint64_t offset = (page << kPageBits) - source.start.value();
      if (offset < target.size()) pages.push_back((target.start.value() + offset) >> kPageBits);
    });
  }
  Unmap(source);
  Unmap(target);
  for (const uint64_t page : pages) Map(page);
}

void TraceSizer::Space::Apply(const TraceOperation& operation) {
  const VirtRange& range = operation.range;
  NeedTables(range.start);
  NeedTables(range.last());
  switch (operation.kind) {
    case TraceOpKind::kFault:
      return Map(range.start.PageNumber());
    case TraceOpKind::kReserve:
      Unmap(range);
      if (operation.backing == TraceBacking::kOnFault) return;
      [[fallthrough]];
    case TraceOpKind::kPopulate:
      for (uint64_t page = range.start.PageNumber(); page <= range.last().PageNumber(); ++page) {
        Map(page);
      }
      return;
    case TraceOpKind::kUnmap:
    case TraceOpKind::kDiscard:
    case TraceOpKind::kShrink:
    case TraceOpKind::kHeapShrink:
      return Unmap(range);
    case TraceOpKind::kMove:
      if (!operation.source.IsEmpty()) {
        NeedTables(operation.source.start);
        NeedTables(operation.source.last());
      }
      return Move(operation.source, range);
    case TraceOpKind::kProtect:
    case TraceOpKind::kGrow:
    case TraceOpKind::kHeapGrow:
      return;
  }
}

}  // namespace paddock
