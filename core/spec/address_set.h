// SPDX-License-Identifier: Apache-2.0
//
// A set of virtual addresses, byte by byte, kept as the longest ranges it is made of.
//
//   AddressSet set;
//   set.Insert(VirtRange{VirtAddr(0x1000), VirtAddr(0x3000)});
//   set.Erase(VirtRange{VirtAddr(0x1800), VirtAddr(0x2000)});
//   bool all = set.ContainsAll(VirtRange{VirtAddr(0x2000), VirtAddr(0x3000)});   // true
//
// Thread safety: a value; const functions may run at once. Failure: none. Preconditions: ranges are
// not reversed, and the set never holds all 2^64 addresses at once, which no range can say. Cost:
// logarithmic in the number of ranges, plus linear in those touched.

#ifndef PADDOCK_CORE_SPEC_ADDRESS_SET_H_
#define PADDOCK_CORE_SPEC_ADDRESS_SET_H_

#include <cstdint>
#include <optional>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "paddock/arch/address.h"

namespace paddock {

class AddressSet {
 public:
  AddressSet() = default;
  explicit AddressSet(VirtRange range) { Insert(range); }

  void Insert(VirtRange range);
  void Insert(const AddressSet& other);
  void Erase(VirtRange range);

  bool empty() const { return ranges_.empty(); }
  bool Contains(VirtAddr va) const;
  bool ContainsAll(VirtRange range) const { return !FirstAbsent(range); }
  // The first address of `range` that is not in the set.
  std::optional<VirtAddr> FirstAbsent(VirtRange range) const;
  // The part of the set that lies in `range`.
  AddressSet Part(VirtRange range) const;

  // Ascending; neighbouring ranges do not touch.
  void ForEach(absl::FunctionRef<void(VirtRange)> visit) const;

  friend bool operator==(const AddressSet&, const AddressSet&) = default;

 private:
  // invariant: first address to last address, inclusive; no two overlap or touch.
  using Ranges = absl::btree_map<uint64_t, uint64_t>;

  // The range that contains `va`, else the first one after it.
  Ranges::const_iterator At(uint64_t va) const;

  Ranges ranges_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_ADDRESS_SET_H_
