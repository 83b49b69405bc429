// SPDX-License-Identifier: Apache-2.0
//
// Torture of grace periods: objects are replaced and retired while others look at them, in long and
// short sections, across idle CPUs, with a few cursors in between that retire frames.

#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr Region kRegion{0x0800'0000'0000, 256};

class Rcu final : public Generator {
 public:
  explicit Rcu(const GeneratorArgs& args) : rng_(args.rng) {}

  void Next(std::vector<Op>& ops) override {
    const auto cell = static_cast<uint32_t>(rng_.Below(rng_.Chance(2) ? 4 : kRcuCells));
    switch (rng_.Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        Append(ops, RetireOp{cell});
        return;
      case 5:
        Append(ops, IdleOp{1});
        return;
      case 6:
        if (rng_.Chance(32)) {
          Append(ops, GraceOp{});
          return;
        }
        return AppendFill(ops, rng_, 0, kRegion.Random(rng_, 4));
      case 7:
        return AppendUnmap(ops, rng_, 0, kRegion.Random(rng_, 8));
      default:
        Append(ops, ReadOp{cell, static_cast<uint32_t>(rng_.Chance(256) ? 20000 : rng_.Below(64))});
        return;
    }
  }

 private:
  StreamRng rng_;
};

}  // namespace

std::unique_ptr<Generator> MakeRcu(const GeneratorArgs& args) {
  return std::make_unique<Rcu>(args);
}

}  // namespace paddock
