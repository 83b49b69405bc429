// SPDX-License-Identifier: Apache-2.0
//
// KernelSpace: the invariants of the store of areas, made executable. After the invariant of the
// kernel store in the specification of the Asterinas memory management.
//
// The tables are walked without claims while the store is locked. What the walk meets was mapped at
// some moment since the lock was taken: an area enters the store before anything is mapped in it
// and leaves it after everything was unmapped, and it cannot leave it now. A node that is cut out
// under the walk stays a node, and frames stay in use, until the read-side section ends.

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/core/frame/untyped_meta.h"
#include "paddock/core/page_table/node_reserve.h"
#include "paddock/core/space/kernel_space.h"

namespace paddock {
namespace {

using Geo = Geometry<UserFormat>;

absl::Status Broken(const std::string& what) { return absl::InternalError(what); }

// Whether `frame` is in use as `kind`, with owners that share it.
bool IsShared(FrameTable& frames, PhysAddr frame, const MetaVtable& kind) {
  if (!frames.Contains(frame)) return false;
  const MetaSlot& slot = frames.slot(frame);
  // order: relaxed, both; loading the entry that names the frame acquired what published the frame.
  const uint32_t count = slot.ref_count.load(sync::relaxed);
  return count != kRefUnused && count < kRefBusy && slot.kind.load(sync::relaxed) == &kind;
}

}  // namespace

absl::Status KernelSpace::CheckInvariants(const CpuPin& pin) {
  if (!cpus_.Owns(pin)) return CpuRegistry::ForeignPinError(pin);
  SpinLockGuard guard(lock_);
  if (absl::Status status = CheckStore(); !status.ok()) return status;
  RcuReadGuard section(env_.rcu(), pin);
  return CheckNode(Node<UserFormat>(env_.frames(), table_->root()), Geo::kLevels, 0);
}

absl::Status KernelSpace::CheckStore() const {
  const VirtRange window = layout_.dynamic_window;
  std::vector<VirtRange> all;
  for (const auto& [start, end] : areas_) {
    const VirtRange area{start, end};
    if (area.IsEmpty() || area.IsReversed() || !area.IsAligned(kPageSize) ||
        !window.Contains(area)) {
      return Broken(RangeText(area) + " of an area is empty, reversed, unaligned or outside");
    }
    all.push_back(area);
  }
  for (const VirtRange area : abandoned_) {
    const auto found = areas_.find(area.start);
    if (found == areas_.end() || found->second != area.end) {
      return Broken(RangeText(area) + " was abandoned and is no area");
    }
  }
  if (absl::Status status = addresses_.CheckInvariants(); !status.ok()) return status;
  addresses_.ForEachFree([&](VirtRange range) { all.push_back(range); });
  quarantine_.ForEach([&](VirtRange range) { all.push_back(range); });

  std::sort(all.begin(), all.end(), [](VirtRange a, VirtRange b) { return a.start < b.start; });
  VirtAddr end = window.start;
  for (const VirtRange range : all) {
    if (range.start != end) {
      return Broken(
          absl::StrFormat("%s follows on %#x: an overlap or a gap", RangeText(range), end.value()));
    }
    end = range.end;
  }
  if (end != window.end) return Broken(absl::StrFormat("the window is lost from %#x", end.value()));
  return absl::OkStatus();
}

absl::Status KernelSpace::CheckNode(Node<UserFormat> node, int level, uint64_t offset) const {
  const bool root = level == Geo::kLevels;
  const uint64_t first = root ? KernelPtConfig::kTopLevelFirst : 0;
  const uint64_t last = root ? KernelPtConfig::kTopLevelLast : Geo::Entries(level) - 1;
  for (uint64_t index = first; index <= last; ++index) {
    // A granule that is being filled may be missed, one that is full at rest is not.
    if (!node.MayBeOccupied(index, level)) continue;
    const Pte pte = node.Load(index);
    const VirtAddr at = Geo::ToVirt(offset + index * Geo::EntrySpan(level));
    const EntryKind kind = UserFormat::Kind(pte, level);
    absl::Status status;
    if (kind == EntryKind::kLeaf) status = CheckLeaf(TranslationOf<UserFormat>(at, pte, level));
    if (kind == EntryKind::kTable) status = CheckChild(at, pte, level);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status KernelSpace::CheckChild(VirtAddr at, Pte pte, int level) const {
  const PhysAddr address = UserFormat::Address(pte, level);
  if (!IsShared(env_.frames(), address, MetaVtableOf<NodeMeta<KernelPtConfig>>())) {
    return Broken(absl::StrFormat("the entry of level %d at %#x points to frame %#x, no node",
                                  level, at.value(), address.value()));
  }
  const Node<UserFormat> child(env_.frames(), address);
  // order: relaxed; written before the node was published.
  const int child_level = child.slot().level.load(sync::relaxed);
  if (child_level != level - 1) {
    return Broken(absl::StrFormat("the node at %#x is of level %d, not %d", at.value(), child_level,
                                  level - 1));
  }
  return CheckNode(child, level - 1, Geo::ToOffset(at));
}

absl::Status KernelSpace::CheckLeaf(const Translation& leaf) const {
  const VirtRange range = leaf.range;
  const RawItem& raw = leaf.item;
  if (layout_.dynamic_window.Intersects(range)) {
    const auto after = areas_.upper_bound(range.start);
    const auto area = after == areas_.begin() ? areas_.end() : std::prev(after);
    if (area == areas_.end() || !VirtRange{area->first, area->second}.Contains(range)) {
      return Broken(RangeText(range) + " is mapped in the window, and in no area");
    }
  }
  const bool tracked = table_->config().IsTracked(raw);
  const bool linear =
      layout_.linear_mapping == LinearMapping::kAllMemory && layout_.linear_map.Intersects(range);
  if (linear && (tracked || layout_.linear_map.start.Plus(raw.frame.value()) != range.start)) {
    return Broken(absl::StrCat(RangeText(range), " is not what the linear map has there"));
  }
  if (!tracked) return absl::OkStatus();
  for (uint64_t done = 0; done < range.size(); done += kPageSize) {
    const PhysAddr frame = raw.frame.Plus(done);
    if (IsShared(env_.frames(), frame, MetaVtableOf<Untyped>())) continue;
    return Broken(absl::StrFormat("%s maps frame %#x, which is not in use as one", RangeText(range),
                                  frame.value()));
  }
  return absl::OkStatus();
}

}  // namespace paddock
