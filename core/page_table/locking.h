// SPDX-License-Identifier: Apache-2.0
//
// The range lock: how a cursor comes to own every entry that can affect a translation in its range,
// and how it lets go. Strict two-phase locking over the tree, in the order (preorder of the tree,
// granule index). docs/locking.md tells the protocol and why each rule matters.
//
//   find      walk from the root without locks, inside a read-side section, to the covering node,
//             the lowest node that must be locked for the range to be decided below it
//   claim     the granules of the covering node that the range touches; look whether the node was
//             cut out in the meantime; from here on claims protect what is below, and the section
//             ends
//   subtree   claim in every node below, depth first, lowest index first
//   release   the same in strict reverse order
//
// A cursor waits for claims only, never for a grace period, and holds nothing above its covering
// node.

#ifndef PADDOCK_CORE_PAGE_TABLE_LOCKING_H_
#define PADDOCK_CORE_PAGE_TABLE_LOCKING_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/concurrency/rcu.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/cursor_options.h"
#include "paddock/core/page_table/granule_claim.h"
#include "paddock/core/page_table/node.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/core/page_table/page_table_env.h"

namespace paddock {

template <PageTableConfig C>
class PageTable;
template <PageTableConfig C>
class Cursor;

// A non-empty range of offsets (see Geometry), multiples of the base page.
struct OffsetRange {
  uint64_t start = 0;
  uint64_t end = 0;

  uint64_t size() const { return end - start; }
};

// The part of `range` below the entry `index` of a node of `level` that contains `range.start`.
template <PagingFormat F>
constexpr OffsetRange ClipToEntry(OffsetRange range, uint64_t index, int level) {
  using Geo = Geometry<F>;
  const uint64_t node_start = range.start & ~(Geo::NodeSpan(level) - 1);
  const uint64_t entry_start = node_start + index * Geo::EntrySpan(level);
  return OffsetRange{std::max(range.start, entry_start),
                     std::min(range.end, entry_start + Geo::EntrySpan(level))};
}

// What a cursor holds: the covering node; everything claimed below follows from the tree.
template <PagingFormat F>
struct HeldRange {
  Node<F> covering;
  int level = 0;
};

// The proof that a range was locked, from which a cursor is made. Only a table can open one.
template <PageTableConfig C>
class OpenedRange {
 private:
  friend class PageTable<C>;
  friend class Cursor<C>;

  OpenedRange() = default;

  OffsetRange offsets_;
  HeldRange<typename C::Format> held_;
};

template <PageTableConfig C>
class RangeLock {
 public:
  using F = typename C::Format;
  using Geo = Geometry<F>;

  // `root` is the table's root and stays a node as long as the table exists.
  RangeLock(PageTableEnv& env, const CpuPin& pin, Node<F> root, const CursorOptions& options)
      : env_(env), pin_(pin), root_(root), options_(options), claimer_(env, pin, options) {}

  // UNAVAILABLE, DEADLINE_EXCEEDED: as the options say. RESOURCE_EXHAUSTED: no frame for a table on
  // the way. On any error nothing is held. Tables created on the way stay, empty, if the wait for
  // the range fails after that.
  absl::Status Acquire(OffsetRange range, HeldRange<F>& held) {
    if (TakeUncontended(range, held)) [[likely]]
      return absl::OkStatus();
    return AcquireSlowly(range, held);
  }

  static void Release(PageTableEnv& env, const HeldRange<F>& held, OffsetRange range) {
    ReleaseSubtree(env, held.covering, held.level, range);
  }

  // Cut out: sets stray in `top`, which no entry points to any more, and in every node below, each
  // before any of its granules is released, and releases all of them. The caller holds them all.
  static void AbandonSubtree(PageTableEnv& env, Node<F> top, int level) {
    // order: relaxed; the release of the granules publishes it to whoever claims one of them next.
    top.slot().stray.store(1, sync::relaxed);
    if (level > 1) {
      top.ForEachPresent(0, Geo::Entries(level) - 1, level, [&](int, Pte pte) {
        if (F::Kind(pte, level) != EntryKind::kTable) return;
        AbandonSubtree(env, Node<F>::Child(env.frames(), pte, level), level - 1);
      });
    }
    ReleaseStrayGranules(env.claim_queues(), top.lock(level), Node<F>::AllGranules(level));
  }

 private:
  enum class Step : uint8_t { kDone, kRestart, kGaveUp, kNoMemory };

  static uint64_t Mask(OffsetRange range, int level) {
    return Node<F>::GranulesOf(range.start, range.end, level);
  }

  // Whether the range is decided in a node of `level` whatever its entries hold. It depends on the
  // range and the request alone, so nothing has to be looked at again after the claim.
  bool StaysAt(OffsetRange range, int level) const {
    if (level == 1 || Geo::Index(range.start, level) != Geo::Index(range.end - 1, level))
      return true;
    return options_.anchor == Anchor::kHigh && range.size() == Geo::EntrySpan(level);
  }

  // The usual case: the range is a part of one leaf table, which exists, and its granules are free.
  // False: nothing is held, and Descend sorts it out.
  bool TakeUncontended(OffsetRange range, HeldRange<F>& held) {
    const bool part_of_one =
        (range.start ^ (range.end - 1)) < Geo::NodeSpan(1) && range.size() < Geo::NodeSpan(1);
    if (!part_of_one) return false;
    RcuReadGuard section(env_.rcu(), pin_);
    Node<F> node = root_;
    for (int level = Geo::kLevels; level > 1; --level) {
      const Pte pte = node.Load(Geo::Index(range.start, level));
      if (F::Kind(pte, level) != EntryKind::kTable) return false;
      node = Node<F>::Child(env_.frames(), pte, level);
    }
    const GranuleLock lock = node.lock(1);
    const uint64_t mask = Mask(range, 1);
    if (!TakeAllGranules(env_.claim_queues(), lock, mask)) return false;
    // order: relaxed; written by who held every granule of the node, one of which is ours now.
    if (node.slot().stray.load(sync::relaxed) != 0) [[unlikely]] {
      LetGoOfStray(lock, mask);
      return false;
    }
    held = HeldRange<F>{node, 1};
    return true;
  }

  ABSL_ATTRIBUTE_NOINLINE absl::Status AcquireSlowly(OffsetRange range, HeldRange<F>& held) {
    NodeReserve<C> spare(env_.frames());
    for (;;) {
      switch (Descend(range, spare, held)) {
        case Step::kDone:
          return absl::OkStatus();
        case Step::kRestart:
          break;
        case Step::kGaveUp:
          return GaveUp(range);
        case Step::kNoMemory:
          return absl::ResourceExhaustedError("no frame for a page table on the way to the range");
      }
    }
  }

  // One pass from the root.
  Step Descend(OffsetRange range, NodeReserve<C>& spare, HeldRange<F>& held) {
    std::optional<RcuReadGuard> section(std::in_place, env_.rcu(), pin_);
    Node<F> node = root_;
    for (int level = Geo::kLevels;;) {
      const uint64_t index = Geo::Index(range.start, level);
      const uint64_t mask = Mask(range, level);
      if (StaysAt(range, level)) return ClaimCovering(node, level, range, section, held);

      if (const Pte pte = node.Load(index); F::Kind(pte, level) == EntryKind::kTable) {
        node = Node<F>::Child(env_.frames(), pte, level--);
        continue;
      }
      uint64_t taken = 0;
      if (const Step step = ClaimFirst(node, level, mask, section, taken); step != Step::kDone)
        return step;
      // What the walk saw was a hint; under the claim it is certain.
      const EntryKind kind = F::Kind(node.Load(index), level);
      if (kind == EntryKind::kTable) {
        ReleaseGranules(env_.claim_queues(), node.lock(level), taken);
        continue;
      }
      if (kind == EntryKind::kLeaf || options_.intent == Intent::kNoMap) {
        held = HeldRange<F>{node, level};
        return Step::kDone;
      }
      if (!spare.Ensure(MissingTables(range, level)).ok()) {
        ReleaseGranules(env_.claim_queues(), node.lock(level), taken);
        return Step::kNoMemory;
      }
      // A table that is the covering node is born with exactly the granules claimed that the range
      // touches, by the function that release uses; one on the way is born free.
      const bool covers = StaysAt(range, level - 1);
      const Node<F> child =
          spare.Take(level - 1, env_.NextNodeIdentity(pin_), covers ? Mask(range, level - 1) : 0);
      node.Store(index, F::EncodeTable(child.address(env_.frames())), level);
      ReleaseGranules(env_.claim_queues(), node.lock(level), taken);
      node = child;
      --level;
      if (covers) {
        held = HeldRange<F>{node, level};
        return Step::kDone;
      }
    }
  }

  // How many tables lie between an absent entry of `level` and the range, the covering one
  // included.
  int MissingTables(OffsetRange range, int level) const {
    int count = 1;
    while (!StaysAt(range, level - count)) ++count;
    return count;
  }

  // Claims the granules of the covering node and everything below. The section ends when one
  // granule is held in a node known not to be stray: nobody can cut it from then on.
  Step ClaimCovering(Node<F> node, int level, OffsetRange range,
                     std::optional<RcuReadGuard>& section, HeldRange<F>& held) {
    const uint64_t mask = Mask(range, level);
    uint64_t taken = 0;
    if (const Step step = ClaimFirst(node, level, mask, section, taken); step != Step::kDone)
      return step;
    section.reset();
    if (taken != mask && !claimer_.ClaimAll(node.lock(level), mask, taken)) return Step::kGaveUp;
    if (!ClaimBelow(node, level, range)) {
      ReleaseGranules(env_.claim_queues(), node.lock(level), mask);
      return Step::kGaveUp;
    }
    held = HeldRange<F>{node, level};
    return Step::kDone;
  }

  // Claims at least the lowest granule of `mask` in a node that only `section` keeps alive. On
  // kDone the section is open, the node is not stray, and `taken` is held.
  //
  // race: without the look at `stray` under the claim,
  //   1. this cursor reads the entry that points to the node
  //   2. another cuts the node out, releases its granules, and retires it
  //   3. this cursor claims in the cut node and works on a table that is no longer part of the tree
  Step ClaimFirst(Node<F> node, int level, uint64_t mask, std::optional<RcuReadGuard>& section,
                  uint64_t& taken) {
    const MetaSlot& slot = node.slot();
    const GranuleLock lock = node.lock(level);
    // order: relaxed; written before the node was published.
    [[maybe_unused]] const uint64_t identity = slot.identity.load(sync::relaxed);
    taken = TakeGranules(env_.claim_queues(), lock, mask);
    if (taken == 0) [[unlikely]] {
      const uint64_t lowest = LowestBit(mask);
      switch (claimer_.AwaitFirst(lock, lowest, [&section] { section.reset(); })) {
        case GranuleClaimer::Outcome::kTaken:
          taken = lowest;
          break;
        case GranuleClaimer::Outcome::kMissed:
          return Step::kRestart;
        case GranuleClaimer::Outcome::kGaveUp:
          return Step::kGaveUp;
      }
      if (!section) section.emplace(env_.rcu(), pin_);
    }
    // order: relaxed; written by who held every granule of the node, one of which is ours now.
    if (slot.stray.load(sync::relaxed) != 0) [[unlikely]] {
      LetGoOfStray(lock, taken);
      return Step::kRestart;
    }
    // invariant: nobody stays queued at a node that was cut out, so a granule that was handed over
    // is this node's.
    //
    // order: relaxed; as above.
    PADDOCK_DCHECK(slot.identity.load(sync::relaxed) == identity,
                   "a granule of another node was handed over");
    return Step::kDone;
  }

  // Releases granules claimed in a node that turned out to be cut out.
  //
  // race: with a release that may hand the granule over,
  //   1. another cursor waits for the granule, asleep and outside of any section
  //   2. this cursor hands it the granule of a node that is already retired
  //   3. the node is freed, its slot becomes another node's, whose locks are initialised
  //   4. the other cursor wakes up and releases a granule that somebody else has claimed
  void LetGoOfStray(const GranuleLock& lock, uint64_t mask) {
    ReleaseStrayGranules(env_.claim_queues(), lock, mask);
    env_.CountStrayRetry(pin_);
  }

  // Claims what the range touches in every node below `node`, whose granules are held. An entry is
  // read only after its granule is claimed; occupancy saves looking into empty granules, never
  // claiming them. False: gave up, and nothing below `node` is held.
  bool ClaimBelow(Node<F> node, int level, OffsetRange range) {
    if (level == 1) return true;
    const uint64_t last = Geo::Index(range.end - 1, level);
    for (uint64_t index = Geo::Index(range.start, level); index <= last; ++index) {
      if (!node.MayBeOccupied(index, level)) continue;
      const Pte pte = node.Load(index);
      if (F::Kind(pte, level) != EntryKind::kTable) continue;
      const Node<F> child = Node<F>::Child(env_.frames(), pte, level);
      const OffsetRange part = ClipToEntry<F>(range, index, level);
      const uint64_t mask = Mask(part, level - 1);
      const GranuleLock lock = child.lock(level - 1);
      bool claimed = claimer_.ClaimAll(lock, mask);
      if (claimed && !ClaimBelow(child, level - 1, part)) {
        ReleaseGranules(env_.claim_queues(), lock, mask);
        claimed = false;
      }
      if (claimed) continue;
      // Exactly what was taken goes back, in reverse: the parts below the entries before this one.
      if (part.start > range.start) {
        ReleaseBelow(env_, node, level, OffsetRange{range.start, part.start});
      }
      return false;
    }
    return true;
  }

  static void ReleaseSubtree(PageTableEnv& env, Node<F> node, int level, OffsetRange range) {
    ReleaseBelow(env, node, level, range);
    ReleaseGranules(env.claim_queues(), node.lock(level), Mask(range, level));
  }

  // Reverse preorder, reading entries while their granule is still held: forward, another cursor
  // could create a table in a granule already released, and it would be taken for ours.
  static void ReleaseBelow(PageTableEnv& env, Node<F> node, int level, OffsetRange range) {
    if (level == 1) return;
    node.ForEachPresentDown(Geo::Index(range.start, level), Geo::Index(range.end - 1, level), level,
                            [&](uint64_t index, Pte pte) {
                              if (F::Kind(pte, level) != EntryKind::kTable) return;
                              ReleaseSubtree(env, Node<F>::Child(env.frames(), pte, level),
                                             level - 1, ClipToEntry<F>(range, index, level));
                            });
  }

  absl::Status GaveUp(OffsetRange range) const {
    const std::string what =
        absl::StrFormat("the range [%#x, %#x) is locked by another cursor",
                        Geo::ToVirt(range.start).value(), Geo::ToVirt(range.end - 1).value() + 1);
    return options_.wait == Wait::kTry ? absl::UnavailableError(what)
                                       : absl::DeadlineExceededError(what);
  }

  PageTableEnv& env_;
  const CpuPin& pin_;
  const Node<F> root_;
  const CursorOptions options_;
  GranuleClaimer claimer_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_LOCKING_H_
