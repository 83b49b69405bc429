// SPDX-License-Identifier: Apache-2.0
//
// CursorMut: unmapping, cutting out tables, taking items.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_UNMAP_INC_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_UNMAP_INC_H_

#include "absl/base/attributes.h"
#include "paddock/core/page_table/cursor_mut.h"

namespace paddock {

template <PageTableConfig C>
void CursorMut<C>::Ascend(uint64_t limit) {
  // Not to an entry whose table must stay: it would only be entered again.
  while (level_ < this->highest_level()) {
    const uint64_t span = Geo::EntrySpan(level_ + 1);
    if (at_ % span != 0 || limit - at_ < span) return;
    ++level_;
  }
}

template <PageTableConfig C>
FrameRun CursorMut<C>::FramesOf(const RawItem& raw) const {
  if (!this->table_->config().IsTracked(raw)) return FrameRun{};
  return FrameRun{raw.frame, Geo::EntrySpan(raw.level) / kPageSize};
}

template <PageTableConfig C>
FrameRun CursorMut<C>::MappedFramesOf(const RawItem& raw) const {
  const PhysRange mapped{raw.frame, raw.frame.Plus(Geo::EntrySpan(raw.level))};
  const PhysRange inside = mapped.Intersection(this->table_->env().frames().memory().range());
  return FrameRun{inside.start, inside.size() / kPageSize};
}

template <PageTableConfig C>
Pte CursorMut<C>::Break() {
  const Pte broken = this->node().Exchange(this->index(), kAbsentPte);
  flusher_.Issue(this->EntryRange(level_));
  if (F::Kind(broken, level_) == EntryKind::kTable) {
    NameTable(Node<F>::Child(this->env().frames(), broken, level_), level_ - 1);
  } else {
    NameLeaf(broken);
  }
  flusher_.Sync();
  return broken;
}

template <PageTableConfig C>
Pte CursorMut<C>::Remove(Pte old_entry, Pte replacement, Removed& removed) {
  const bool live =
      replacement == kAbsentPte || F::IsSafeLiveChange(old_entry, replacement, level_);
  Pte replaced = kAbsentPte;
  if (live) {
    replaced = this->node().Exchange(this->index(), replacement);
    if (replacement == kAbsentPte) this->node().Vacate(this->index(), this->index(), level_);
  } else {
    replaced = Break();
    this->node().Store(this->index(), replacement, level_);
  }

  if (F::Kind(replaced, level_) == EntryKind::kTable) {
    const Node<F> table = Node<F>::Child(this->env().frames(), replaced, level_);
    const Subtree cut = CountTable(table, level_ - 1);
    removed += cut.mapped;
    if (live) {
      flusher_.Issue(this->EntryRange(level_));
      NameTable(table, level_ - 1);
    }
    RangeLock<C>::AbandonSubtree(this->env(), table, level_ - 1);
    // What the subtree owns goes with its top node, after the flush and a grace period.
    flusher_.Retire(FrameRun{F::Address(replaced, level_), 1}, cut.frames);
    return replaced;
  }
  if (live && F::FlushFor(replaced, replacement, level_) == FlushNeed::kRequired) {
    flusher_.Issue(this->EntryRange(level_));
  }
  if (!GiveUpLeaf(this->RawOf(replaced), removed) && live) NameLeaf(replaced);
  return replaced;
}

template <PageTableConfig C>
bool CursorMut<C>::GiveUpLeaf(const RawItem& raw, Removed& removed) {
  CountLeaf(raw, removed);
  const FrameRun run = FramesOf(raw);
  if (run.pages == 0) return false;
  this->env().frames().MarkAccessedDirty(run, raw.property.flags);
  flusher_.Retire(run);
  return true;
}

template <PageTableConfig C>
void CursorMut<C>::CountLeaf(const RawItem& raw, Removed& removed) const {
  const uint64_t pages = Geo::EntrySpan(raw.level) / kPageSize;
  removed.pages += pages;
  if (HasAny(raw.property.flags, PageFlags::kAccessed)) removed.accessed_pages += pages;
  if (HasAny(raw.property.flags, PageFlags::kDirty)) removed.dirty_pages += pages;
}

template <PageTableConfig C>
typename CursorMut<C>::Subtree CursorMut<C>::CountTable(Node<F> table, int level) const {
  Subtree sum{.frames = 1};
  PropertyMemo<F> memo;
  const auto count = [&](auto at, Pte pte) ABSL_ATTRIBUTE_ALWAYS_INLINE {
    if (F::Kind(pte, at) == EntryKind::kLeaf) {
      const RawItem raw = memo.RawOf(pte, at);
      CountLeaf(raw, sum.mapped);
      sum.frames += FramesOf(raw).pages;
    } else {
      const Node<F> child = Node<F>::Child(this->table_->env().frames(), pte, at);
      const Subtree below = CountTable(child, at - 1);
      sum.mapped += below.mapped;
      sum.frames += below.frames;
    }
  };
  table.ForEachPresent(0, Geo::Entries(level) - 1, level, count);
  return sum;
}

template <PageTableConfig C>
template <typename Level>
bool CursorMut<C>::RemoveLeaf(Level level, Node<F> node, uint64_t index, PropertyMemo<F>& memo,
                              Removed& removed) {
  const Pte leaf = node.Exchange(index, kAbsentPte);
  if (!GiveUpLeaf(memo.RawOf(leaf, level), removed)) NameLeaf(leaf);
  return F::FlushFor(leaf, kAbsentPte, level) == FlushNeed::kRequired;
}

template <PageTableConfig C>
bool CursorMut<C>::UnmapPage(Removed& removed) {
  constexpr std::integral_constant<int, 1> kLevel;
  Node<F> node = path_[kLevel];
  const uint64_t index = Geo::Index(at_, kLevel);
  if (F::Kind(node.Load(index), kLevel) != EntryKind::kLeaf) return false;
  PropertyMemo<F> memo;
  const bool must_flush = RemoveLeaf(kLevel, node, index, memo, removed);
  node.Vacate(index, index, kLevel);
  if (must_flush) flusher_.Issue(this->EntryRange(kLevel));
  this->MoveTo(at_ + kPageSize);
  return true;
}

template <PageTableConfig C>
void CursorMut<C>::RemoveLeaves(uint64_t limit, Removed& removed) {
  const uint64_t from = at_;
  const uint64_t first = this->index();
  Node<F> node = this->node();
  const int level = level_;
  PropertyMemo<F> memo;
  bool must_flush = false;
  this->VisitLeaves(limit, [&](auto leaf_level, uint64_t index, Pte) ABSL_ATTRIBUTE_ALWAYS_INLINE {
    must_flush |= RemoveLeaf(leaf_level, node, index, memo, removed);
    return true;
  });
  node.Vacate(first, Geo::Index(at_ - 1, level), level);
  if (must_flush) flusher_.Issue(VirtRange{this->VirtOf(from), this->virt_addr()});
}

template <PageTableConfig C>
void CursorMut<C>::NameTable(Node<F> table, int level) {
  if (!flusher_.names_frames()) return;
  table.ForEachPresent(0, Geo::Entries(level) - 1, level, [&](int at, Pte pte) {
    if (F::Kind(pte, at) == EntryKind::kLeaf) {
      flusher_.Name(MappedFramesOf({F::Address(pte, at), at, F::Property(pte, at)}));
    } else {
      NameTable(Node<F>::Child(this->env().frames(), pte, at), at - 1);
    }
  });
}

template <PageTableConfig C>
absl::StatusOr<Removed> CursorMut<C>::Unmap(uint64_t length, FlushDispatch dispatch) {
  if (absl::Status status = this->CheckStretch(length); !status.ok()) return status;
  Contract contract(*this);
  const VirtAddr va = this->virt_addr();
  const absl::StatusOr<Removed> removed = DoUnmap(at_ + length, dispatch);
  contract.Ensure(removed.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    return CheckUnmap(before, after, VirtRange{va, this->virt_addr()}, removed->pages);
  });
  return removed;
}

template <PageTableConfig C>
absl::StatusOr<Removed> CursorMut<C>::DoUnmap(uint64_t limit, FlushDispatch dispatch) {
  Removed removed;
  if (!IsBasePage(limit) || !UnmapPage(removed)) {
    if (absl::Status status = UnmapUpTo(limit, removed); !status.ok()) return status;
  }
  if (dispatch == FlushDispatch::kNow) flusher_.Dispatch();
  return removed;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::UnmapUpTo(uint64_t limit, Removed& removed) {
  if (absl::Status status = SplitBorders(limit); !status.ok()) return status;
  while (at_ < limit) {
    Ascend(limit);
    const Pte pte = this->node().Load(this->index());
    switch (F::Kind(pte, level_)) {
      case EntryKind::kAbsent:
        this->MoveTo(std::min(limit, this->NextOccupied()));
        break;
      case EntryKind::kTable:
        if (!EntryInside(limit) || !MayCutTable()) {
          this->EnterChild(pte);
          break;
        }
        Remove(pte, kAbsentPte, removed);
        this->MoveTo(at_ + Geo::EntrySpan(level_));
        break;
      case EntryKind::kLeaf:
        RemoveLeaves(limit, removed);
        break;
    }
  }
  return absl::OkStatus();
}

template <PageTableConfig C>
absl::StatusOr<std::optional<typename CursorMut<C>::Taken>> CursorMut<C>::TakeNext(
    uint64_t length) {
  if (absl::Status status = this->CheckStretch(length); !status.ok()) return status;
  Contract contract(*this);
  const VirtRange searched{this->virt_addr(), this->VirtOf(at_ + length)};
  absl::StatusOr<std::optional<Taken>> taken = DoTakeNext(at_ + length);
  contract.Ensure(taken.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    if (!*taken) return CheckTakeNext(before, after, searched, std::nullopt, 0);
    return CheckTakeNext(before, after, searched, (*taken)->range, (*taken)->pages);
  });
  return taken;
}

template <PageTableConfig C>
absl::StatusOr<std::optional<typename CursorMut<C>::Taken>> CursorMut<C>::DoTakeNext(
    uint64_t limit) {
  const uint64_t here = at_;
  if (this->FindLeaf(limit) == kAbsentPte) return std::nullopt;
  if (absl::Status status = SplitBorders(std::min(limit, EntryEnd())); !status.ok()) {
    this->MoveTo(here);
    return status;
  }
  Ascend(limit);
  Pte pte = this->node().Load(this->index());
  while (F::Kind(pte, level_) == EntryKind::kTable && !(EntryInside(limit) && MayCutTable())) {
    this->EnterChild(pte);
    pte = this->node().Load(this->index());
  }
  const bool leaf = F::Kind(pte, level_) == EntryKind::kLeaf;
  const C& config = this->table().config();
  if (leaf) {
    // The caller's own reference, taken while nothing has changed yet.
    absl::StatusOr<Item> item = config.CloneRaw(this->RawOf(pte));
    if (!item.ok()) {
      this->MoveTo(here);
      return item.status();
    }
    config.ItemIntoRaw(*std::move(item));
  }
  Taken taken;
  taken.range = this->EntryRange(level_);
  Removed removed;
  const Pte replaced = Remove(pte, kAbsentPte, removed);
  // From the entry as it was when it was cleared: with all bits that hardware had set.
  if (leaf) taken.item = config.ItemFromRaw(this->RawOf(replaced));
  taken.pages = removed.pages;
  this->MoveTo(at_ + Geo::EntrySpan(level_));
  return taken;
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_UNMAP_INC_H_
