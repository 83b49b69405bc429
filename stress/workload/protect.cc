// SPDX-License-Identifier: Apache-2.0
//
// Permissions go up and down under running accesses; accessed and dirty bits are harvested.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr Region kRegion{0x0400'0000'0000 + kHugeBytes - 512 * kPageSize, 1024};

class Protect final : public Generator {
 public:
  explicit Protect(const GeneratorArgs& args) : rng_(args.rng) {}

  void Next(std::vector<Op>& ops) override {
    const VirtRange range = kRegion.Random(rng_, 32);
    const uint64_t bytes = range.size();
    switch (rng_.Below(8)) {
      case 0:
      case 1:
        return AppendFill(ops, rng_, 0, range);
      case 2:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap, .wait = RandomWait(rng_)});
        for (uint64_t left = bytes; left > 0; left -= kPageSize) {
          Append(ops, JumpOp{VirtAddr(range.end.value() - left)},
                 ProtectNextOp{kPageSize, RandomEdit(rng_)});
        }
        Append(ops, CloseOp{});
        return;
      case 3: {
        const VirtAddr va = kRegion.Page(rng_.Below(kRegion.pages));
        Append(ops, AccessOp{.va = va, .kind = AccessKind::kStore},
               AccessOp{.va = va, .kind = AccessKind::kLoad});
        return;
      }
      case 4:
        return AppendLook(ops, rng_, 0, range);
      default:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap, .wait = RandomWait(rng_)},
               ProtectOp{bytes, RandomEdit(rng_)});
        if (rng_.Chance(8)) Append(ops, SyncOp{});
        Append(ops, JumpOp{range.start}, QueryOp{}, CloseOp{});
        return;
    }
  }

 private:
  StreamRng rng_;
};

}  // namespace

std::unique_ptr<Generator> MakeProtect(const GeneratorArgs& args) {
  return std::make_unique<Protect>(args);
}

}  // namespace paddock
