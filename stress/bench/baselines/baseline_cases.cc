// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/baselines/baseline_cases.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "paddock/arch/address.h"
#include "paddock/stress/bench/baselines/btree_map.h"
#include "paddock/stress/bench/baselines/hand_over_hand.h"
#include "paddock/stress/bench/baselines/linux_memory.h"
#include "paddock/stress/bench/baselines/mutex_table.h"
#include "paddock/stress/bench/baselines/plain_entry.h"
#include "paddock/stress/bench/chunks.h"

namespace paddock::bench {
namespace {

constexpr uint64_t kPages = 512;

// One thread's 2 MiB of the design, which all threads share, and its free frames: a stack, as it
// costs least. Regions are 512 GiB apart, like those of Paddock's cases; Linux's too.
template <typename Design>
class Region {
 public:
  explicit Region(const benchmark::State& state)
      : design_(Shared()),
        start_((static_cast<uint64_t>(state.thread_index()) + 1) << 39),
        free_(kPages) {
    std::iota(free_.begin(), free_.end(), start_ / kPageSize);
  }
  ~Region() {
    if (free_.empty()) Empty();
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Design& design() { return design_; }
  uint64_t Page(uint64_t i) const { return start_ + i * kPageSize; }
  uint64_t NewFrame() {
    const uint64_t frame = free_.back();
    free_.pop_back();
    return frame;
  }
  void Release(uint64_t frame) { free_.push_back(frame); }

  void Fill() {
    design_.MapRange(start_, kPages, [this] { return NewFrame(); });
  }
  void Empty() {
    design_.UnmapRange(start_, kPages, [this](uint64_t frame) { Release(frame); });
  }

 private:
  static Design& Shared() {
    static Design* const design = new Design;
    return *design;
  }

  Design& design_;
  const uint64_t start_;
  std::vector<uint64_t> free_;
};

template <typename Design>
void Query(benchmark::State& state) {
  Region<Design> region(state);
  region.Fill();
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    timer.TimeEach(kPages, [&](uint64_t i) {
      benchmark::DoNotOptimize(region.design().Query(region.Page(i)));
    });
  });
}

template <typename Design>
void Map(benchmark::State& state) {
  Region<Design> region(state);
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    timer.TimeEach(kPages,
                   [&](uint64_t i) { region.design().Map(region.Page(i), region.NewFrame()); });
    region.Empty();
  });
}

template <typename Design>
void Protect(benchmark::State& state) {
  Region<Design> region(state);
  region.Fill();
  Right right = Right::kWrite;
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    right = right == Right::kWrite ? Right::kRead : Right::kWrite;
    timer.TimeEach(kPages, [&](uint64_t i) { region.design().Protect(region.Page(i), right); });
  });
}

template <typename Design>
void Unmap(benchmark::State& state) {
  Region<Design> region(state);
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    region.Fill();
    timer.TimeEach(kPages,
                   [&](uint64_t i) { region.Release(region.design().Unmap(region.Page(i))); });
  });
}

template <typename Design>
void MapAll(benchmark::State& state) {
  Region<Design> region(state);
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    timer.Time([&] { region.Fill(); });
    region.Empty();
  });
}

template <typename Design>
void UnmapAll(benchmark::State& state) {
  Region<Design> region(state);
  MeasureChunks(state, kPages, [&](ChunkTimer& timer) {
    region.Fill();
    timer.Time([&] { region.Empty(); });
  });
}

void Add(Suite& suite, const char* design, const char* operation, CaseFunction run) {
  suite.Group(operation);
  suite.AddReference(absl::StrCat(design, "/", operation), run, {1, 2});
}

template <typename Design>
void AddDesign(Suite& suite, const char* name) {
  if constexpr (requires(Design design) { design.Query(0); }) {
    Add(suite, name, "query", Query<Design>);
  }
  Add(suite, name, "map", Map<Design>);
  Add(suite, name, "protect", Protect<Design>);
  Add(suite, name, "unmap", Unmap<Design>);
  Add(suite, name, "map_512", MapAll<Design>);
  Add(suite, name, "unmap_512", UnmapAll<Design>);
}

}  // namespace

void AddBaselineCases(Suite& suite) {
  AddDesign<MutexTable>(suite, kMutexTable);
  AddDesign<HandOverHand>(suite, kHandOverHand);
  AddDesign<BtreeMap>(suite, kBtreeMap);
  AddDesign<LinuxMemory>(suite, kLinux);
}

}  // namespace paddock::bench
