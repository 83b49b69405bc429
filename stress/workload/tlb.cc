// SPDX-License-Identifier: Apache-2.0
//
// Shootdown storms: pages that every CPU has just used are unmapped, mapped anew and waited for;
// CPUs go idle in between, and switch between spaces so that tags are left behind and found again.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr Region kRegion{0x0700'0000'0000, 64};

class Tlb final : public Generator {
 public:
  explicit Tlb(const GeneratorArgs& args) : rng_(args.rng), spaces_(args.fixed_spaces) {}

  void Next(std::vector<Op>& ops) override {
    if (rng_.Chance(64)) space_ = static_cast<uint32_t>(rng_.Below(spaces_));
    const VirtRange range = kRegion.Random(rng_, rng_.Chance(8) ? 64 : 2);
    switch (rng_.Below(16)) {
      case 0:
        Append(ops, IdleOp{static_cast<uint32_t>(rng_.Between(1, 3))});
        return;
      case 1:
        if (rng_.Chance(4)) {
          Append(ops, DeactivateOp{});
        } else {
          Append(ops, ActivateOp{static_cast<uint32_t>(rng_.Below(spaces_))});
        }
        return;
      case 2:
      case 3:
        Append(ops, OpenOp{.space = space_, .range = range, .intent = Intent::kNoMap},
               UnmapOp{range.size()});
        if (rng_.Chance(4)) Append(ops, SyncOp{});
        Append(ops, CloseOp{});
        return;
      case 4:
      case 5:
        // Replaced in place: the old frame is reachable through TLBs until they are flushed.
        Append(ops, OpenOp{.space = space_, .range = range});
        for (uint64_t i = 0; i < range.size() / kPageSize; ++i) Append(ops, MapOp{});
        Append(ops, CloseOp{});
        return;
      case 6:
        Append(ops, OpenOp{.space = space_, .range = range, .intent = Intent::kNoMap},
               ProtectOp{range.size(), RandomEdit(rng_)});
        if (rng_.Chance(4)) Append(ops, SyncOp{});
        Append(ops, CloseOp{});
        return;
      default:
        for (int i = 0; i < 4; ++i) {
          Append(ops, AccessOp{space_, kRegion.Page(rng_.Below(kRegion.pages)),
                               rng_.Chance(4) ? AccessKind::kStore : AccessKind::kLoad});
        }
        return;
    }
  }

 private:
  StreamRng rng_;
  const uint32_t spaces_;
  uint32_t space_ = 0;
};

}  // namespace

std::unique_ptr<Generator> MakeTlb(const GeneratorArgs& args) {
  return std::make_unique<Tlb>(args);
}

}  // namespace paddock
