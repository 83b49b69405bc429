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
absl::Status CursorMut<C>::GlobalError(VirtAddr va) {
  return absl::InvalidArgumentError(absl::StrFormat(
      "mapping at %#x: kGlobal is for addresses that all spaces share", va.value()));
}

template <PageTableConfig C>
absl::Status CursorMut<C>::SoftwareError(uint8_t changed, VirtAddr va) {
  return absl::InvalidArgumentError(
      absl::StrFormat("mapping at %#x: software bits %#x of the property belong to the table",
                      va.value(), changed & ReservedSoftware<C>()));
}

template <PageTableConfig C>
bool CursorMut<C>::Fits(const RawItem& raw) const {
  if (raw.level < 1 || raw.level > Geo::kLevels || !F::IsLeafLevel(raw.level)) return false;
  if (raw.level == Geo::kLevels && !C::kTopLevelRemovable) return false;
  const uint64_t span = Geo::EntrySpan(raw.level);
  return at_ % span == 0 && span <= this->remaining() && raw.level <= this->top();
}

template <PageTableConfig C>
absl::Status CursorMut<C>::FitError(RawItem raw) const {
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
  return absl::InvalidArgumentError(absl::StrFormat(
      "an item of %#x bytes at %#x needs a cursor opened with Anchor::kHigh", span, va.value()));
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckItem(const RawItem& raw, Pte& leaf) const {
  if (!Fits(raw)) [[unlikely]]
    return FitError(raw);
  const EncodeResult encoded = F::EncodeLeaf(raw.frame, raw.property, raw.level);
  if (!encoded.ok()) [[unlikely]]
    return EncodeStatus(encoded.error, this->virt_addr());
  leaf = encoded.pte;
  return CheckProperty(raw.property, this->virt_addr());
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckOwner(const Item& item) const {
  if (!this->table_->config().Owns(item)) [[unlikely]]
    return ForeignItemError();
  return CheckSoftware(item.property.software, this->virt_addr());
}

template <PageTableConfig C>
absl::Status CursorMut<C>::Map(Item&& item) {
  if (absl::Status status = CheckOwner(item); !status.ok()) return status;
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
absl::Status CursorMut<C>::MapPages(Item&& item)
  requires CountsPages<C>
{
  if (absl::Status status = CheckOwner(item); !status.ok()) return status;
  const uint64_t pages = this->table().config().PagesOf(item);
  const VirtAddr va = this->virt_addr();
  if (pages == 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the item to map at %#x has no base pages", va.value()));
  }
  if (pages > this->remaining() / kPageSize) {
    return absl::OutOfRangeError(
        absl::StrFormat("%u pages from %#x on pass the end of the locked range, %#x", pages,
                        va.value(), this->range().end.value()));
  }
  const uint64_t limit = at_ + pages * kPageSize;
  if ((at_ ^ (limit - 1)) >= Geo::NodeSpan(1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%u pages from %#x on are not in one table", pages, va.value()));
  }
  RawItem raw = this->table().config().RawOf(item);
  raw.level = 1;
  Pte leaf = kAbsentPte;
  if (absl::Status status = CheckItem(raw, leaf); !status.ok()) return status;
  // The others differ in their addresses only, of which the last is the highest.
  const PhysAddr last = raw.frame.Plus((pages - 1) * kPageSize);
  const EncodeResult highest = F::EncodeLeaf(last, raw.property, 1);
  if (!highest.ok()) return EncodeStatus(highest.error, va.Plus((pages - 1) * kPageSize));

  Contract contract(*this);
  const absl::Status status = DoMapPages(std::move(item), raw, limit);
  contract.Ensure(status.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    return CheckMap(before, after, VirtRange{va, this->virt_addr()}, raw.frame, raw.property);
  });
  return status;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::DoMapPages(Item&& item, const RawItem& raw, uint64_t limit) {
  Pte old_entry = kAbsentPte;
  if (absl::Status status = DescendTo(1, old_entry); !status.ok()) return status;

  this->table().config().ItemIntoRaw(std::move(item));
  Node<F> node = this->node();
  PhysAddr frame = raw.frame;
  for (uint64_t at = at_; at < limit; at += kPageSize, frame = frame.Plus(kPageSize)) {
    const uint64_t index = Geo::Index(at, 1);
    const Pte leaf = F::EncodeLeaf(frame, raw.property, 1).pte;
    if (old_entry = node.Load(index); F::Kind(old_entry, 1) == EntryKind::kAbsent) {
      node.Store(index, leaf, 1);
    } else {
      Removed replaced;
      this->MoveTo(at);
      Remove(old_entry, leaf, replaced);
    }
  }
  this->MoveTo(limit);
  return absl::OkStatus();
}

template <PageTableConfig C>
absl::Status CursorMut<C>::ForeignItemError() const {
  return absl::InvalidArgumentError(absl::StrFormat(
      "the item to map at %#x belongs to another machine", this->virt_addr().value()));
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
  if (level_ != level) [[unlikely]] {
    if (absl::Status status = MakeTablesTo(level); !status.ok()) return status;
    entry = this->node().Load(this->index());
  }
  return absl::OkStatus();
}

template <PageTableConfig C>
absl::Status CursorMut<C>::MakeTablesTo(int level) {
  NodeReserve<C> reserve(this->env().frames());
  if (absl::Status status = reserve.Ensure(level_ - level); !status.ok()) return status;
  while (level_ > level) {
    if (F::Kind(this->node().Load(this->index()), level_) == EntryKind::kLeaf) {
      SplitLeaf(reserve);
    } else {
      const Node<F> table = NewTable(reserve, level_ - 1, at_);
      this->node().Store(this->index(), F::EncodeTable(table.address(this->env().frames())),
                         level_);
    }
    this->EnterChild(this->node().Load(this->index()));
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
  if (level_ != 1) this->Decide();
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
