// SPDX-License-Identifier: Apache-2.0
//
// Pages are spread over a few GiB, then whole tables are cut out under the others: ranges that
// cover tables of level 1 (2 MiB each) and tables of level 2 (1 GiB each), while others map there,
// search and walk.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr uint64_t kStart = 0x0300'0000'0000;
constexpr uint64_t kGiBs = 4;
constexpr uint64_t kPages = kGiBs * kGiB / kPageSize;

class Subtree final : public Generator {
 public:
  explicit Subtree(const GeneratorArgs& args) : rng_(args.rng) {}

  void Next(std::vector<Op>& ops) override {
    switch (rng_.Below(16)) {
      case 0:
        return Cut(ops, kGiB);
      case 1:
      case 2:
      case 3:
        return Cut(ops, kHugeBytes);
      case 4: {
        // The first thing that is mapped in a wide range: a page, or a table with all it holds.
        const VirtRange range = Aligned(kHugeBytes);
        Append(ops, OpenOp{.range = range, .intent = Intent::kNoMap, .wait = RandomWait(rng_)},
               TakeNextOp{range.size()}, CloseOp{});
        return;
      }
      case 5: {
        // Two tables and a half: borders inside the outer ones.
        const VirtAddr start = Near();
        const VirtRange range{start,
                              start.Plus(2 * kHugeBytes + rng_.Below(kHugePages) * kPageSize)};
        return AppendUnmap(ops, rng_, 0, range);
      }
      case 6:
        return AppendLook(ops, rng_, 0, Aligned(rng_.Chance(2) ? kGiB : kHugeBytes));
      default: {
        const VirtAddr start = Near();
        const VirtRange range{start, start.Plus(rng_.Between(1, 4) * kPageSize)};
        if (rng_.Chance(4)) return AppendLook(ops, rng_, 0, range);
        return AppendFill(ops, rng_, 0, range);
      }
    }
  }

 private:
  // A page near the beginning of one of the first tables of a GiB: tables are hit again and again.
  VirtAddr Near() {
    const uint64_t table = rng_.Below(kGiBs) * kHugePages + rng_.Below(8);
    return region_.Page(table * kHugePages + rng_.Below(kHugePages - 4));
  }
  VirtRange Aligned(uint64_t unit) {
    const VirtAddr start = Near().AlignDown(unit);
    const uint64_t left = region_.Page(kPages).value() - start.value();
    const uint64_t longest = left / unit < 3 ? left / unit : 3;
    return VirtRange{start, start.Plus(rng_.Between(1, longest) * unit)};
  }
  void Cut(std::vector<Op>& ops, uint64_t unit) {
    const VirtRange range = Aligned(unit);
    AppendUnmap(ops, rng_, 0, range);
    // Sometimes under a range that is one page wider, so that another node covers it.
    if (!rng_.Chance(4)) return;
    const VirtRange wide{range.start, range.end.Plus(kPageSize)};
    Append(ops, OpenOp{.range = wide, .intent = Intent::kNoMap}, FindNextOp{wide.size()},
           JumpOp{wide.start}, UnmapOp{range.size()}, QueryOp{}, CloseOp{});
  }

  StreamRng rng_;
  const Region region_{kStart, kPages};
};

}  // namespace

std::unique_ptr<Generator> MakeSubtree(const GeneratorArgs& args) {
  return std::make_unique<Subtree>(args);
}

}  // namespace paddock
