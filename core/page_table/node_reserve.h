// SPDX-License-Identifier: Apache-2.0
//
// Tables allocated before they are needed, so that an operation that would run out of memory
// half-way fails before it changed anything. What is not used goes back.

#ifndef PADDOCK_CORE_PAGE_TABLE_NODE_RESERVE_H_
#define PADDOCK_CORE_PAGE_TABLE_NODE_RESERVE_H_

#include <array>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/node.h"
#include "paddock/core/page_table/property_memo.h"

namespace paddock {

// The metadata of a frame that is a page-table node. When the last reference goes, so do the items
// that the node's leaves own and the nodes below it. A root owns only the entries that its
// configuration manages.
template <PageTableConfig C>
struct NodeMeta {
  using Geo = Geometry<typename C::Format>;

  static constexpr const char* kName = "page-table node";

  static void Drop(FrameTable& frames, PhysAddr address, MetaSlot& slot) {
    using F = typename C::Format;
    // order: relaxed, all of it; the last owner has exclusive access.
    const int level = slot.level.load(sync::relaxed);
    const Node<F> node(frames, address);
    PADDOCK_CHECK(node.lock(level).Held() == 0,
                  "a page-table node is freed while a cursor holds a granule of it");
    const bool root = level == Geo::kLevels;
    const uint64_t first = root ? C::kTopLevelFirst : 0;
    const uint64_t last = root ? C::kTopLevelLast : Geo::Entries(level) - 1;
    const C config(frames);
    PropertyMemo<F> memo;
    // Neighbours are released together: they go back as blocks, not one by one.
    FrameRun dead;
    const auto drop_entry = [&](auto at, Pte pte) ABSL_ATTRIBUTE_ALWAYS_INLINE {
      if (F::Kind(pte, at) == EntryKind::kTable) {
        frames.Release(FrameRun{F::Address(pte, at), 1});
        return;
      }
      const RawItem raw = memo.RawOf(pte, at);
      if (!config.IsTracked(raw)) return;
      const FrameRun run{raw.frame, Geo::EntrySpan(at) / kPageSize};
      // Hardware may have set these until the flush that preceded the release was acknowledged.
      frames.MarkAccessedDirty(run, raw.property.flags);
      if (dead.Join(run)) return;
      frames.Release(dead);
      dead = run;
    };
    node.ForEachPresent(first, last, level, drop_entry);
    frames.Release(dead);
  }
};

template <PageTableConfig C>
class NodeReserve {
 public:
  using F = typename C::Format;

  // Enough for two paths from the root to the base pages.
  static constexpr int kCapacity = 2 * F::kLevels;

  explicit NodeReserve(FrameTable& frames) : frames_(frames) {}
  ~NodeReserve() {
    while (count_ > 0) frames_.Release(FrameRun{nodes_[--count_], 1});
  }
  NodeReserve(const NodeReserve&) = delete;
  NodeReserve& operator=(const NodeReserve&) = delete;

  // Makes sure that `count` tables are at hand. RESOURCE_EXHAUSTED: there is no frame.
  absl::Status Ensure(int count) {
    PADDOCK_CHECK(count <= kCapacity, "more tables reserved than two paths need");
    while (count_ < count) {
      absl::StatusOr<PhysAddr> node =
          frames_.AllocateRaw(MetaVtableOf<NodeMeta<C>>(), Zeroing::kZero);
      if (!node.ok()) return node.status();
      // The slot may describe a node that is never used: it must look like an empty one when
      // dropped.
      MetaSlot& slot = frames_.slot(*node);
      // order: relaxed; nobody else knows the node until it is published.
      slot.occupancy.store(0, sync::relaxed);
      slot.level.store(1, sync::relaxed);
      nodes_[count_++] = *node;
    }
    return absl::OkStatus();
  }

  // An empty table of `level`, not published, whose granules `claimed` are held by the caller from
  // the moment of publication. Precondition: Ensure.
  Node<F> Take(int level, uint64_t identity, uint64_t claimed) {
    PADDOCK_CHECK(count_ > 0, "a table is taken that was not reserved");
    Node<F> node(frames_, nodes_[--count_]);
    MetaSlot& slot = node.slot();
    // `waiters` stays as it is: a claim that waited for a node that this slot described before may
    // still have its mark there, and takes it back itself.
    //
    // order: relaxed, all of them; the release store of the entry publishes the node.
    slot.level.store(static_cast<uint8_t>(level), sync::relaxed);
    slot.stray.store(0, sync::relaxed);
    slot.identity.store(identity, sync::relaxed);
    node.lock(level).Initialise(claimed);
    return node;
  }

 private:
  FrameTable& frames_;
  std::array<PhysAddr, kCapacity> nodes_;
  int count_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_NODE_RESERVE_H_
