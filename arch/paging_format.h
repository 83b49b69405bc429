// SPDX-License-Identifier: Apache-2.0
//
// What a page-table format must provide, and the geometry that follows from it. The algorithms over
// tables are written against these names only; no bit of any format appears outside its own header.
//
//   template <PagingFormat F>
//   PhysAddr Translate(Pte leaf, int level, VirtAddr va) {
//     const uint64_t inside = Geometry<F>::ToOffset(va) & (Geometry<F>::EntrySpan(level) - 1);
//     return F::Address(leaf, level).Plus(inside);
//   }
//
// Levels count upwards from 1, whose entries map base pages, to `kLevels`, the root. A node of
// level n is an array of `2^IndexBits(n)` entries; an entry at level n is absent, points to a table
// (a node of level n-1), or is a leaf that maps `EntrySpan(n)` bytes. To add a format: write one
// header like `tiny.h`, end it with the static_asserts, and give its tests every combination of
// properties.
//
// Thread safety: pure functions. Failure: encoding answers with an EncodeError; decoding is total.
// Cost: a few instructions each; everything is constexpr.

#ifndef PADDOCK_ARCH_PAGING_FORMAT_H_
#define PADDOCK_ARCH_PAGING_FORMAT_H_

#include <array>
#include <cassert>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"

namespace paddock {

// A page-table entry as it lies in memory.
using Pte = uint64_t;

// A node is an array of entries, and entries are accessed whole.
static_assert(sizeof(Pte) % alignof(Pte) == 0 && kPageSize % sizeof(Pte) == 0);

// Absent in every format. Other values may be absent too: `Kind` decides.
inline constexpr Pte kAbsentPte = 0;

enum class EntryKind : uint8_t { kAbsent, kTable, kLeaf };

// Why a leaf cannot be encoded. Of several reasons the first in this order is reported.
enum class EncodeError : uint8_t {
  kNone,
  kNoLeafAtLevel,
  kUnalignedAddress,
  kAddressTooWide,
  kUnsupportedFlags,
  kUnsupportedCache,
  kUnsupportedSoftwareBits,
};

// The rule that was broken, for the end of a message that names the value.
constexpr const char* EncodeErrorText(EncodeError error) {
  switch (error) {
    case EncodeError::kNone:
      return "no error";
    case EncodeError::kNoLeafAtLevel:
      return "the format has no leaves at this level";
    case EncodeError::kUnalignedAddress:
      return "the physical address is not aligned to the size of the leaf";
    case EncodeError::kAddressTooWide:
      return "the physical address has more bits than the format holds";
    case EncodeError::kUnsupportedFlags:
      return "the format cannot express this combination of flags";
    case EncodeError::kUnsupportedCache:
      return "the format cannot express this cache policy";
    case EncodeError::kUnsupportedSoftwareBits:
      return "the format has fewer software bits";
  }
  return "unknown error";
}

// `pte` is meaningful if `ok()`, and is then a leaf.
struct EncodeResult {
  Pte pte = 0;
  EncodeError error = EncodeError::kNone;

  constexpr bool ok() const { return error == EncodeError::kNone; }
};

// How the address bits above `kAddressBits` look: zero, or copies of the top translated bit.
enum class SignExtension : uint8_t { kNone, kFromTopBit };

// What the change of an entry asks of the TLBs that may have cached the old one.
enum class FlushNeed : uint8_t {
  kNone,        // nothing
  kDeferrable,  // nothing now: a stale translation costs one spurious fault at worst
  kRequired,    // a flush everywhere, before anyone relies on the change
};

// F provides the following, all static and constexpr. `level` is 1..kLevels.
//
//   kName             const char*: for messages and reports
//   kLevels           int
//   kAddressBits      int: virtual bits translated, 12 + all index widths; less than 64
//   kPhysicalBits     int: physical addresses are below 2^kPhysicalBits
//   kSignExtension    SignExtension
//   kEntriesPerGranule  entries that are claimed together (one cache line of them on real hardware)
//   kClaimBit         Pte: a bit that hardware ignores in an entry of level 1, leaf or absent, and
//       that no entry of any level uses. Kind, Address and Property do not look at it, WithAccessed
//       and WithAccessedDirty keep it, the others are never given it
//   kAbsentMayBeCached  whether a TLB may remember that an entry was absent
//   IndexBits(level)    log2 of the number of entries of a node
//   IsLeafLevel(level)  whether a leaf may stand there
//
//   Kind(pte, level)      an entry that hardware would refuse as malformed is absent
//   Address(pte, level)   of the frame (leaf) or of the child node (table); not for absent entries
//   Property(pte, level)  leaf only
//   Attributes(leaf, level)  the bits of a leaf that are not its address. Leaves of a level with
//       equal ones have equal properties, and what WithProperty changes in them, whether that is
//       safe, and the flush that it needs, is the same for all
//   EncodeLeaf(address, property, level)
//   EncodeTable(address)  an entry that restricts nothing; precondition: page-aligned, not too wide
//   WithProperty(leaf, property, level)  the same frame, another property
//       A property that leaves of one level can express, those of all lower leaf levels can too:
//       splitting relies on it
//   SplitLeaf(leaf, level, index)
//       entry `index` of the table (level-1) that maps the same memory with the same property,
//       accessed and dirty included; precondition: IsLeafLevel(level-1)
//   WithAccessed(leaf, level), WithAccessedDirty(leaf, level)
//       what a hardware walker stores on a read, on a write
//   IsSafeLiveChange(old_entry, new_entry, level)
//       whether new may be stored over old while other CPUs walk, the flush following after; if
//       not: clear, flush, then store. It cannot look into tables: a leaf that becomes a table is
//       judged as becoming the one that SplitLeaf fills, and any other table needs the break.
//   FlushFor(old_entry, new_entry, level)
//       a new table is taken to be fully initialised
//
// Hardware may set accessed and dirty bits in a live entry, also accessed in a table entry, at any
// time: replace live entries by compare-exchange or exchange, never by load and store.
template <typename F>
concept PagingFormat = std::convertible_to<decltype(F::kName), const char*> && requires {
  typename std::integral_constant<int, F::kLevels>;
  typename std::integral_constant<int, F::kAddressBits>;
  typename std::integral_constant<int, F::kPhysicalBits>;
  typename std::integral_constant<int, F::kEntriesPerGranule>;
  typename std::integral_constant<SignExtension, F::kSignExtension>;
  typename std::integral_constant<Pte, F::kClaimBit>;
  typename std::bool_constant<F::kAbsentMayBeCached>;
  typename std::integral_constant<int, F::IndexBits(1)>;
  typename std::bool_constant<F::IsLeafLevel(1)>;
} && requires(Pte pte, int level, PhysAddr address, PageProperty property, uint64_t index) {
  { F::Kind(pte, level) } -> std::same_as<EntryKind>;
  { F::Address(pte, level) } -> std::same_as<PhysAddr>;
  { F::Property(pte, level) } -> std::same_as<PageProperty>;
  { F::Attributes(pte, level) } -> std::same_as<Pte>;
  { F::EncodeLeaf(address, property, level) } -> std::same_as<EncodeResult>;
  { F::EncodeTable(address) } -> std::same_as<Pte>;
  { F::WithProperty(pte, property, level) } -> std::same_as<EncodeResult>;
  { F::SplitLeaf(pte, level, index) } -> std::same_as<Pte>;
  { F::WithAccessed(pte, level) } -> std::same_as<Pte>;
  { F::WithAccessedDirty(pte, level) } -> std::same_as<Pte>;
  { F::IsSafeLiveChange(pte, pte, level) } -> std::same_as<bool>;
  { F::FlushFor(pte, pte, level) } -> std::same_as<FlushNeed>;
};

// Everything about sizes and indices that follows from a format. An *offset* is a virtual address
// with the sign extension cut off, 0 up to kSpan: the tree is indexed by offsets, so that no
// algorithm has to know where the hole of non-canonical addresses lies.
template <PagingFormat F>
struct Geometry {
  static constexpr int kLevels = F::kLevels;
  static constexpr uint64_t kEntriesPerGranule = F::kEntriesPerGranule;
  // Bytes of the whole address space.
  static constexpr uint64_t kSpan = uint64_t{1} << F::kAddressBits;

  // log2 of EntrySpan; also defined at kLevels + 1, where it is kAddressBits.
  static constexpr int Shift(int level) {
    assert(1 <= level && level <= kLevels + 1);
    return kShifts[level];
  }
  // Bytes that one entry, one whole node, of `level` maps.
  static constexpr uint64_t EntrySpan(int level) { return uint64_t{1} << Shift(level); }
  static constexpr uint64_t NodeSpan(int level) { return uint64_t{1} << Shift(level + 1); }

  static constexpr uint64_t Entries(int level) { return uint64_t{1} << F::IndexBits(level); }
  // A small node is one granule with fewer entries than kEntriesPerGranule.
  static constexpr uint64_t EntriesPerGranule(int level) {
    return Entries(level) < kEntriesPerGranule ? Entries(level) : kEntriesPerGranule;
  }
  // At most 64: one bit each in a lock word.
  static constexpr uint64_t GranuleCount(int level) {
    return Entries(level) / EntriesPerGranule(level);
  }

  // The index, in its node of `level`, of the entry that covers `offset`.
  static constexpr uint64_t Index(uint64_t offset, int level) {
    return (offset >> Shift(level)) & (Entries(level) - 1);
  }

  // Exact inverses on canonical addresses. ToOffset of another address is the offset of the
  // canonical one with the same low bits: ask IsCanonical first.
  static constexpr uint64_t ToOffset(VirtAddr va) { return va.value() & (kSpan - 1); }
  static constexpr VirtAddr ToVirt(uint64_t offset) {
    assert(offset < kSpan);
    const bool upper = offset >= kSpan / 2;
    if (F::kSignExtension == SignExtension::kFromTopBit && upper) offset |= ~(kSpan - 1);
    return VirtAddr(offset);
  }
  static constexpr bool IsCanonical(VirtAddr va) { return ToVirt(ToOffset(va)) == va; }

 private:
  static constexpr std::array<int, F::kLevels + 2> kShifts = [] {
    std::array<int, F::kLevels + 2> shifts{};
    shifts[1] = kPageBits;
    for (int level = 1; level <= F::kLevels; ++level) {
      shifts[level + 1] = shifts[level] + F::IndexBits(level);
    }
    return shifts;
  }();
  static constexpr bool kNodesFitOneFrame = [] {
    for (int level = 1; level <= F::kLevels; ++level) {
      if ((uint64_t{1} << F::IndexBits(level)) > kPageSize / sizeof(Pte)) return false;
    }
    return true;
  }();
  static constexpr bool kGranulesFitLockWord = [] {
    for (int level = 1; level <= F::kLevels; ++level) {
      if ((uint64_t{1} << F::IndexBits(level)) > 64 * uint64_t{F::kEntriesPerGranule}) return false;
    }
    return true;
  }();

  static_assert(kLevels >= 1);
  static_assert(F::kAddressBits < 64 && kShifts[kLevels + 1] == F::kAddressBits);
  static_assert(F::kPhysicalBits <= 64);
  static_assert(F::kClaimBit != 0 && (F::kClaimBit & (F::kClaimBit - 1)) == 0);
  static_assert(F::IsLeafLevel(1));
  static_assert(F::kEntriesPerGranule >= 1 &&
                (F::kEntriesPerGranule & (F::kEntriesPerGranule - 1)) == 0);
  static_assert(kNodesFitOneFrame);
  static_assert(kGranulesFitLockWord);
};

}  // namespace paddock

#endif  // PADDOCK_ARCH_PAGING_FORMAT_H_
