// SPDX-License-Identifier: Apache-2.0
//
// One page table: a root, cursors over ranges of it, and lookups without locks.
//
//   absl::StatusOr<std::unique_ptr<PageTable<C>>> table = PageTable<C>::Create(env, pin);
//   absl::StatusOr<CursorMut<C>> cursor = (*table)->OpenCursorMut(pin, range);
//   RcuReadGuard guard(env.rcu(), pin);
//   std::optional<Translation> found = (*table)->Walk(guard, va);
//
// Thread safety: every function from any pinned thread. The table must outlive its cursors and
// walks. Cost: opening a cursor on one page is a walk, one compare-exchange and, on closing, one
// atomic AND; a lookup is one load per level.

#ifndef PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_H_
#define PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/utility/utility.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/cursor.h"
#include "paddock/core/page_table/cursor_mut.h"
#include "paddock/core/page_table/cursor_options.h"
#include "paddock/core/page_table/locking.h"
#include "paddock/core/page_table/node.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/core/page_table/page_table_env.h"
#include "paddock/core/page_table/range_check.h"
#include "paddock/core/tlb/tlb_context.h"

namespace paddock {

// What an address translates to. `address` is exact; `range` is what the leaf maps.
struct Translation {
  PhysAddr address;
  VirtRange range;
  RawItem item;
};

// What `va`, which lies in the entry of `level` that holds `leaf`, translates to.
template <PagingFormat F>
Translation TranslationOf(VirtAddr va, Pte leaf, int level) {
  const uint64_t span = Geometry<F>::EntrySpan(level);
  const VirtAddr start = va.AlignDown(span);
  const PhysAddr frame = F::Address(leaf, level);
  return Translation{PhysAddr(frame.value() + (va.value() - start.value())),
                     VirtRange{start, VirtAddr(start.value() + span)},
                     RawItem{frame, level, F::Property(leaf, level)}};
}

template <PageTableConfig C>
class PageTable {
 public:
  using F = typename C::Format;
  using Geo = Geometry<F>;

  static_assert(!F::kAbsentMayBeCached,
                "a new entry needs a flush in this format, and the cursor does not issue one");

  // RESOURCE_EXHAUSTED: no frame for the root. INVALID_ARGUMENT: the pin of another machine.
  static absl::StatusOr<std::unique_ptr<PageTable>> Create(PageTableEnv& env, const CpuPin& pin) {
    if (!env.cpus().Owns(pin)) return CpuRegistry::ForeignPinError(pin);
    NodeReserve<C> reserve(env.frames());
    if (absl::Status status = reserve.Ensure(1); !status.ok()) return status;
    return std::unique_ptr<PageTable>(
        new PageTable(env, reserve.Take(Geo::kLevels, env.NextNodeIdentity(pin), 0)));
  }

  // No cursor (checked) and no walk may be left. Releases everything that is mapped.
  ~PageTable() { env_.frames().Release(FrameRun{root(), 1}); }
  PageTable(const PageTable&) = delete;
  PageTable& operator=(const PageTable&) = delete;

  // Locks `range` until the cursor is destroyed; waits as `options` say while an overlapping cursor
  // lives. INVALID_ARGUMENT: empty, reversed or unaligned; the pin of another machine.
  // OUT_OF_RANGE: not inside the managed addresses. FAILED_PRECONDITION: this CPU holds a cursor
  // here already, or in a table of higher identity and the call would wait; or it is inside a
  // read-side section, which would hold up reclamation for as long. UNAVAILABLE,
  // DEADLINE_EXCEEDED: as the options say. RESOURCE_EXHAUSTED: no frame for a table on the way, or
  // this CPU holds cursors in OpenCursors::kMax tables. A reading cursor allocates nothing.
  //
  // A CPU that holds no cursor also waits, unless it opens with Wait::kTry and in all at most twice
  // RcuOptions::stall_ns, while more is unflushed or unreclaimed than the machine's options allow.
  absl::StatusOr<Cursor<C>> OpenCursor(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                       VirtRange range, CursorOptions options = {}) {
    options.intent = Intent::kNoMap;
    OpenedRange<C> opened;
    if (absl::Status status = Open(pin, range, options, opened); !status.ok()) return status;
    return absl::StatusOr<Cursor<C>>(absl::in_place, *this, pin, range.start, opened);
  }
  absl::StatusOr<CursorMut<C>> OpenCursorMut(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                             VirtRange range, const CursorOptions& options = {}) {
    OpenedRange<C> opened;
    if (absl::Status status = Open(pin, range, options, opened); !status.ok()) return status;
    return absl::StatusOr<CursorMut<C>>(absl::in_place, *this, pin, range.start, opened);
  }
  absl::StatusOr<CursorMut<C>> TryOpenCursorMut(const CpuPin& pin ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                                VirtRange range, CursorOptions options = {}) {
    options.wait = Wait::kTry;
    return OpenCursorMut(pin, range, options);
  }

  // What `va` translates to at some moment during the call; nothing if it is not mapped or not an
  // address of this table. Takes no lock. The frame stays allocated until the guard is gone, not
  // longer. The guard is one of this machine (checked).
  std::optional<Translation> Walk(const RcuReadGuard& guard, VirtAddr va) const;

  PhysAddr root() const { return root_.address(env_.frames()); }
  uint64_t identity() const { return identity_; }
  const C& config() const { return config_; }
  PageTableEnv& env() const { return env_; }
  TlbContext& tlb_context() { return tlb_context_; }

  // Lets entry `index` of the root, which this table does not manage, point to a table of
  // another's. Before the table is used only.
  void ShareTopLevelEntry(uint64_t index, Pte entry) {
    PADDOCK_CHECK(index < C::kTopLevelFirst || index > C::kTopLevelLast,
                  "a shared entry lies inside the managed range");
    root_.Store(index, entry, Geo::kLevels);
  }
  Pte TopLevelEntry(uint64_t index) const { return root_.Load(index); }

 private:
  PageTable(PageTableEnv& env, Node<F> root)
      : env_(env),
        config_(env.frames()),
        root_(root),
        identity_(env.NextTableIdentity()),
        tlb_context_(env.tlb(), C::kTlbScope) {}

  absl::Status Open(const CpuPin& pin, VirtRange range, const CursorOptions& options,
                    OpenedRange<C>& opened) {
    const std::optional<OffsetRange> offsets = OffsetsOf<C>(range);
    if (!offsets) return RangeError<C>(range);
    if (!env_.cpus().Owns(pin)) [[unlikely]]
      return CpuRegistry::ForeignPinError(pin);
    opened.offsets_ = *offsets;
    OpenCursors& open = env_.open_cursors(pin);
    if (options.wait != Wait::kTry) {
      if (env_.rcu().InSection(pin)) [[unlikely]]
        return PageTableEnv::InSectionError(pin);
      if (open.empty()) env_.Throttle(pin, options.LatestNs());
    }
    if (absl::Status status = open.Add(identity_, options.wait); !status.ok()) return status;
    RangeLock<C> lock(env_, pin, root_, options);
    if (absl::Status status = lock.Acquire(*offsets, opened.held_); !status.ok()) {
      open.Remove(identity_);
      return status;
    }
    env_.CountAcquired(pin);
    return absl::OkStatus();
  }

  PageTableEnv& env_;
  const C config_;
  Node<F> root_;
  const uint64_t identity_;
  TlbContext tlb_context_;
};

template <PageTableConfig C>
std::optional<Translation> PageTable<C>::Walk(const RcuReadGuard& guard, VirtAddr va) const {
  PADDOCK_CHECK(&guard.domain() == &env_.rcu(), "a table is walked in another machine's section");
  constexpr OffsetRange kManaged = ManagedOffsets<C>();
  const uint64_t offset = Geo::ToOffset(va);
  if (!Geo::IsCanonical(va) || offset < kManaged.start || offset >= kManaged.end) {
    return std::nullopt;
  }
  Node<F> node = root_;
  for (int level = Geo::kLevels;; --level) {
    const Pte pte = node.Load(Geo::Index(offset, level));
    switch (F::Kind(pte, level)) {
      case EntryKind::kAbsent:
        return std::nullopt;
      case EntryKind::kTable:
        node = Node<F>::Child(env_.frames(), pte, level);
        break;
      case EntryKind::kLeaf:
        return TranslationOf<F>(va, pte, level);
    }
  }
}

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_PAGE_TABLE_H_
