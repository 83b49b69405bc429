// SPDX-License-Identifier: Apache-2.0
//
// CursorMut: mapping, new tables, and splitting.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_MAP_INC_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_MAP_INC_H_

#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/core/page_table/cursor_mut.h"

namespace paddock {

template <PageTableConfig C>
absl::Status CursorMut<C>::EncodeStatus(EncodeError error, VirtAddr va) {
  return absl::InvalidArgumentError(
      absl::StrFormat("mapping at %#x: %s", va.value(), EncodeErrorText(error)));
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckProperty(PageProperty property, VirtAddr va) {
  // A TLB uses global translations in every space.
  if (C::kTlbScope == TlbScope::kSpace && HasAny(property.flags, PageFlags::kGlobal)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "mapping at %#x: kGlobal is for addresses that all spaces share", va.value()));
  }
  return absl::OkStatus();
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckSoftware(uint8_t changed, VirtAddr va) {
  const uint8_t reserved = changed & ReservedSoftware<C>();
  if (reserved == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("mapping at %#x: software bits %#x of the property belong to the table",
                      va.value(), reserved));
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckItem(const RawItem& raw, Pte& leaf) const {
  const VirtAddr va = this->virt_addr();
  if (raw.level < 1 || raw.level > Geo::kLevels || !F::IsLeafLevel(raw.level)) {
    return EncodeStatus(EncodeError::kNoLeafAtLevel, va);
  }
  const uint64_t span = Geo::EntrySpan(raw.level);
  if (at_ % span != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("address %#x is not aligned to the item's %#x bytes", va.value(), span));
  }
  if (span > this->remaining()) {
    return absl::OutOfRangeError(
        absl::StrFormat("an item of %#x bytes at %#x passes the end of the locked range, %#x", span,
                        va.value(), this->range().end.value()));
  }
  if (raw.level == Geo::kLevels && !C::kTopLevelRemovable) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "an item of %#x bytes at %#x would take the place of a shared top-level table", span,
        va.value()));
  }
  if (raw.level > this->top()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "an item of %#x bytes at %#x needs a cursor opened with Anchor::kHigh", span, va.value()));
  }
  const EncodeResult encoded = F::EncodeLeaf(raw.frame, raw.property, raw.level);
  if (!encoded.ok()) return EncodeStatus(encoded.error, va);
  leaf = encoded.pte;
  return CheckProperty(raw.property, va);
}

template <PageTableConfig C>
absl::Status CursorMut<C>::Map(Item&& item) {
  if (!this->table().config().Owns(item)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the item to map at %#x belongs to another machine", this->virt_addr().value()));
  }
  const PageProperty property = item.property;
  if (absl::Status status = CheckSoftware(property.software, this->virt_addr()); !status.ok()) {
    return status;
  }
  Contract contract(*this);
  const RawItem raw = this->table().config().RawOf(item);
  const VirtAddr va = this->virt_addr();
  const absl::Status status = DoMap(std::move(item), raw);
  contract.Ensure(status.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    return CheckMap(before, after, VirtRange{va, this->virt_addr()}, raw.frame, raw.property);
  });
  return status;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::Prepare(const RawItem& raw) {
  Contract contract(*this);
  Pte leaf = kAbsentPte;
  Pte entry = kAbsentPte;
  absl::Status status = CheckItem(raw, leaf);
  if (status.ok()) status = DescendTo(raw.level, entry);
  contract.Ensure(status.ok(), [](const AbstractTable& before, const AbstractTable& after) {
    return CheckUnchanged(before, after);
  });
  if (status.ok()) this->MoveTo(at_ + Geo::EntrySpan(raw.level));
  return status;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::DescendTo(int level, Pte& entry) {
  while (level_ < level) ++level_;
  entry = this->node().Load(this->index());
  while (level_ > level && F::Kind(entry, level_) == EntryKind::kTable) {
    this->EnterChild(entry);
    entry = this->node().Load(this->index());
  }
  if (level_ == level) return absl::OkStatus();
  NodeReserve<C> reserve(this->env().frames());
  if (absl::Status status = reserve.Ensure(level_ - level); !status.ok()) return status;
  while (level_ > level) {
    if (F::Kind(entry, level_) == EntryKind::kLeaf) {
      SplitLeaf(reserve);
    } else {
      const Node<F> table = NewTable(reserve, level_ - 1, at_);
      this->node().Store(this->index(), F::EncodeTable(table.address(this->env().frames())),
                         level_);
    }
    this->EnterChild(this->node().Load(this->index()));
    entry = this->node().Load(this->index());
  }
  return absl::OkStatus();
}

template <PageTableConfig C>
absl::Status CursorMut<C>::DoMap(Item&& item, const RawItem& raw) {
  Pte leaf = kAbsentPte;
  Pte old_entry = kAbsentPte;
  if (absl::Status status = CheckItem(raw, leaf); !status.ok()) return status;
  if (absl::Status status = DescendTo(raw.level, old_entry); !status.ok()) return status;

  this->table().config().ItemIntoRaw(std::move(item));
  if (F::Kind(old_entry, level_) == EntryKind::kAbsent) {
    this->node().Store(this->index(), leaf, level_);
  } else {
    Removed replaced;
    Remove(old_entry, leaf, replaced);
  }
  this->MoveTo(at_ + Geo::EntrySpan(raw.level));
  return absl::OkStatus();
}

template <PageTableConfig C>
Node<typename C::Format> CursorMut<C>::NewTable(NodeReserve<C>& reserve, int level,
                                                uint64_t offset) {
  const uint64_t start = offset & ~(Geo::NodeSpan(level) - 1);
  const uint64_t from = std::max(range_.start, start);
  const uint64_t to = std::min(range_.end, start + Geo::NodeSpan(level));
  return reserve.Take(level, this->env().NextNodeIdentity(this->pin()),
                      Node<F>::GranulesOf(from, to, level));
}

template <PageTableConfig C>
void CursorMut<C>::SplitLeaf(NodeReserve<C>& reserve) {
  Node<F> table = NewTable(reserve, level_ - 1, at_);
  const uint64_t entries = Geo::Entries(level_ - 1);
  table.OccupyAll(level_ - 1);
  Pte leaf = this->node().Load(this->index());
  const Pte entry = F::EncodeTable(table.address(this->env().frames()));
  PADDOCK_CHECK(F::IsSafeLiveChange(leaf, entry, level_),
                "the format cannot split a live leaf in place");
  do {
    for (uint64_t i = 0; i < entries; ++i) table.Fill(i, F::SplitLeaf(leaf, level_, i));
    // Hardware may set accessed or dirty between the two: the pieces then inherit the bit.
  } while (!this->node().CompareExchange(this->index(), leaf, entry));
  if (F::FlushFor(leaf, entry, level_) == FlushNeed::kRequired) {
    flusher_.Issue(this->EntryRange(level_));
    flusher_.Name(MappedFramesOf(this->RawOf(leaf)));
  }
}

template <PageTableConfig C>
int CursorMut<C>::SplitsAt(uint64_t border, uint64_t inside) {
  const uint64_t here = at_;
  this->MoveTo(inside);
  const Pte pte = this->Decide();
  int splits = 0;
  if (F::Kind(pte, level_) == EntryKind::kLeaf) {
    while (border % Geo::EntrySpan(level_ - splits) != 0) ++splits;
  }
  this->MoveTo(here);
  return splits;
}

template <PageTableConfig C>
void CursorMut<C>::SplitAt(NodeReserve<C>& reserve, uint64_t border, uint64_t inside) {
  const uint64_t here = at_;
  this->MoveTo(inside);
  Pte pte = this->Decide();
  while (F::Kind(pte, level_) == EntryKind::kLeaf && border % Geo::EntrySpan(level_) != 0) {
    SplitLeaf(reserve);
    pte = this->Decide();
  }
  this->MoveTo(here);
}

template <PageTableConfig C>
absl::Status CursorMut<C>::SplitBorders(uint64_t limit) {
  if (limit == at_) return absl::OkStatus();
  // Leaves of base pages are never split.
  this->Decide();
  if (level_ == 1 && (at_ ^ (limit - kPageSize)) < Geo::NodeSpan(1)) return absl::OkStatus();
  const int below = SplitsAt(at_, at_);
  const int above = SplitsAt(limit, limit - kPageSize);
  if (below + above == 0) return absl::OkStatus();
  // As long as both borders lie in the same entry, one table serves both.
  this->Decide();
  int shared = 0;
  while (shared < std::min(below, above) &&
         (at_ ^ (limit - kPageSize)) >> Geo::Shift(level_ - shared) == 0) {
    ++shared;
  }
  NodeReserve<C> reserve(this->env().frames());
  if (absl::Status status = reserve.Ensure(below + above - shared); !status.ok()) return status;
  SplitAt(reserve, at_, at_);
  SplitAt(reserve, limit, limit - kPageSize);
  return absl::OkStatus();
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_MAP_INC_H_
