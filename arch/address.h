// SPDX-License-Identifier: Apache-2.0
//
// Strong addresses and half-open ranges of them. A virtual address cannot be passed where a
// physical one is wanted, and no operation here wraps silently.
//
//   VirtAddr va(0x7f00'0000'1000);
//   std::optional<VirtAddr> next = va.CheckedAdd(kPageSize);
//   std::optional<VirtRange> range = VirtRange::FromStartSize(va, 16 * kPageSize);
//   if (range->IsEmpty() || range->IsReversed() || !range->IsAligned(kPageSize)) { /* refuse */ }
//
// Thread safety: values. Failure: a checked operation returns nullopt; the unchecked ones state a
// precondition. Cost: a few instructions; everything is constexpr.

#ifndef PADDOCK_ARCH_ADDRESS_H_
#define PADDOCK_ARCH_ADDRESS_H_

#include <bit>
#include <cassert>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

namespace paddock {

// The base page of every format.
inline constexpr int kPageBits = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageBits;

// A 64-bit address of the kind that `Tag` names. Every value is representable; whether a format can
// translate it is the format's business (`Geometry::IsCanonical`). In all functions `align` is a
// power of two, in bytes.
template <typename Tag>
class StrongAddress {
 public:
  constexpr StrongAddress() = default;
  constexpr explicit StrongAddress(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr uint64_t PageNumber() const { return value_ >> kPageBits; }

  constexpr bool IsAligned(uint64_t align) const { return (value_ & LowMask(align)) == 0; }
  constexpr StrongAddress AlignDown(uint64_t align) const {
    return StrongAddress(value_ & ~LowMask(align));
  }
  // The next multiple of `align`, or the address itself; nullopt if that is 2^64.
  constexpr std::optional<StrongAddress> CheckedAlignUp(uint64_t align) const {
    const std::optional<StrongAddress> bumped = CheckedAdd(LowMask(align));
    if (!bumped) return std::nullopt;
    return bumped->AlignDown(align);
  }

  // The address `n` bytes further; nullopt if it is 2^64 or more.
  constexpr std::optional<StrongAddress> CheckedAdd(uint64_t n) const {
    if (n > std::numeric_limits<uint64_t>::max() - value_) return std::nullopt;
    return StrongAddress(value_ + n);
  }
  // The address `n` bytes further. Precondition: the sum is at most 2^64; a sum of exactly 2^64
  // gives address 0, which as the end of a range means the very top.
  constexpr StrongAddress Plus(uint64_t n) const {
    assert(n == 0 || n - 1 <= std::numeric_limits<uint64_t>::max() - value_);
    return StrongAddress(value_ + n);
  }

  friend constexpr auto operator<=>(StrongAddress, StrongAddress) = default;

 private:
  static constexpr uint64_t LowMask(uint64_t align) {
    assert(std::has_single_bit(align));
    return align - 1;
  }

  uint64_t value_ = 0;
};

// The addresses from `start` up to, not including, `end`. It holds whatever a caller passed,
// unvalidated on purpose: empty, reversed and unaligned ranges exist so that they can be refused
// with a message. `end` 0 after a `start` other than 0 means 2^64, so a range can reach the last
// address; `[0, 0)` is empty, and all 2^64 addresses at once have no representation.
template <typename Addr>
struct AddressRange {
  Addr start;
  Addr end;

  // nullopt if the range would pass 2^64; to reach exactly 2^64 is allowed, unless from address 0.
  static constexpr std::optional<AddressRange> FromStartSize(Addr start, uint64_t size) {
    if (size != 0 && !start.CheckedAdd(size - 1)) return std::nullopt;
    return AddressRange{start, start.Plus(size)};
  }

  constexpr bool IsEmpty() const { return start == end; }
  constexpr bool IsReversed() const { return end < start && end.value() != 0; }
  // Both ends are multiples of `align`.
  constexpr bool IsAligned(uint64_t align) const {
    return start.IsAligned(align) && end.IsAligned(align);
  }

  // In bytes. Meaningless if reversed.
  constexpr uint64_t size() const { return end.value() - start.value(); }
  // The last address inside. Precondition: not empty, not reversed.
  constexpr Addr last() const {
    assert(!IsEmpty() && !IsReversed());
    return Addr(end.value() - 1);
  }

  // A range that is empty or reversed contains no address and intersects nothing.
  constexpr bool Contains(Addr addr) const {
    return !IsEmpty() && !IsReversed() && start <= addr && addr <= last();
  }
  // Whether all of `range` lies inside. An empty one does if it stands inside or at either end
  // (`[0, 0)` stands at 0, not at the top); a reversed one never does.
  constexpr bool Contains(const AddressRange& range) const {
    if (IsReversed() || range.IsReversed()) return false;
    if (range.IsEmpty()) {
      const bool at_end = range.start == end && end.value() != 0;
      return range.start == start || at_end || Contains(range.start);
    }
    return Contains(range.start) && range.last() <= last();
  }
  constexpr bool Intersects(const AddressRange& range) const {
    if (IsEmpty() || IsReversed() || range.IsEmpty() || range.IsReversed()) return false;
    return start <= range.last() && range.start <= last();
  }
  // The addresses in both; an empty range if there are none.
  constexpr AddressRange Intersection(const AddressRange& range) const {
    const Addr from = start < range.start ? range.start : start;
    if (!Intersects(range)) return AddressRange{from, from};
    return AddressRange{from, last() < range.last() ? end : range.end};
  }

  friend constexpr bool operator==(const AddressRange&, const AddressRange&) = default;
};

using VirtAddr = StrongAddress<struct VirtAddrTag>;
using PhysAddr = StrongAddress<struct PhysAddrTag>;
using VirtRange = AddressRange<VirtAddr>;
using PhysRange = AddressRange<PhysAddr>;

static_assert(sizeof(VirtAddr) == sizeof(uint64_t));
static_assert(VirtRange{VirtAddr(~uint64_t{0xfff}), VirtAddr(0)}.size() == kPageSize);

}  // namespace paddock

#endif  // PADDOCK_ARCH_ADDRESS_H_
