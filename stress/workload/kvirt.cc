// SPDX-License-Identifier: Apache-2.0
//
// Kernel areas in a window that is too small for them: created, split, queried, accessed by every
// CPU in whatever space it runs, and destroyed, with pins and without.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr uint32_t kMostPages = 24;

class Kvirt final : public Generator {
 public:
  explicit Kvirt(const GeneratorArgs& args) : rng_(args.rng), spaces_(args.fixed_spaces) {}

  void Next(std::vector<Op>& ops) override {
    switch (rng_.Below(16)) {
      case 0:
      case 1:
      case 2:
        return AppendCreate(ops);
      case 3:
      case 4:
        Append(ops, DestroyAreaOp{Slot(), RandomEnd()});
        return;
      case 5: {
        // Used by somebody else at once.
        const uint32_t slot = Slot();
        Append(ops, AccessAreaOp{slot, Page()}, DestroyAreaOp{slot, RandomEnd()});
        AppendCreate(ops, slot);
        Append(ops, AccessAreaOp{slot, Page(), AccessKind::kStore}, AccessAreaOp{slot, Page()});
        return;
      }
      case 6:
        Append(ops, SplitAreaOp{Slot(), Slot(), Page()});
        return;
      case 7:
        Append(ops, QueryAreaOp{Slot(), Page()}, QueryAreaOp{Slot(), Page()});
        return;
      case 8:
        return AppendRare(ops);
      default:
        for (int i = 0; i < 4; ++i) {
          Append(ops, AccessAreaOp{Slot(), Page(),
                                   rng_.Chance(4) ? AccessKind::kStore : AccessKind::kLoad});
        }
        return;
    }
  }

 private:
  // A few slots change hands all the time.
  uint32_t Slot() {
    return static_cast<uint32_t>(rng_.Chance(2) ? rng_.Below(8) : rng_.Below(kKernelAreas));
  }
  uint32_t Page() { return static_cast<uint32_t>(rng_.Below(4 * kHugePages)); }
  AreaEnd RandomEnd() {
    const uint64_t draw = rng_.Below(8);
    return draw == 0   ? AreaEnd::kDestructorOnIdleCpu
           : draw <= 2 ? AreaEnd::kDestructor
                       : AreaEnd::kDestroy;
  }

  void AppendCreate(std::vector<Op>& ops) { AppendCreate(ops, Slot()); }
  void AppendCreate(std::vector<Op>& ops, uint32_t slot) {
    CreateAreaOp create{.area = slot,
                        .before = static_cast<uint32_t>(rng_.Below(3)),
                        .pages = static_cast<uint32_t>(rng_.Between(1, kMostPages)),
                        .behind = static_cast<uint32_t>(rng_.Below(3))};
    if (rng_.Chance(4)) create.rights = AccessKind::kLoad;
    switch (rng_.Below(16)) {
      case 0:
        create.kind = AreaKind::kNothing;
        break;
      case 1:
        create.kind = AreaKind::kOutside;
        break;
      case 2:
      case 3:
        create.kind = AreaKind::kDevice;
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        create.kind = AreaKind::kSegment;
        // One huge page, if there are addresses for it.
        if (rng_.Chance(16)) create.pages = kHugePages;
        break;
      default:
        break;
    }
    Append(ops, create);
  }

  void AppendRare(std::vector<Op>& ops) {
    switch (rng_.Below(16)) {
      case 0:
        Append(ops, CheckAreasOp{});
        return;
      case 1:
        Append(ops, FlushAreasOp{});
        return;
      case 2:
      case 3:
        Append(ops, IdleOp{static_cast<uint32_t>(rng_.Between(1, 3))});
        return;
      case 4:
      case 5:
        Append(ops, DeactivateOp{});
        return;
      default:
        Append(ops, ActivateOp{static_cast<uint32_t>(rng_.Below(spaces_))});
        return;
    }
  }

  StreamRng rng_;
  const uint32_t spaces_;
};

}  // namespace

std::unique_ptr<Generator> MakeKvirt(const GeneratorArgs& args) {
  return std::make_unique<Kvirt>(args);
}

}  // namespace paddock
