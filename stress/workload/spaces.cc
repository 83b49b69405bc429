// SPDX-License-Identifier: Apache-2.0
//
// Spaces are created, activated, used from one CPU after another, and destroyed while others still
// use them.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr Region kRegion{0x0600'0000'0000, 64};

class Spaces final : public Generator {
 public:
  explicit Spaces(const GeneratorArgs& args)
      : rng_(args.rng), first_(args.fixed_spaces), slots_(args.churned_spaces) {}

  void Next(std::vector<Op>& ops) override {
    const uint32_t space = first_ + static_cast<uint32_t>(rng_.Below(slots_));
    const VirtRange range = kRegion.Random(rng_, 8);
    switch (rng_.Below(16)) {
      case 0:
        Append(ops, CreateSpaceOp{space});
        return;
      case 1:
        // A destroyed slot is filled again soon: most operations should find a space.
        Append(ops, DestroySpaceOp{space});
        if (!rng_.Chance(4)) Append(ops, CreateSpaceOp{space});
        return;
      case 2:
      case 3:
        Append(ops, ActivateOp{space}, AccessOp{space, range.start, AccessKind::kStore});
        return;
      case 4:
        Append(ops, DeactivateOp{});
        return;
      case 5:
        return AppendUnmap(ops, rng_, space, range);
      case 6:
      case 7:
        return AppendLook(ops, rng_, space, range);
      default:
        AppendFill(ops, rng_, space, range);
        Append(ops, AccessOp{space, range.start, AccessKind::kLoad});
        return;
    }
  }

 private:
  StreamRng rng_;
  const uint32_t first_;
  const uint32_t slots_;
};

}  // namespace

std::unique_ptr<Generator> MakeSpaces(const GeneratorArgs& args) {
  return std::make_unique<Spaces>(args);
}

}  // namespace paddock
