// SPDX-License-Identifier: Apache-2.0
//
// What somebody may access of an address space: a set of addresses, and what each translates to.
// After MemView, on which the readers and writers of the Asterinas address space are founded (seed
// 003).
//
//   MemView view(table);                                      // all that an AbstractTable maps
//   MemView taken = view.TakeOut(range);                      // view translates none of it now
//   std::optional<PhysAddr> where = taken.Translate(va);
//   view.GiveBack(taken);
//
// Addresses are bytes, mappings are pages: two views may share a page, and no byte of it.
//
// Thread safety: a value; const functions may run at once. Failure: none; preconditions are stated.
// Cost: logarithmic, plus linear in the ranges and runs that an operation touches.

#ifndef PADDOCK_CORE_SPEC_MEM_VIEW_H_
#define PADDOCK_CORE_SPEC_MEM_VIEW_H_

#include <optional>
#include <utility>

#include "paddock/arch/address.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/core/spec/address_set.h"

namespace paddock {

class MemView {
 public:
  // Of nothing.
  MemView() = default;
  // Of all that `mappings` maps.
  explicit MemView(AbstractTable mappings);

  // Nothing, if `va` is not in the view.
  std::optional<PhysAddr> Translate(VirtAddr va) const;
  const AddressSet& addresses() const { return addresses_; }

  // A view of what lies in `range`; this view keeps it.
  MemView Borrow(VirtRange range) const;
  // The same, and this view translates none of it any more.
  MemView TakeOut(VirtRange range);
  // Precondition: `part` was taken out of this view.
  void GiveBack(const MemView& part) { addresses_.Insert(part.addresses_); }

 private:
  friend std::optional<VirtAddr> FirstDisagreement(const MemView& a, const MemView& b);

  MemView(AbstractTable mappings, AddressSet addresses)
      : mappings_(std::move(mappings)), addresses_(std::move(addresses)) {}

  // invariant: maps every page that has a byte in `addresses_`; others too, if they were taken out.
  AbstractTable mappings_;
  AddressSet addresses_;
};

// The first address that both views translate, and not alike.
std::optional<VirtAddr> FirstDisagreement(const MemView& a, const MemView& b);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_MEM_VIEW_H_
