// SPDX-License-Identifier: Apache-2.0
//
// All streams work on random ranges of one region, with hot spots; now and then a range is wide.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"
#include "paddock/stress/zipf.h"

namespace paddock {
namespace {

// Straddles the border of two tables of level 2.
constexpr uint64_t kPages = 2048;
constexpr uint64_t kStart = 0x0200'0000'0000 + kGiB - kPages / 2 * kPageSize;

class Overlap final : public Generator {
 public:
  explicit Overlap(const GeneratorArgs& args) : rng_(args.rng), hot_(kPages) {}

  void Next(std::vector<Op>& ops) override {
    const VirtRange range = Draw();
    const uint64_t bytes = range.size();
    switch (rng_.Below(8)) {
      case 0:
      case 1:
        if (bytes <= 32 * kPageSize) return AppendFill(ops, rng_, 0, range);
        return AppendLook(ops, rng_, 0, range);
      case 2:
        return AppendUnmap(ops, rng_, 0, range);
      case 3:
        // Everything in one transaction: what it did must look like one step.
        Append(ops, OpenOp{.range = range, .wait = RandomWait(rng_)}, FindNextOp{bytes},
               JumpOp{range.start}, UnmapOp{bytes}, JumpOp{range.start},
               MapOp{.property = RandomProperty(rng_)}, JumpOp{range.start}, QueryOp{}, CloseOp{});
        return;
      case 4:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap, .wait = RandomWait(rng_)},
               ProtectOp{bytes, RandomEdit(rng_)}, CloseOp{});
        return;
      case 5:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap},
               ProtectNextOp{bytes, RandomEdit(rng_)});
        if (rng_.Chance(8)) Append(ops, SyncOp{});
        Append(ops, CloseOp{});
        return;
      case 6:
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap}, TakeNextOp{bytes}, CloseOp{});
        return;
      default:
        return AppendLook(ops, rng_, 0, range);
    }
  }

 private:
  VirtRange Draw() {
    const uint64_t first = hot_.Draw(rng_);
    const uint64_t longest = rng_.Chance(64) ? kPages : rng_.Chance(4) ? 32 : 4;
    return region_.Pages(first, rng_.Between(1, std::min(longest, kPages - first)));
  }

  StreamRng rng_;
  const ZipfRanks hot_;
  const Region region_{kStart, kPages};
};

}  // namespace

std::unique_ptr<Generator> MakeOverlap(const GeneratorArgs& args) {
  return std::make_unique<Overlap>(args);
}

}  // namespace paddock
