// SPDX-License-Identifier: Apache-2.0
//
// Each stream works in a region of its own, whose ends share page tables with its neighbours'
// regions: nobody should ever wait.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr uint64_t kStart = 0x0100'0000'0000;
// Not a multiple of a table: neighbours meet inside one.
constexpr uint64_t kPages = 3 * kHugePages / 2;

class Disjoint final : public Generator {
 public:
  explicit Disjoint(const GeneratorArgs& args)
      : rng_(args.rng), region_{kStart + args.stream * kPages * kPageSize, kPages} {}

  void Next(std::vector<Op>& ops) override {
    const VirtRange range = region_.Random(rng_, 16);
    switch (rng_.Below(8)) {
      case 0:
      case 1:
      case 2:
        return AppendFill(ops, rng_, 0, range);
      case 3:
      case 4:
        return AppendUnmap(ops, rng_, 0, range);
      case 5:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap},
               ProtectOp{range.size(), RandomEdit(rng_)}, CloseOp{});
        return;
      case 6:
        Append(ops, OpenOp{.range = range, .anchor = Anchor::kLow}, TakeNextOp{range.size()},
               CloseOp{});
        return;
      default:
        return AppendLook(ops, rng_, 0, range);
    }
  }

 private:
  StreamRng rng_;
  Region region_;
};

}  // namespace

std::unique_ptr<Generator> MakeDisjoint(const GeneratorArgs& args) {
  return std::make_unique<Disjoint>(args);
}

}  // namespace paddock
