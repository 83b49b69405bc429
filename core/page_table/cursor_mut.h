// SPDX-License-Identifier: Apache-2.0
//
// A cursor that changes what its range maps.
//
//   absl::StatusOr<CursorMut<C>> cursor = table.OpenCursorMut(pin, range);
//   RETURN_IF_ERROR(cursor->Map(std::move(item)));       // maps where it stands, moves past it
//   RETURN_IF_ERROR(cursor->Jump(range.start));
//   absl::StatusOr<Removed> removed = cursor->Unmap(range.size(), FlushDispatch::kByCaller);
//   cursor->flusher().Sync();          // to know that it is done; else Unmap(range.size()) alone
//
// Everything done through one cursor is one transaction: no other cursor sees a part of it.
// Lock-free walks and hardware do see each step: at every address the old mapping, then the new
// one. Where the format forbids to replace a live entry directly, they see it absent in between.
//
// What an entry owned is released only after every CPU that may have it in a TLB has flushed and a
// grace period has passed; the flusher and RCU see to that, also when the cursor is destroyed
// early.
//
// Thread safety: one thread. Failure: on any error nothing has changed.
// Cost: per base page a store or an exchange; the flush of all pages is one batch.

#ifndef PADDOCK_CORE_PAGE_TABLE_CURSOR_MUT_H_
#define PADDOCK_CORE_PAGE_TABLE_CURSOR_MUT_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/page_property.h"
#include "paddock/core/page_table/cursor.h"
#include "paddock/core/page_table/cursor_contracts.h"
#include "paddock/core/page_table/leaf_change.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/core/page_table/property_memo.h"
#include "paddock/core/tlb/tlb_flusher.h"

namespace paddock {

// What an unmapping took away, in base pages. Accessed and dirty count the pages whose entry had
// the bit; the frames of those pages also carry it on (`FrameTable::MarkAccessedDirty`).
struct Removed {
  uint64_t pages = 0;
  uint64_t accessed_pages = 0;
  uint64_t dirty_pages = 0;

  Removed& operator+=(const Removed& other) {
    pages += other.pages;
    accessed_pages += other.accessed_pages;
    dirty_pages += other.dirty_pages;
    return *this;
  }
};

// One mapping whose property was changed: where, and what the property was, bits set by hardware up
// to the change included.
struct Protected {
  VirtRange range;
  PageProperty before;
};

// When Unmap sends out the flush that it issued.
enum class FlushDispatch : uint8_t {
  kNow,
  kByCaller,  // with the next batch of `flusher()`, or wherever the caller takes it from there
};

template <PageTableConfig C>
class [[nodiscard]] CursorMut : public Cursor<C> {
 public:
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Item = typename C::Item;
  using PropertyChange = absl::FunctionRef<PageProperty(PageProperty)>;

  // Use PageTable::OpenCursorMut.
  CursorMut(PageTable<C>& table, const CpuPin& pin, VirtAddr start, const OpenedRange<C>& opened)
      : Base(table, pin, start, opened), flusher_(table.env().tlb(), table.tlb_context(), pin) {}
  CursorMut(CursorMut&&) noexcept = default;
  CursorMut& operator=(CursorMut&&) = delete;
  // Dispatches what was issued, then unlocks.
  ~CursorMut() = default;

  // Maps `item` here and moves past it. What was mapped is replaced, its flush issued; a table in
  // the way of a huge item is cut out with all that it maps. On success `item` is consumed, on
  // error it is untouched. INVALID_ARGUMENT: the item's level, alignment, address or property is
  // not one that the format and the configuration can map here. OUT_OF_RANGE: it passes the end of
  // the range. RESOURCE_EXHAUSTED: no frame for a table.
  absl::Status Map(Item&& item);

  // Maps an item of any number of base pages, each with an entry of its own, all in one table.
  // Errors as Map; INVALID_ARGUMENT: it has no pages, or they are not in one table. MapRange maps
  // more.
  absl::Status MapPages(Item&& item)
    requires CountsPages<C>;

  // Does all of Map that can fail, for an item of this raw form: checks it, and makes the tables
  // that it needs. Changes nothing that is mapped, moves past it. Map of an item of this form at
  // that place then succeeds, until this cursor unmaps or replaces something there; but Map also
  // refuses items of another machine and reserved software bits. Errors as Map.
  absl::Status Prepare(const RawItem& raw);

  // Unmaps the next `length` bytes and moves past them: skips what is absent, splits a huge page
  // that is only partly inside, cuts out whole tables. Issues the flush, and dispatches it as told.
  // INVALID_ARGUMENT and OUT_OF_RANGE as FindNext. RESOURCE_EXHAUSTED: no frame for a split, looked
  // for before anything is cleared.
  absl::StatusOr<Removed> Unmap(uint64_t length, FlushDispatch dispatch = FlushDispatch::kNow);

  // Removes the first mapped item, or the first whole table that maps something, within the next
  // `length` bytes, moves past it and returns it; none: the cursor stands at the end of the
  // stretch. Errors as Unmap, and RESOURCE_EXHAUSTED if a reference count of the item is saturated.
  // Issues the flush; it is dispatched with the next batch or by the destructor.
  struct Taken {
    VirtRange range;
    uint64_t pages = 0;
    std::optional<Item> item;  // counted anew; none if a whole table was taken
  };
  absl::StatusOr<std::optional<Taken>> TakeNext(uint64_t length);

  // Applies `change` to the property of the next mapping within `length` bytes, splits a huge page
  // that is only partly inside, moves past it and returns it. If the change needs a flush it is
  // issued, not dispatched: call flusher().Dispatch(), or leave it to the destructor. `change` must
  // be a pure function; it may be called more than once for a mapping, and whether the format can
  // express what it returns must not depend on bits that hardware sets. Errors as Unmap, and
  // INVALID_ARGUMENT if the format cannot express the new property, or it differs in software bits
  // that the configuration has reserved.
  absl::StatusOr<std::optional<Protected>> ProtectNext(uint64_t length, PropertyChange change);

  // The same for all mappings within `length` bytes; returns the base pages changed. All or
  // nothing.
  absl::StatusOr<uint64_t> Protect(uint64_t length, PropertyChange change);

  TlbFlusher& flusher() { return flusher_; }

 private:
  using Base = Cursor<C>;
  using Base::at_;
  using Base::level_;
  using Base::path_;
  using Base::range_;

  // The operations without their contracts.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status DoMap(Item&& item, const RawItem& raw);
  absl::StatusOr<Removed> DoUnmap(uint64_t limit, FlushDispatch dispatch);
  absl::StatusOr<std::optional<Taken>> DoTakeNext(uint64_t limit);
  absl::StatusOr<std::optional<Protected>> DoProtectNext(uint64_t limit, PropertyChange function);
  absl::StatusOr<uint64_t> DoProtect(uint64_t limit, PropertyChange function);

  // Whether an item of this level may stand here, and why not.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool Fits(const RawItem& raw) const;
  absl::Status FitError(RawItem raw) const;
  // Both, and whether it may have this address and this property; encodes it in `leaf`.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status CheckItem(const RawItem& raw, Pte& leaf) const;
  // INVALID_ARGUMENT: it belongs to another machine, or claims software bits of the configuration.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status CheckOwner(const Item& item) const;
  absl::Status ForeignItemError() const;
  absl::Status DoMapPages(Item&& item, const RawItem& raw, uint64_t limit);
  // Walks to the entry of `level` here, which it returns in `entry`; splits leaves and makes tables
  // on the way. RESOURCE_EXHAUSTED: before anything was changed.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline absl::Status DescendTo(int level, Pte& entry);
  absl::Status MakeTablesTo(int level);

  // A table of `level` from `reserve` with the granules claimed that the cursor's range touches in
  // the entry of `level` + 1 at `offset`.
  Node<F> NewTable(NodeReserve<C>& reserve, int level, uint64_t offset);

  // INVALID_ARGUMENT: a property that the table, not the format, forbids. A TLB uses global
  // translations in every space.
  static absl::Status CheckProperty(PageProperty property, VirtAddr va) {
    if (!MayHave(property)) return GlobalError(va);
    return absl::OkStatus();
  }
  static bool MayHave(PageProperty property) {
    return C::kTlbScope != TlbScope::kSpace || !HasAny(property.flags, PageFlags::kGlobal);
  }
  static absl::Status GlobalError(VirtAddr va);
  // INVALID_ARGUMENT: `changed` of a property, all of it if it is new, are bits that the
  // configuration has reserved.
  static absl::Status CheckSoftware(uint8_t changed, VirtAddr va) {
    if ((changed & ReservedSoftware<C>()) != 0) return SoftwareError(changed, va);
    return absl::OkStatus();
  }
  static absl::Status SoftwareError(uint8_t changed, VirtAddr va);

  // How many tables it takes to make `border` a border between leaves. `inside` is an offset next
  // to it.
  int SplitsAt(uint64_t border, uint64_t inside);
  // Splits leaves until none crosses `border`.
  void SplitAt(NodeReserve<C>& reserve, uint64_t border, uint64_t inside);
  // Makes at_ and `limit` borders between leaves. RESOURCE_EXHAUSTED: before anything was changed.
  absl::Status SplitBorders(uint64_t limit);
  // Replaces the leaf at the current entry by a table of the same leaves.
  void SplitLeaf(NodeReserve<C>& reserve);

  bool MayCutTable() const { return level_ < Geo::kLevels || C::kTopLevelRemovable; }
  // Where the current entry ends.
  uint64_t EntryEnd() const { return (at_ | (Geo::EntrySpan(level_) - 1)) + 1; }
  // Whether the current entry's whole span lies between at_ and `limit`.
  bool EntryInside(uint64_t limit) const {
    const uint64_t span = Geo::EntrySpan(level_);
    return at_ % span == 0 && limit - at_ >= span;
  }
  // Whether all that lies before `limit` is one entry of the leaf table that the cursor stands in.
  bool IsBasePage(uint64_t limit) const { return level_ == 1 && limit - at_ == kPageSize; }
  // Goes up to the highest entry that starts here and ends by `limit`.
  void Ascend(uint64_t limit);

  // Whether the leaf that `change` was applied to last may become what it says.
  static bool MayMake(const LeafChange<F>& change) {
    return change.error() == EncodeError::kNone &&
           (change.software_changed() & ReservedSoftware<C>()) == 0 && MayHave(change.property());
  }
  // Protect of one base page in the usual case: it is mapped, the change is allowed, and hardware
  // does not interfere. False: nothing was done.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool ProtectPage(PropertyChange function);
  // Checks, after all properties were checked, that a change says the same again.
  static void RequirePure(const LeafChange<F>& change);
  // Changes the property of the leaf here. Returns what the leaf was at that moment.
  Pte ChangeProperty(Pte old_entry, LeafChange<F>& change);
  // The same for the neighbours from here on, before `limit`, that have the attributes of the leaf
  // that `change` was applied to last, and may be replaced while live; moves past them.
  void ChangeAlike(uint64_t limit, LeafChange<F>& change);
  // Clears the entry here and waits until no TLB holds it any more.
  Pte Break();
  // Clears the entry here or replaces it by a leaf, hands what it owned to the flusher, and adds it
  // to `removed`. Returns the entry as it was at that moment.
  Pte Remove(Pte old_entry, Pte replacement, Removed& removed);
  // The frames that the item owns references to; no pages if it owns none.
  FrameRun FramesOf(const RawItem& raw) const;
  // The frames of this machine that the item maps, whoever owns them; it may map other addresses.
  FrameRun MappedFramesOf(const RawItem& raw) const;
  // Tells the flusher which frames `leaf` maps, which stood here; those in and below `table`.
  void NameLeaf(Pte leaf) {
    if (flusher_.names_frames()) flusher_.Name(MappedFramesOf(this->RawOf(leaf)));
  }
  void NameTable(Node<F> table, int level);
  void CountLeaf(const RawItem& raw, Removed& removed) const;
  // Adds a leaf that was removed to `removed`, and hands the frames that it owned to the flusher.
  // False: it owned none.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool GiveUpLeaf(const RawItem& raw, Removed& removed);
  // What a table maps, and the frames that go with it: tables, itself included, and what the items
  // own.
  struct Subtree {
    Removed mapped = {};
    uint64_t frames = 0;
  };
  Subtree CountTable(Node<F> table, int level) const;
  // Clears the leaf at `index` of the current node, hands what it owned to the flusher, and adds it
  // to `removed`. Whether its address must be flushed.
  template <typename Level>
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool RemoveLeaf(Level level, Node<F> node, uint64_t index,
                                                      PropertyMemo<F>& memo, Removed& removed);
  // Unmap of one base page that is mapped; moves past it. False: it is not, and nothing was done.
  ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool UnmapPage(Removed& removed);
  absl::Status UnmapUpTo(uint64_t limit, Removed& removed);
  // Removes the leaves from here on that are neighbours in the current node and lie before `limit`,
  // which is a border between leaves; moves past them.
  void RemoveLeaves(uint64_t limit, Removed& removed);

  // Does all of a change that can fail: checks whether it may be made of every leaf before `limit`,
  // of which `first` stands here, and splits the borders. May have moved if it fails.
  absl::Status PrepareChange(Pte first, uint64_t limit, LeafChange<F>& change);
  // Whether the property of `leaf`, which stands here, may be changed; of every leaf after it.
  absl::Status CheckChange(Pte leaf, LeafChange<F>& change) const;
  absl::Status CheckOthers(uint64_t limit, LeafChange<F>& change);
  static absl::Status EncodeStatus(EncodeError error, VirtAddr va);

  TlbFlusher flusher_;
};

}  // namespace paddock

#include "paddock/core/page_table/cursor_map.inc.h"      // IWYU pragma: export
#include "paddock/core/page_table/cursor_protect.inc.h"  // IWYU pragma: export
#include "paddock/core/page_table/cursor_unmap.inc.h"    // IWYU pragma: export

#endif  // PADDOCK_CORE_PAGE_TABLE_CURSOR_MUT_H_
