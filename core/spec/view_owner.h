// SPDX-License-Identifier: Apache-2.0
//
// The memory-view discipline of an address space, as a state that can be looked at: who reads and
// writes which part, what view each of them holds, and what view the space has left. After
// VmSpaceOwner of the Asterinas address space, its mem_view_wf and its invariant (seed 003).
//
//   ViewOwner owner = ledger.Owner();
//   absl::Status held = CheckViewOwner(owner);        // INTERNAL names the rule and who breaks it
//
// Where the specification is of two minds this follows its formulas, with one exception:
//   - readers are disjoint unless shared reading is allowed (its prose says: if it is allowed);
//   - readers and writers are in the lists while they hold a view, that is, while they are active;
//   - a part agrees with the total view wherever the part translates. The formula says everywhere,
//     which no writer that holds anything could satisfy: what it holds the rest does not translate.
//
// Thread safety: pure functions. Cost: quadratic in the number of views; for checks.

#ifndef PADDOCK_CORE_SPEC_VIEW_OWNER_H_
#define PADDOCK_CORE_SPEC_VIEW_OWNER_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "paddock/arch/address.h"
#include "paddock/core/spec/mem_view.h"

namespace paddock {

// Whether readers may overlap each other.
enum class ReaderSharing : bool { kExclusive, kShared };

struct HeldView {
  VirtRange range;  // what is read or written, whole
  MemView view;     // what is held for it
};

struct ViewOwner {
  std::optional<MemView> total = std::nullopt;
  std::optional<MemView> remaining = std::nullopt;
  std::vector<HeldView> readers = {};
  std::vector<HeldView> writers = {};
  ReaderSharing sharing = ReaderSharing::kShared;
};

// INTERNAL unless
//   existence     there is a remaining view exactly if there is a total one, and views only then
//   agreement     the remaining view and every view that is held translate part of what the total
//                 view does, and to the same
//   completeness  a view that is held is that of its whole range and of nothing else
//   exclusion     what a writer holds nobody else holds, and the remaining view does not have it
//   sharing       what a reader holds the remaining view still has; other readers only if allowed
//   conservation  the remaining view and those of the writers together are the total view
absl::Status CheckViewOwner(const ViewOwner& owner);

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_VIEW_OWNER_H_
