// SPDX-License-Identifier: Apache-2.0
//
// A paging format of any number of levels and any index width, for tests and for exhaustive
// exploration, where two levels of two entries are already a table. No hardware walks it. Its
// entries look like nobody else's on purpose: code that assumes x86 bits, a page number that can be
// masked out in place, or 512 entries fails on it.
//
//   using F = tiny::Format2x2;  // four pages, one entry per granule
//   Pte leaf = F::EncodeLeaf(PhysAddr(0x3000), kReadWriteUser, /*level=*/1).pte;
//
// Entry: bits 0..1 kind (1 leaf, 2 table, else absent), 2..8 flags, 9..11 cache policy, 12..15 four
// software bits, 16 for claims, 24..51 page number; the others are zero and ignored. Every
// combination of flags is a leaf, also none at all: mapped, and not accessible. The rules for live
// changes are those of an undemanding machine: absent entries are not cached, and a change of leaf
// needs no break.

#ifndef PADDOCK_ARCH_TINY_H_
#define PADDOCK_ARCH_TINY_H_

#include <cassert>
#include <cstdint>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"

namespace paddock::tiny {

// Leaves stand at levels 1..MaxLeafLevel: by default everywhere, in the root too.
template <int Levels, int IndexWidth, int EntriesPerGranule = 1, int MaxLeafLevel = Levels>
struct Format {
  static_assert(Levels >= 1 && IndexWidth >= 1 && 1 <= MaxLeafLevel && MaxLeafLevel <= Levels);

  static constexpr const char* kName = "tiny";
  static constexpr int kLevels = Levels;
  static constexpr int kAddressBits = kPageBits + IndexWidth * Levels;
  static constexpr int kPhysicalBits = 40;
  static constexpr SignExtension kSignExtension = SignExtension::kNone;
  static constexpr int kEntriesPerGranule = EntriesPerGranule;
  static constexpr Pte kClaimBit = Pte{1} << 16;
  static constexpr bool kAbsentMayBeCached = false;

  static constexpr int IndexBits(int) { return IndexWidth; }
  static constexpr bool IsLeafLevel(int level) { return level <= MaxLeafLevel; }

  static constexpr EntryKind Kind(Pte pte, int level) {
    if ((pte & kKindMask) == kLeafKind && IsLeafLevel(level)) return EntryKind::kLeaf;
    if ((pte & kKindMask) == kTableKind && level > 1) return EntryKind::kTable;
    return EntryKind::kAbsent;
  }
  static constexpr PhysAddr Address(Pte pte, int) {
    return PhysAddr((pte & kPageNumberMask) >> kPageNumberShift << kPageBits);
  }
  static constexpr PageProperty Property(Pte pte, [[maybe_unused]] int level) {
    assert(Kind(pte, level) == EntryKind::kLeaf);
    return {.flags = Flags(pte),
            .cache = static_cast<CachePolicy>((pte & kCacheMask) >> kCacheShift),
            .software = static_cast<uint8_t>((pte & kSoftwareMask) >> kSoftwareShift)};
  }

  static constexpr Pte Attributes(Pte leaf, int) { return leaf & ~kPageNumberMask; }

  static constexpr EncodeResult EncodeLeaf(PhysAddr address, PageProperty property, int level) {
    if (!IsLeafLevel(level)) return {.error = EncodeError::kNoLeafAtLevel};
    if (!address.IsAligned(LeafSize(level))) return {.error = EncodeError::kUnalignedAddress};
    if (address.value() >> kPhysicalBits) return {.error = EncodeError::kAddressTooWide};
    if ((property.flags & kAllPageFlags) != property.flags) {
      return {.error = EncodeError::kUnsupportedFlags};
    }
    if (static_cast<int>(property.cache) >= kCachePolicyCount) {
      return {.error = EncodeError::kUnsupportedCache};
    }
    if (property.software > 15) return {.error = EncodeError::kUnsupportedSoftwareBits};
    return {.pte = kLeafKind | EncodeFlags(property.flags) |
                   static_cast<Pte>(property.cache) << kCacheShift |
                   Pte{property.software} << kSoftwareShift |
                   address.PageNumber() << kPageNumberShift};
  }
  static constexpr Pte EncodeTable(PhysAddr address) {
    assert(address.IsAligned(kPageSize) && address.value() >> kPhysicalBits == 0);
    return kTableKind | address.PageNumber() << kPageNumberShift;
  }
  static constexpr EncodeResult WithProperty(Pte leaf, PageProperty property, int level) {
    assert(Kind(leaf, level) == EntryKind::kLeaf);
    return EncodeLeaf(Address(leaf, level), property, level);
  }
  static constexpr Pte SplitLeaf(Pte leaf, int level, uint64_t index) {
    assert(level > 1 && Kind(leaf, level) == EntryKind::kLeaf && index >> IndexWidth == 0);
    return leaf + ((index * LeafSize(level - 1) >> kPageBits) << kPageNumberShift);
  }
  static constexpr Pte WithAccessed(Pte leaf, int) {
    return leaf | EncodeFlags(PageFlags::kAccessed);
  }
  static constexpr Pte WithAccessedDirty(Pte leaf, int) {
    return leaf | EncodeFlags(PageFlags::kAccessed | PageFlags::kDirty);
  }

  // Not safe: a table becoming a leaf. A leaf may become the table that maps the same.
  static constexpr bool IsSafeLiveChange(Pte old_entry, Pte new_entry, int level) {
    return Kind(old_entry, level) != EntryKind::kTable ||
           Kind(new_entry, level) != EntryKind::kLeaf;
  }

  static constexpr FlushNeed FlushFor(Pte old_entry, Pte new_entry, int level) {
    const EntryKind kind = Kind(old_entry, level);
    if (kind == EntryKind::kAbsent) return FlushNeed::kNone;
    if (kind != Kind(new_entry, level)) return FlushNeed::kRequired;
    if ((old_entry ^ new_entry) & (kPageNumberMask | kCacheMask)) return FlushNeed::kRequired;
    if (kind == EntryKind::kTable) return FlushNeed::kNone;
    const PageFlags lost = Flags(old_entry) & ~Flags(new_entry);
    const PageFlags gained = Flags(new_entry) & ~Flags(old_entry);
    if (lost != PageFlags::kNone || HasAny(gained, PageFlags::kGlobal)) return FlushNeed::kRequired;
    return HasAny(gained, kPermissions) ? FlushNeed::kDeferrable : FlushNeed::kNone;
  }

 private:
  static constexpr Pte kKindMask = 3;
  static constexpr Pte kLeafKind = 1;
  static constexpr Pte kTableKind = 2;
  static constexpr int kFlagsShift = 2;
  static constexpr int kCacheShift = 9;
  static constexpr Pte kCacheMask = Pte{7} << kCacheShift;
  static constexpr int kSoftwareShift = 12;
  static constexpr Pte kSoftwareMask = Pte{15} << kSoftwareShift;
  static constexpr int kPageNumberShift = 24;
  static constexpr Pte kPageNumberMask = ((Pte{1} << (kPhysicalBits - kPageBits)) - 1)
                                         << kPageNumberShift;
  static constexpr PageFlags kPermissions =
      PageFlags::kRead | PageFlags::kWrite | PageFlags::kExecute | PageFlags::kUser;

  static constexpr uint64_t LeafSize(int level) {
    return uint64_t{1} << (kPageBits + IndexWidth * (level - 1));
  }
  static constexpr Pte EncodeFlags(PageFlags flags) {
    return static_cast<Pte>(flags) << kFlagsShift;
  }
  static constexpr PageFlags Flags(Pte pte) {
    return static_cast<PageFlags>(pte >> kFlagsShift) & kAllPageFlags;
  }
};

// The smallest table with a tree in it.
using Format2x2 = Format<2, 1>;

static_assert(PagingFormat<Format2x2> && PagingFormat<Format<3, 9, 8, 2>>);
static_assert(Geometry<Format2x2>::kSpan == 4 * kPageSize);
static_assert(Geometry<Format2x2>::Entries(2) == 2 && Geometry<Format2x2>::GranuleCount(2) == 2);
static_assert(Geometry<Format2x2>::Index(3 * kPageSize, 2) == 1 &&
              Geometry<Format2x2>::Index(2 * kPageSize, 1) == 0);
static_assert(Geometry<Format2x2>::IsCanonical(VirtAddr(0x3fff)) &&
              !Geometry<Format2x2>::IsCanonical(VirtAddr(0x4000)));
static_assert(Format2x2::Kind(kAbsentPte, 1) == EntryKind::kAbsent &&
              Format2x2::Kind(kAbsentPte, 2) == EntryKind::kAbsent);

}  // namespace paddock::tiny

#endif  // PADDOCK_ARCH_TINY_H_
