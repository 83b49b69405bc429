// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/walker.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

// Indexes 2 and 6 are UC-, which an MTRR may weaken; without MTRRs it is UC.
constexpr CachePolicy kPat[8] = {
    CachePolicy::kWriteBack,   CachePolicy::kWriteThrough,   CachePolicy::kUncacheable,
    CachePolicy::kUncacheable, CachePolicy::kWriteCombining, CachePolicy::kWriteProtected,
    CachePolicy::kUncacheable, CachePolicy::kUncacheable,
};

uint8_t SoftwareBits(uint64_t leaf) {
  return static_cast<uint8_t>(((leaf >> 9) & 0x07) | (((leaf >> 52) & 0x1f) << 3));
}

}  // namespace

PageProperty PropertyOf(const MmuTranslation& translation) {
  PageProperty property{.flags = PageFlags::kRead,
                        .cache = kPat[translation.pat_index & 7],
                        .software = SoftwareBits(translation.leaf)};
  if (translation.writable) property.flags |= PageFlags::kWrite;
  if (translation.executable) property.flags |= PageFlags::kExecute;
  if (translation.user) property.flags |= PageFlags::kUser;
  if (translation.global) property.flags |= PageFlags::kGlobal;
  if (translation.accessed) property.flags |= PageFlags::kAccessed;
  if (translation.dirty) property.flags |= PageFlags::kDirty;
  return property;
}

MmuWalk WalkerOracle::CheckWalk(uint32_t worker, std::string_view where, const SoftMmu& mmu,
                                uint64_t root, VirtAddr va, SoftMmu::NodePredicate is_live_node,
                                absl::FunctionRef<bool(const MmuWalk&)> allowed) {
  MmuWalk walk = mmu.Walk(root, va.value(), is_live_node);
  checks_.Add(worker);
  if (walk.outcome == MmuOutcome::kViolation) {
    sink_.Report(kWalkerOracle, absl::StrCat(std::string(where), ": ", Describe(walk)));
  } else if (!allowed(walk)) {
    sink_.Report(kWalkerOracle, absl::StrCat(std::string(where), ": ", Describe(walk),
                                             ", which is neither an old nor a new mapping"));
  }
  return walk;
}

AbstractTable WalkerOracle::CheckTable(uint32_t worker, std::string_view where, const SoftMmu& mmu,
                                       uint64_t root, VirtRange range,
                                       SoftMmu::NodePredicate is_live_node) {
  AbstractTable view;
  if (range.IsEmpty()) return view;
  const auto visit = [&](uint64_t va, const MmuTranslation& translation) {
    const VirtRange whole{VirtAddr(va), VirtAddr(va + translation.page_bytes)};
    const VirtRange inside = whole.Intersection(range);
    const uint64_t skipped = inside.start.value() - va;
    view.Map(inside, PhysAddr(translation.physical + skipped), PropertyOf(translation));
  };
  const MmuScan scan =
      mmu.Scan(root, range.start.value(), range.last().value(), is_live_node, visit);
  checks_.Add(worker, scan.nodes + scan.leaves);
  for (const std::string& violation : scan.violations) {
    sink_.Report(kWalkerOracle, absl::StrCat(std::string(where), " at rest: ", violation));
  }
  return view;
}

OracleResult WalkerOracle::result() const {
  return {std::string(kWalkerOracle), checks(), sink_.count(kWalkerOracle)};
}

}  // namespace paddock
