// SPDX-License-Identifier: Apache-2.0
//
// CursorMut: changing properties.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_PROTECT_INC_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_PROTECT_INC_H_

#include "paddock/concurrency/check.h"
#include "paddock/core/page_table/cursor_mut.h"

namespace paddock {

template <PageTableConfig C>
absl::Status CursorMut<C>::PrepareChange(Pte first, uint64_t limit, LeafChange<F>& change) {
  absl::Status status = CheckChange(first, change);
  if (status.ok() && EntryEnd() < limit) status = CheckOthers(limit, change);
  if (status.ok()) status = SplitBorders(limit);
  return status;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckOthers(uint64_t limit, LeafChange<F>& change) {
  const uint64_t here = at_;
  absl::Status status;
  while (status.ok() && EntryEnd() < limit) {
    this->VisitLeaves(
        limit, [&change](int level, uint64_t, Pte next) { return change.Knows(next, level); });
    const Pte leaf = this->FindLeaf(limit);
    if (leaf == kAbsentPte) break;
    status = CheckChange(leaf, change);
  }
  this->MoveTo(here);
  return status;
}

template <PageTableConfig C>
absl::Status CursorMut<C>::CheckChange(Pte leaf, LeafChange<F>& change) const {
  change.Apply(leaf, level_);
  if (MayMake(change)) [[likely]]
    return absl::OkStatus();
  if (change.error() != EncodeError::kNone) return EncodeStatus(change.error(), this->virt_addr());
  absl::Status status = CheckSoftware(change.software_changed(), this->virt_addr());
  if (!status.ok()) return status;
  return CheckProperty(change.property(), this->virt_addr());
}

template <PageTableConfig C>
absl::StatusOr<std::optional<Protected>> CursorMut<C>::ProtectNext(uint64_t length,
                                                                   PropertyChange change) {
  if (absl::Status status = this->CheckStretch(length); !status.ok()) return status;
  Contract contract(*this);
  const VirtRange searched{this->virt_addr(), this->VirtOf(at_ + length)};
  absl::StatusOr<std::optional<Protected>> next = DoProtectNext(at_ + length, change);
  contract.Ensure(next.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    std::optional<VirtRange> changed;
    if (*next) changed = (*next)->range;
    return CheckProtectNext(before, after, searched, changed, change);
  });
  return next;
}

template <PageTableConfig C>
absl::StatusOr<std::optional<Protected>> CursorMut<C>::DoProtectNext(uint64_t limit,
                                                                     PropertyChange function) {
  LeafChange<F> change(function);
  const uint64_t here = at_;
  const Pte found = this->FindLeaf(limit);
  if (found == kAbsentPte) return std::nullopt;
  absl::Status status = PrepareChange(found, std::min(limit, EntryEnd()), change);
  if (!status.ok()) {
    this->MoveTo(here);
    return status;
  }
  const Pte replaced = ChangeProperty(this->Decide(), change);
  const Protected result{this->EntryRange(level_), F::Property(replaced, level_)};
  this->MoveTo(at_ + Geo::EntrySpan(level_));
  return result;
}

template <PageTableConfig C>
void CursorMut<C>::RequirePure(const LeafChange<F>& change) {
  PADDOCK_CHECK(MayMake(change), "the change of a property is not a pure function");
}

template <PageTableConfig C>
Pte CursorMut<C>::ChangeProperty(Pte old_entry, LeafChange<F>& change) {
  const auto changed = [&](Pte leaf) {
    const Pte entry = change.Apply(leaf, level_);
    RequirePure(change);
    return entry;
  };
  Pte new_entry = changed(old_entry);
  if (!change.is_safe_live()) {
    old_entry = Break();
    this->node().Store(this->index(), changed(old_entry), level_);
    return old_entry;
  }
  // A live entry: hardware may set bits until the exchange, and none may be lost.
  while (!this->node().CompareExchange(this->index(), old_entry, new_entry)) {
    new_entry = changed(old_entry);
  }
  if (change.flush() == FlushNeed::kRequired) {
    flusher_.Issue(this->EntryRange(level_));
    NameLeaf(old_entry);
  }
  return old_entry;
}

template <PageTableConfig C>
void CursorMut<C>::ChangeAlike(uint64_t limit, LeafChange<F>& change) {
  RequirePure(change);
  const bool must_flush = change.flush() == FlushNeed::kRequired;
  const uint64_t from = at_;
  Node<F> node = this->node();
  this->VisitLeaves(limit, [&](int level, uint64_t index, Pte leaf) {
    // Hardware may set bits until the exchange: what it then is may be another leaf.
    while (change.Knows(leaf, level)) {
      if (!node.CompareExchange(index, leaf, change.Apply(leaf, level))) continue;
      if (must_flush) NameLeaf(leaf);
      return true;
    }
    return false;
  });
  if (must_flush) flusher_.Issue(VirtRange{this->VirtOf(from), this->virt_addr()});
}

template <PageTableConfig C>
bool CursorMut<C>::ProtectPage(PropertyChange function) {
  constexpr std::integral_constant<int, 1> kLevel;
  Node<F> node = path_[kLevel];
  const uint64_t index = Geo::Index(at_, kLevel);
  Pte leaf = node.Load(index);
  if (F::Kind(leaf, kLevel) != EntryKind::kLeaf) return false;
  const LeafChange<F> change(function, leaf, kLevel);
  if (!MayMake(change) || !change.is_safe_live()) return false;
  if (!node.CompareExchange(index, leaf, leaf ^ change.difference())) return false;
  if (change.flush() == FlushNeed::kRequired) {
    flusher_.Issue(this->EntryRange(kLevel));
    NameLeaf(leaf);
  }
  this->MoveTo(at_ + kPageSize);
  return true;
}

template <PageTableConfig C>
absl::StatusOr<uint64_t> CursorMut<C>::Protect(uint64_t length, PropertyChange change) {
  if (absl::Status status = this->CheckStretch(length); !status.ok()) return status;
  Contract contract(*this);
  const VirtRange range{this->virt_addr(), this->VirtOf(at_ + length)};
  const absl::StatusOr<uint64_t> pages = DoProtect(at_ + length, change);
  contract.Ensure(pages.ok(), [&](const AbstractTable& before, const AbstractTable& after) {
    return CheckProtect(before, after, range, change, *pages);
  });
  return pages;
}

template <PageTableConfig C>
absl::StatusOr<uint64_t> CursorMut<C>::DoProtect(uint64_t limit, PropertyChange function) {
  if (IsBasePage(limit) && ProtectPage(function)) return 1;
  LeafChange<F> change(function);
  const uint64_t here = at_;
  const Pte first = this->FindLeaf(limit);
  if (first == kAbsentPte) return 0;
  absl::Status status = PrepareChange(first, limit, change);
  if (!status.ok()) {
    this->MoveTo(here);
    return status;
  }
  // Nothing is left that could fail: the properties can be encoded and the borders are split.
  uint64_t pages = 0;
  for (Pte leaf = this->Decide(); leaf != kAbsentPte; leaf = this->FindLeaf(limit)) {
    const uint64_t from = at_;
    change.Apply(leaf, level_);
    if (EntryEnd() < limit && change.is_safe_live()) {
      ChangeAlike(limit, change);
    } else {
      ChangeProperty(leaf, change);
      this->MoveTo(at_ + Geo::EntrySpan(level_));
    }
    pages += (at_ - from) / kPageSize;
  }
  return pages;
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_PROTECT_INC_H_
