// SPDX-License-Identifier: Apache-2.0
//
// Huge pages: mapped whole, split by unmapping or protecting a part, replaced by base pages and
// back.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr uint64_t kSlots = 16;
constexpr Region kRegion{0x0500'0000'0000, kSlots* kHugePages};

class Huge final : public Generator {
 public:
  explicit Huge(const GeneratorArgs& args) : rng_(args.rng) {}

  void Next(std::vector<Op>& ops) override {
    const VirtRange whole = kRegion.Pages(rng_.Below(kSlots) * kHugePages, kHugePages);
    const Region inside{whole.start.value(), kHugePages};
    const VirtRange part = inside.Random(rng_, 32);
    switch (rng_.Below(12)) {
      case 0:
      case 1:
        // Over whatever is there: nothing, a huge page, or a table.
        Append(ops, OpenOp{.range = whole, .wait = RandomWait(rng_)},
               MapOp{.pages = kHugePages, .property = RandomProperty(rng_)}, JumpOp{part.start},
               QueryOp{}, CloseOp{});
        return;
      case 2:
      case 3:
        return AppendUnmap(ops, rng_, 0, part);
      case 4:
      case 5:
        Append(ops, OpenOp{.range = part, .intent = Intent::kNoMap, .wait = RandomWait(rng_)},
               ProtectOp{part.size(), RandomEdit(rng_)}, CloseOp{});
        return;
      case 6:
        return AppendFill(ops, rng_, 0, part);
      case 7:
        return AppendUnmap(ops, rng_, 0, whole);
      case 8:
        Append(ops, OpenOp{.range = whole, .intent = Intent::kNoMap}, JumpOp{part.start},
               TakeNextOp{part.size()}, CloseOp{});
        return;
      case 9:
        Append(ops, OpenOp{.range = whole, .intent = Intent::kNoMap}, JumpOp{part.start},
               ProtectNextOp{part.size(), RandomEdit(rng_)}, CloseOp{});
        return;
      default:
        return AppendLook(ops, rng_, 0, rng_.Chance(2) ? whole : part);
    }
  }

 private:
  StreamRng rng_;
};

}  // namespace

std::unique_ptr<Generator> MakeHuge(const GeneratorArgs& args) {
  return std::make_unique<Huge>(args);
}

}  // namespace paddock
