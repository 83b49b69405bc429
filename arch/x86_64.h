// SPDX-License-Identifier: Apache-2.0
//
// x86-64 long-mode paging, 4 levels (PML4) or 5 (PML5), as the Intel SDM volume 3 chapter 4 and the
// AMD APM volume 2 chapter 5 define it.
//
//   using F = x86_64::Format4;
//   EncodeResult leaf = F::EncodeLeaf(PhysAddr(0x20'0000), kReadWriteUser, /*level=*/2);
//
// The processor is assumed to run with EFER.NXE=1, CR0.WP=1 and IA32_PAT = kPatMsr.
//
// Two things that the encoding cannot hide:
// - A present entry is readable, so a leaf without kRead is refused.
// - Under CR4.CET a leaf with RW=0 and D=1 is a shadow-stack page. A property that is dirty but not
//   writable is encoded as such: a kernel with shadow stacks has to move the dirty bit into
//   `software` when it removes kWrite.

#ifndef PADDOCK_ARCH_X86_64_H_
#define PADDOCK_ARCH_X86_64_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"

namespace paddock::x86_64 {

inline constexpr Pte kPresent = 1 << 0;
inline constexpr Pte kWritable = 1 << 1;
inline constexpr Pte kUserAccess = 1 << 2;
inline constexpr Pte kWriteThroughBit = 1 << 3;  // PWT: bit 0 of the PAT index
inline constexpr Pte kCacheDisableBit = 1 << 4;  // PCD: bit 1 of the PAT index
inline constexpr Pte kAccessedBit = 1 << 5;
inline constexpr Pte kDirtyBit = 1 << 6;
inline constexpr Pte kSmallPat = 1 << 7;  // bit 2 of the PAT index in a 4 KiB leaf
inline constexpr Pte kPageSizeBit = 1 << 7;
inline constexpr Pte kGlobalBit = 1 << 8;
inline constexpr Pte kLargePat = 1 << 12;  // the same in a 2 MiB or 1 GiB leaf
inline constexpr Pte kNoExecute = Pte{1} << 63;

// The eight software bits: low three in 9..11, high five in 52..56. Bit 57 stays unused, and 59..62
// too, which protection keys take.
inline constexpr Pte kSoftwareMask = (Pte{7} << 9) | (Pte{31} << 52);

// PA0..PA7 = WB, WT, UC-, UC, WC, WP, UC-, UC: the reset value but for PA4 and PA5, so that tables
// and mappings without the PAT bit mean the same before the register is written.
inline constexpr uint64_t kPatMsr = 0x0007'0501'0007'0406;

template <int Levels, int PhysicalBits = 52, int MaxLeafLevel = 3>
struct Format {
  static_assert(Levels == 4 || Levels == 5);
  static_assert(32 <= PhysicalBits && PhysicalBits <= 52);
  static_assert(1 <= MaxLeafLevel && MaxLeafLevel <= 3);

  static constexpr const char* kName = Levels == 4 ? "x86-64/4" : "x86-64/5";
  static constexpr int kLevels = Levels;
  static constexpr int kAddressBits = kPageBits + 9 * Levels;
  static constexpr int kPhysicalBits = PhysicalBits;  // MAXPHYADDR
  static constexpr SignExtension kSignExtension = SignExtension::kFromTopBit;
  static constexpr int kEntriesPerGranule = 8;
  static constexpr Pte kClaimBit = Pte{1} << 58;     // ignored, present or not: SDM 4.5, table 4-20
  static constexpr bool kAbsentMayBeCached = false;  // SDM 4.10.2.3

  static constexpr int IndexBits(int) { return 9; }
  // 2 on processors without 1 GiB pages (CPUID 80000001h.EDX[26] = 0).
  static constexpr bool IsLeafLevel(int level) { return level <= MaxLeafLevel; }

  // Where bit 7 is reserved, an entry that has it set faults, and so is absent.
  static constexpr EntryKind Kind(Pte pte, int level) {
    if (!(pte & kPresent)) return EntryKind::kAbsent;
    if (level == 1) return EntryKind::kLeaf;
    if (!(pte & kPageSizeBit)) return EntryKind::kTable;
    return IsLeafLevel(level) ? EntryKind::kLeaf : EntryKind::kAbsent;
  }
  static constexpr PhysAddr Address(Pte pte, int level) {
    return PhysAddr(pte & AddressMask(IsLarge(pte, level) ? level : 1));
  }
  static constexpr PageProperty Property(Pte pte, int level) {
    assert(Kind(pte, level) == EntryKind::kLeaf);
    PageProperty property = kLowBits[LowBits(pte, level)];
    if (!(pte & kNoExecute)) property.flags |= PageFlags::kExecute;
    property.software = static_cast<uint8_t>(((pte >> 9) & 7) | ((pte >> (52 - 3)) & 0xf8));
    return property;
  }

  static constexpr Pte Attributes(Pte leaf, int level) { return leaf & ~AddressMask(level); }

  static constexpr EncodeResult EncodeLeaf(PhysAddr address, PageProperty property, int level) {
    if (!IsLeafLevel(level)) return {.error = EncodeError::kNoLeafAtLevel};
    if (!address.IsAligned(LeafSize(level))) return {.error = EncodeError::kUnalignedAddress};
    if (address.value() >> PhysicalBits) return {.error = EncodeError::kAddressTooWide};
    const PageFlags flags = property.flags;
    const bool known = (flags & kAllPageFlags) == flags;
    if (!known || !HasAll(flags, PageFlags::kRead))
      return {.error = EncodeError::kUnsupportedFlags};
    if (static_cast<int>(property.cache) >= kCachePolicyCount) {
      return {.error = EncodeError::kUnsupportedCache};
    }
    Pte pte = address.value() | kFlagBits[static_cast<uint8_t>(flags)] |
              EncodeCache(property.cache, PatBit(level));
    if (level > 1) pte |= kPageSizeBit;
    pte |= Pte{property.software & 7u} << 9 | Pte{property.software & 0xf8u} << (52 - 3);
    return {.pte = pte};
  }
  static constexpr Pte EncodeTable(PhysAddr address) {
    assert((address.value() & ~AddressMask(1)) == 0);
    return address.value() | kPresent | kWritable | kUserAccess;
  }
  static constexpr EncodeResult WithProperty(Pte leaf, PageProperty property, int level) {
    assert(Kind(leaf, level) == EntryKind::kLeaf);
    return EncodeLeaf(Address(leaf, level), property, level);
  }
  static constexpr Pte SplitLeaf(Pte leaf, int level, uint64_t index) {
    assert(level > 1 && Kind(leaf, level) == EntryKind::kLeaf && index < 512);
    const Pte attributes = leaf & ~(AddressMask(level) | kPageSizeBit | kLargePat);
    const Pte address = Address(leaf, level).value() + index * LeafSize(level - 1);
    const Pte pat = leaf & kLargePat ? PatBit(level - 1) : 0;
    return attributes | address | pat | (level > 2 ? kPageSizeBit : 0);
  }
  static constexpr Pte WithAccessed(Pte leaf, int) { return leaf | kAccessedBit; }
  static constexpr Pte WithAccessedDirty(Pte leaf, int) { return leaf | kAccessedBit | kDirtyBit; }

  // Not safe: a table becoming a leaf, whose translations may differ (with both sizes cached it is
  // uncertain which one is used, SDM 4.10.2.3, and an instruction fetch that hits both is a machine
  // check on some processors, erratum "iTLB multihit"), and another memory type for the same frame
  // (SDM, "Programming the PAT": clear, flush, map anew). A split is safe: both sizes translate
  // alike.
  static constexpr bool IsSafeLiveChange(Pte old_entry, Pte new_entry, int level) {
    const EntryKind old_kind = Kind(old_entry, level);
    const EntryKind new_kind = Kind(new_entry, level);
    if (old_kind == EntryKind::kAbsent || new_kind == EntryKind::kAbsent) return true;
    if (old_kind != new_kind) return old_kind == EntryKind::kLeaf;
    if (old_kind == EntryKind::kTable) return true;
    return Address(old_entry, level) != Address(new_entry, level) ||
           kLowBits[LowBits(old_entry, level)].cache == kLowBits[LowBits(new_entry, level)].cache;
  }

  // SDM 4.10.4.2 (what must be invalidated) and 4.10.4.3 (what need not). US 0 -> 1 of an
  // executable page is more permission for the user but, under CR4.SMEP, less for the kernel:
  // required.
  static constexpr FlushNeed FlushFor(Pte old_entry, Pte new_entry, int level) {
    const EntryKind kind = Kind(old_entry, level);
    if (kind == EntryKind::kAbsent) return FlushNeed::kNone;
    if (kind != Kind(new_entry, level)) return FlushNeed::kRequired;
    constexpr Pte kPermissions = kWritable | kUserAccess | kNoExecute;
    constexpr Pte kSetByHardware = kAccessedBit | kDirtyBit;
    if ((old_entry ^ new_entry) & ~(kPermissions | kSetByHardware | kSoftwareMask)) {
      return FlushNeed::kRequired;
    }
    const Pte old_allowed = (old_entry ^ kNoExecute) & kPermissions;
    const Pte new_allowed = (new_entry ^ kNoExecute) & kPermissions;
    const Pte lost = (old_allowed & ~new_allowed) | (old_entry & ~new_entry & kSetByHardware);
    const Pte gained = new_allowed & ~old_allowed;
    const bool smep = (gained & kUserAccess) && !(old_entry & kNoExecute);
    if (lost || smep) return FlushNeed::kRequired;
    return gained ? FlushNeed::kDeferrable : FlushNeed::kNone;
  }

 private:
  // Leaves are taken apart and put together often, so both are look-ups. The bits 0..8 of a 4 KiB
  // leaf hold all of a property but execution and software bits; a larger leaf has its PAT bit
  // elsewhere.
  static constexpr uint64_t LowBits(Pte leaf, int level) {
    if (level == 1) return leaf & 0x1ff;
    return (leaf & 0x1ff & ~kPageSizeBit) | (leaf & kLargePat ? kSmallPat : 0);
  }
  static constexpr CachePolicy DecodeCache(Pte low_bits) {
    if (low_bits & kCacheDisableBit) return CachePolicy::kUncacheable;
    if (low_bits & kWriteThroughBit) {
      return low_bits & kSmallPat ? CachePolicy::kWriteProtected : CachePolicy::kWriteThrough;
    }
    return low_bits & kSmallPat ? CachePolicy::kWriteCombining : CachePolicy::kWriteBack;
  }
  // What they say.
  static constexpr auto kLowBits = [] {
    std::array<PageProperty, 0x200> properties{};
    for (Pte bits = 0; bits < properties.size(); ++bits) {
      PageProperty& property = properties[bits];
      property.flags = PageFlags::kRead;
      if (bits & kWritable) property.flags |= PageFlags::kWrite;
      if (bits & kUserAccess) property.flags |= PageFlags::kUser;
      if (bits & kGlobalBit) property.flags |= PageFlags::kGlobal;
      if (bits & kAccessedBit) property.flags |= PageFlags::kAccessed;
      if (bits & kDirtyBit) property.flags |= PageFlags::kDirty;
      property.cache = DecodeCache(bits);
    }
    return properties;
  }();
  // What stands in a leaf for each set of flags.
  static constexpr auto kFlagBits = [] {
    std::array<Pte, static_cast<size_t>(kAllPageFlags) + 1> bits{};
    for (size_t i = 0; i < bits.size(); ++i) {
      const auto flags = static_cast<PageFlags>(i);
      Pte pte = kPresent;
      if (HasAny(flags, PageFlags::kWrite)) pte |= kWritable;
      if (!HasAny(flags, PageFlags::kExecute)) pte |= kNoExecute;
      if (HasAny(flags, PageFlags::kUser)) pte |= kUserAccess;
      if (HasAny(flags, PageFlags::kGlobal)) pte |= kGlobalBit;
      if (HasAny(flags, PageFlags::kAccessed)) pte |= kAccessedBit;
      if (HasAny(flags, PageFlags::kDirty)) pte |= kDirtyBit;
      bits[i] = pte;
    }
    return bits;
  }();

  static constexpr uint64_t LeafSize(int level) {
    return uint64_t{1} << (kPageBits + 9 * (level - 1));
  }
  // The address bits of a leaf of `level`; those of level 1 are also those of a table entry.
  static constexpr Pte AddressMask(int level) {
    return ((Pte{1} << PhysicalBits) - 1) & ~(LeafSize(level) - 1);
  }
  static constexpr bool IsLarge(Pte pte, int level) { return level > 1 && (pte & kPageSizeBit); }
  static constexpr Pte PatBit(int level) { return level == 1 ? kSmallPat : kLargePat; }

  static constexpr Pte EncodeCache(CachePolicy cache, Pte pat_bit) {
    switch (cache) {
      case CachePolicy::kWriteBack:
        return 0;
      case CachePolicy::kWriteThrough:
        return kWriteThroughBit;
      case CachePolicy::kUncacheable:
        return kCacheDisableBit | kWriteThroughBit;
      case CachePolicy::kWriteCombining:
        return pat_bit;
      case CachePolicy::kWriteProtected:
        return pat_bit | kWriteThroughBit;
    }
    return 0;
  }
};

using Format4 = Format<4>;
using Format5 = Format<5>;

static_assert(PagingFormat<Format4> && PagingFormat<Format5>);
static_assert(Format4::kAddressBits == 48 && Format5::kAddressBits == 57);
static_assert(Geometry<Format4>::EntrySpan(2) == 2u << 20 &&
              Geometry<Format4>::EntrySpan(3) == 1u << 30);
static_assert(Geometry<Format4>::Entries(1) * sizeof(Pte) == kPageSize &&
              Geometry<Format5>::Entries(5) * sizeof(Pte) == kPageSize);
static_assert(Geometry<Format4>::Entries(4) == 512 && Geometry<Format4>::GranuleCount(4) == 64);
static_assert(Geometry<Format4>::IsCanonical(VirtAddr(0x0000'7fff'ffff'ffff)));
static_assert(!Geometry<Format4>::IsCanonical(VirtAddr(0x0000'8000'0000'0000)));
static_assert(Geometry<Format4>::ToVirt(1ull << 47) == VirtAddr(0xffff'8000'0000'0000));
static_assert(Geometry<Format5>::ToVirt(1ull << 56) == VirtAddr(0xff00'0000'0000'0000));
static_assert(Geometry<Format4>::Index(Geometry<Format4>::ToOffset(VirtAddr(~0ull)), 4) == 511);
static_assert(Format4::Kind(kAbsentPte, 1) == EntryKind::kAbsent &&
              Format4::Kind(kAbsentPte, 4) == EntryKind::kAbsent);

}  // namespace paddock::x86_64

#endif  // PADDOCK_ARCH_X86_64_H_
