// SPDX-License-Identifier: Apache-2.0
//
// Readers and writers of user memory, through every function of core/io/, under maps, unmaps and
// changes of permission of the same pages: a stream's own, which others read, and shared ones.

#include <algorithm>
#include <memory>
#include <vector>

#include "paddock/stress/memory_words.h"
#include "paddock/stress/workload/generators.h"
#include "paddock/stress/workload/steps.h"

namespace paddock {
namespace {

constexpr Region kShared{kIoSharedStart, kIoSharedPages};
constexpr uint64_t kWord = sizeof(uint64_t);

Region OwnOf(uint32_t stream) { return {kIoOwnStart + stream * kIoOwnBytes, kIoOwnPages}; }

class Io final : public Generator {
 public:
  explicit Io(const GeneratorArgs& args)
      : rng_(args.rng), streams_(args.streams), stream_(args.stream), own_(OwnOf(args.stream)) {}

  void Next(std::vector<Op>& ops) override {
    if (rng_.Chance(32)) space_ = static_cast<uint32_t>(rng_.Below(kIoSpaces));
    if (!began_) {
      began_ = true;
      return Remap(ops, own_.Pages(0, kIoOwnPages));
    }
    switch (rng_.Below(16)) {
      case 0:
        return Remap(ops, own_.Random(rng_, 3));
      case 1: {
        const VirtRange range = own_.Random(rng_, 2);
        Append(ops, OpenOp{.space = space_, .range = range, .intent = Intent::kNoMap}, QueryOp{},
               UnmapOp{range.size()}, CloseOp{});
        return;
      }
      case 2: {
        const VirtRange range = own_.Random(rng_, 3);
        Append(ops, OpenOp{.space = space_, .range = range, .intent = Intent::kNoMap},
               ProtectOp{range.size(), {.set = PageFlags::kWrite}});
        if (rng_.Chance(2)) {
          Append(ops, JumpOp{range.start}, ProtectOp{kPageSize, {.clear = PageFlags::kWrite}});
        }
        Append(ops, CloseOp{});
        return;
      }
      case 3:
      case 4:
        return ChangeShared(ops);
      case 5:
      case 6:
        for (int i = 0; i < 4; ++i) AppendShared(ops);
        return;
      case 7:
        // An access on which another space's translations would show.
        Append(ops, ActivateOp{space_ ^ 1});
        return;
      case 8:
      case 9:
      case 10:
        Append(ops, Random<WriteMemoryOp>(own_), Random<ReadMemoryOp>(own_));
        return;
      default:
        // Mostly what another one writes.
        for (int i = 0; i < 2; ++i) {
          const bool other = streams_ > 1 && !rng_.Chance(4);
          const uint64_t ahead = other ? 1 + rng_.Below(streams_ - 1) : 0;
          Append(ops,
                 Random<ReadMemoryOp>(OwnOf(static_cast<uint32_t>((stream_ + ahead) % streams_))));
        }
        return;
    }
  }

 private:
  // Fresh frames; one page in four stays away, one is read only.
  void Remap(std::vector<Op>& ops, VirtRange range) {
    Append(ops, OpenOp{.space = space_, .range = range, .wait = RandomWait(rng_)},
           UnmapOp{range.size()});
    for (VirtAddr at = range.start; at != range.end; at = at.Plus(kPageSize)) {
      const uint64_t draw = rng_.Below(8);
      if (draw < 2) continue;
      Append(
          ops, JumpOp{at},
          MapOp{.content = MapContent::kWords, .property = draw == 2 ? kReadUser : kReadWriteUser},
          JumpOp{at}, QueryOp{});
    }
    Append(ops, CloseOp{});
  }

  void ChangeShared(std::vector<Op>& ops) {
    const VirtRange range = kShared.Random(rng_, 2);
    switch (rng_.Below(4)) {
      case 0:
        return AppendUnmap(ops, rng_, space_, range);
      case 1:
        Append(ops, OpenOp{.space = space_, .range = range, .intent = Intent::kNoMap},
               ProtectOp{range.size(), RandomEdit(rng_)}, CloseOp{});
        return;
      default:
        Append(ops, OpenOp{.space = space_, .range = range, .wait = RandomWait(rng_)});
        for (uint64_t at = 0; at < range.size(); at += kPageSize) {
          Append(ops, MapOp{.content = MapContent::kWords});
        }
        Append(ops, CloseOp{});
        return;
    }
  }

  // A few words are written by all.
  void AppendShared(std::vector<Op>& ops) {
    const VirtAddr page = kShared.Page(rng_.Below(kIoSharedPages));
    const VirtAddr word = page.Plus(kWord * rng_.Between(1, 4));
    switch (rng_.Below(8)) {
      case 0: {
        const uint64_t words = rng_.Between(1, kIoLongest / kWord / 2);
        const uint64_t left = kIoSharedStart + kIoSharedPages * kPageSize - word.value();
        Append(ops, ReadMemoryOp{.space = space_,
                                 .va = word,
                                 .bytes = std::min(words * kWord, left),
                                 .way = rng_.Chance(2) ? IoWay::kCopy : IoWay::kCollect,
                                 .on_fault = RandomFault()});
        return;
      }
      case 1:
      case 2:
      case 3:
        Append(ops,
               WriteMemoryOp{
                   .space = space_, .va = word, .way = IoWay::kOnce, .on_fault = RandomFault()});
        return;
      default:
        Append(ops,
               ReadMemoryOp{
                   .space = space_, .va = word, .way = IoWay::kOnce, .on_fault = RandomFault()});
        return;
    }
  }

  // Anywhere in the region, in any of the ways.
  template <typename MemoryOp>
  MemoryOp Random(Region region) {
    MemoryOp op{.space = space_, .va = VirtAddr(region.start), .on_fault = RandomFault()};
    op.way = static_cast<IoWay>(rng_.Below(6));
    const uint64_t all = region.pages * kPageSize;
    uint64_t at = rng_.Below(all - kPageSize);
    if (op.way == IoWay::kOnce) {
      op.bytes = uint64_t{1} << rng_.Below(4);
      at = at / op.bytes * op.bytes;
      // The stamp at the start of a page is written as a whole.
      if (at % kPageSize < kWord) at += kWord;
    } else if (op.way == IoWay::kValue) {
      op.bytes = sizeof(IoValue);
    } else if (op.way == IoWay::kCollect && std::same_as<MemoryOp, WriteMemoryOp>) {
      // Fill repeats a word, so it keeps away from stamps.
      at = at / kWord * kWord;
      if (at % kPageSize == 0) at += kWord;
      op.bytes = kWord * rng_.Between(1, (kPageSize - at % kPageSize) / kWord);
    } else {
      op.bytes = rng_.Between(1, std::min(rng_.Chance(4) ? kIoLongest : 256, all - at));
    }
    op.va = VirtAddr(region.start + at);
    return op;
  }

  OnFault RandomFault() {
    const bool maps = space_ == kIoHandlerSpace && rng_.Chance(2);
    return maps ? OnFault::kMap : OnFault::kEnd;
  }

  StreamRng rng_;
  const uint32_t streams_;
  const uint32_t stream_;
  const Region own_;
  uint32_t space_ = 0;
  bool began_ = false;
};

}  // namespace

std::unique_ptr<Generator> MakeIo(const GeneratorArgs& args) { return std::make_unique<Io>(args); }

}  // namespace paddock
