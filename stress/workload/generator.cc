// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/workload/generator.h"

#include <utility>

#include "paddock/stress/memory_words.h"
#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr WorkloadInfo kWorkloads[] = {
    {"disjoint", "each thread in a region of its own", 1, 0, 256, MakeDisjoint},
    {"overlap", "random ranges of one region, with hot spots", 1, 0, 256, MakeOverlap},
    {"subtree", "large unmaps that cut whole tables out under others", 1, 0, 256, MakeSubtree},
    {"protect", "permissions that go up and down under accesses", 1, 0, 256, MakeProtect},
    {"huge", "2 MiB pages: map, split, unmap in part", 1, 0, 1024, MakeHuge},
    {"spaces", "create, activate, migrate and destroy spaces", 1, 12, 256, MakeSpaces},
    {"tlb", "shootdown storms, idle CPUs, tags", 4, 0, 256, MakeTlb},
    {"io", "readers and writers of user memory against map and unmap", kIoSpaces, 0, 256, MakeIo,
     kIoSpaces, 0},
    {"kvirt", "kernel areas that come and go, addresses used again", 2, 0, 512, MakeKvirt, 0,
     kKernelAreas},
    {"rcu", "torture of grace periods", 1, 0, 256, MakeRcu},
    {"mixed", "all of these in weighted turns (the default)", 4, 8, 1024, MakeMixed, kIoSpaces,
     kKernelAreas},
};

constexpr uint64_t kOwnPages = 0x0080'0000'0000;

// Adds checks near what the last transaction touched.
class Checked final : public Generator {
 public:
  Checked(std::unique_ptr<Generator> inner, StreamRng rng, uint32_t stream)
      : inner_(std::move(inner)), rng_(rng), own_page_(kOwnPages + stream * kPageSize) {}

  void Next(std::vector<Op>& ops) override {
    if (!began_) {
      began_ = true;
      return Begin(ops);
    }
    const size_t before = ops.size();
    inner_->Next(ops);
    for (size_t i = before; i < ops.size(); ++i) {
      if (const OpenOp* open = std::get_if<OpenOp>(&ops[i])) last_ = *open;
    }
    if (!last_.range.IsEmpty()) {
      if (rng_.Chance(2)) Append(ops, WalkOp{last_.space, SomePage()});
      if (rng_.Chance(2)) {
        const AccessKind kind = rng_.Chance(4) ? AccessKind::kStore : AccessKind::kLoad;
        Append(ops, AccessOp{last_.space, SomePage(), kind});
      }
    }
    const auto cell = static_cast<uint32_t>(rng_.Below(kRcuCells));
    if (rng_.Chance(8)) Append(ops, ReadOp{cell, static_cast<uint32_t>(rng_.Below(32))});
    if (rng_.Chance(32)) Append(ops, RetireOp{cell});
    if (rng_.Chance(8192)) Append(ops, GraceOp{});
  }

 private:
  // One check of each kind, so that no stream is too short for any.
  void Begin(std::vector<Op>& ops) const {
    const VirtRange page{own_page_, own_page_.Plus(kPageSize)};
    Append(ops, OpenOp{.range = page}, MapOp{}, CloseOp{}, AccessOp{.va = own_page_},
           WalkOp{.va = own_page_}, RetireOp{}, ReadOp{});
  }

  // Mostly the first page of the last range: that is where something happened for certain.
  VirtAddr SomePage() {
    if (rng_.Chance(2)) return last_.range.start;
    const uint64_t pages = last_.range.size() / kPageSize;
    return VirtAddr(last_.range.start.value() + rng_.Below(pages) * kPageSize);
  }

  const std::unique_ptr<Generator> inner_;
  StreamRng rng_;
  const VirtAddr own_page_;
  bool began_ = false;
  OpenOp last_;
};

}  // namespace

absl::Span<const WorkloadInfo> Workloads() { return kWorkloads; }

const WorkloadInfo* FindWorkload(std::string_view name) {
  for (const WorkloadInfo& info : kWorkloads) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

std::unique_ptr<Generator> MakeStream(const WorkloadInfo& info, const StreamId& id) {
  StreamRng rng(SeedOf({id.seed, HashName(info.name), id.streams, id.stream, id.round}));
  GeneratorArgs args{StreamRng(rng.Next()), id.stream, id.streams, info.fixed_spaces,
                     info.churned_spaces};
  return std::make_unique<Checked>(info.make(args), StreamRng(rng.Next()), id.stream);
}

}  // namespace paddock
