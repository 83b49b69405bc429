// SPDX-License-Identifier: Apache-2.0
//
// Everything at once, in weighted turns, in the same spaces.

#include <array>
#include <memory>
#include <vector>

#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

struct Part {
  uint64_t weight;
  std::unique_ptr<Generator> (*make)(const GeneratorArgs&);
};

constexpr Part kParts[] = {
    {6, MakeDisjoint}, {8, MakeOverlap}, {5, MakeSubtree}, {4, MakeProtect}, {1, MakeHuge},
    {4, MakeSpaces},   {6, MakeTlb},     {5, MakeIo},      {4, MakeKvirt},   {2, MakeRcu},
};
constexpr size_t kPartCount = std::size(kParts);

class Mixed final : public Generator {
 public:
  explicit Mixed(const GeneratorArgs& args) : rng_(args.rng) {
    for (size_t i = 0; i < kPartCount; ++i) {
      GeneratorArgs part_args = args;
      part_args.rng = StreamRng(rng_.Next());
      parts_[i] = kParts[i].make(part_args);
      total_ += kParts[i].weight;
    }
  }

  void Next(std::vector<Op>& ops) override {
    uint64_t draw = rng_.Below(total_);
    size_t part = 0;
    while (draw >= kParts[part].weight) draw -= kParts[part++].weight;
    parts_[part]->Next(ops);
  }

 private:
  StreamRng rng_;
  uint64_t total_ = 0;
  std::array<std::unique_ptr<Generator>, kPartCount> parts_;
};

}  // namespace

std::unique_ptr<Generator> MakeMixed(const GeneratorArgs& args) {
  return std::make_unique<Mixed>(args);
}

}  // namespace paddock
