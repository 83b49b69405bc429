// SPDX-License-Identifier: Apache-2.0
//
// What a stream does with user memory is judged: each way of reading and writing, and each thing
// that may go wrong.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/core/io/memory_io.h"
#include "paddock/core/space/user_io.h"
#include "paddock/stress/inject/memory_tamper.h"
#include "paddock/stress/memory_words.h"
#include "paddock/tests/stress/harness/one_stream.h"

namespace paddock {
namespace {

using testing::HasSubstr;

constexpr VirtAddr kOwn(kIoOwnStart);
constexpr VirtAddr kShared(kIoSharedStart);

VirtRange Pages(VirtAddr start, uint64_t pages) {
  return VirtRange{start, start.Plus(pages * kPageSize)};
}

// Maps the first `pages` pages from `start` on.
std::vector<Op> MapWords(VirtAddr start, uint64_t pages, uint32_t space = 0) {
  std::vector<Op> ops = {OpenOp{.space = space, .range = Pages(start, pages)}};
  for (uint64_t i = 0; i < pages; ++i) ops.emplace_back(MapOp{.content = MapContent::kWords});
  ops.emplace_back(CloseOp{});
  return ops;
}

class Tamper final : public MemoryTamper {
 public:
  using Damage = std::function<void(const UserIo&, uint64_t va, uint64_t bytes)>;
  explicit Tamper(Damage damage) : damage_(std::move(damage)) {}
  void AfterWrite(VmSpace& space, const CpuPin& pin, VirtAddr va, uint64_t bytes) override {
    damage_(UserIo(space, pin), va.value(), bytes);
  }

 private:
  const Damage damage_;
};

World::Options WithIo(MemoryTamper* tamper = nullptr) {
  return {.io_spaces = kIoSpaces, .tamper = tamper};
}

TEST(MemoryActor, EveryWayOfWritingIsFoundByEveryWayOfReading) {
  for (uint32_t space = 0; space < kIoSpaces; ++space) {
    OneStream one(WithIo());
    one.Run(MapWords(kOwn, 3, space));
    const auto bytes = [](IoWay way) { return way == IoWay::kValue ? sizeof(IoValue) : 8; };
    for (int write = 0; write < 6; ++write) {
      for (int read = 0; read < 6; ++read) {
        const VirtAddr va = kOwn.Plus(0x1ff8);
        const auto writing = static_cast<IoWay>(write);
        const auto reading = static_cast<IoWay>(read);
        one.Run({WriteMemoryOp{.space = space, .va = va, .bytes = bytes(writing), .way = writing},
                 ReadMemoryOp{.space = space, .va = va, .bytes = bytes(reading), .way = reading}});
      }
    }
    EXPECT_EQ(one.stats().ordered_reads, 36u);
    EXPECT_EQ(one.stats().faults, 0u);
    one.Close();
    EXPECT_EQ(one.Violations(), "");
  }
}

TEST(MemoryActor, AccessesEndWhereThePagesEnd) {
  OneStream one(WithIo());
  one.Run(MapWords(kOwn, 2));
  one.Run({OpenOp{.range = Pages(kOwn.Plus(kPageSize), 1), .intent = Intent::kNoMap},
           ProtectOp{kPageSize, {.clear = PageFlags::kWrite}}, CloseOp{}});
  const VirtAddr va = kOwn.Plus(0xf00);
  for (const IoWay way : {IoWay::kCopy, IoWay::kBytes, IoWay::kPair}) {
    one.Run({WriteMemoryOp{.va = va, .bytes = 0x200, .way = way},
             ReadMemoryOp{.va = va, .bytes = 0x2000, .way = way}});
  }
  EXPECT_EQ(one.stats().faults, 6u);
  EXPECT_EQ(one.stats().ordered_reads, 3u);
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(MemoryActor, APageFaultThatMapsLetsTheAccessGoOn) {
  OneStream one(WithIo());
  one.Run({WriteMemoryOp{.va = kOwn.Plus(8), .bytes = 0x2000, .on_fault = OnFault::kMap},
           ReadMemoryOp{.va = kOwn, .bytes = 0x3000, .on_fault = OnFault::kMap},
           ReadMemoryOp{.va = kShared.Plus(8), .way = IoWay::kOnce, .on_fault = OnFault::kMap}});
  EXPECT_EQ(one.stats().resolved, 4u);
  EXPECT_EQ(one.stats().faults, 0u);
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(MemoryActor, AFreshFrameHoldsWhatItWasFilledWith) {
  OneStream one(WithIo());
  one.Run(MapWords(kOwn, 1));
  one.Run({WriteMemoryOp{.va = kOwn, .bytes = kPageSize}});
  one.Run(MapWords(kOwn, 1));
  one.Run({ReadMemoryOp{.va = kOwn, .bytes = kPageSize},
           OpenOp{.range = Pages(kOwn, 2), .intent = Intent::kNoMap}, QueryOp{}, UnmapOp{kPageSize},
           CloseOp{}, ReadMemoryOp{.va = kOwn}});
  EXPECT_EQ(one.stats().faults, 1u);
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

TEST(MemoryActor, ALostWriteIsSeenByAReadAndUnderACursor) {
  Tamper loses([](const UserIo& io, uint64_t va, uint64_t bytes) {
    ASSERT_TRUE(io.WriteVal<uint8_t>(va + bytes - 1, 0xa5).ok());
  });
  OneStream one(WithIo(&loses));
  one.Run(MapWords(kOwn, 1));
  one.Run({WriteMemoryOp{.va = kOwn.Plus(0x100), .bytes = 0x80}});
  EXPECT_EQ(one.oracles().sink.count(), 0u) << "nobody has looked yet";
  one.Run({ReadMemoryOp{.va = kOwn.Plus(0x17f), .bytes = 1, .way = IoWay::kOnce}});
  EXPECT_THAT(one.Violations(), HasSubstr("memory: cpu 0: a read at 0x9000000017f of space 1 found "
                                          "other bytes than the last ordered writer left"));
  const uint64_t before = one.oracles().sink.count(kMemoryOracle);
  one.Run({OpenOp{.range = Pages(kOwn, 1), .intent = Intent::kNoMap}, QueryOp{}, CloseOp{}});
  EXPECT_EQ(one.oracles().sink.count(kMemoryOracle), before + 1);
  EXPECT_THAT(one.Violations(), HasSubstr("a frame under a cursor at 0x90000000000"));
}

TEST(MemoryActor, AWriteBehindItsEndIsSeen) {
  Tamper spills([](const UserIo& io, uint64_t va, uint64_t bytes) {
    ASSERT_TRUE(io.WriteVal<uint8_t>(va + bytes, 0xa5).ok());
  });
  OneStream one(WithIo(&spills));
  one.Run(MapWords(kOwn, 1));
  one.Run({WriteMemoryOp{.va = kOwn.Plus(0x100), .bytes = 0x80},
           ReadMemoryOp{.va = kOwn, .bytes = kPageSize}});
  EXPECT_THAT(one.Violations(), HasSubstr("byte 384 of 4096 is the first, at 0x90000000180"));
}

TEST(MemoryActor, ATornWordOfSharedMemoryIsSeen) {
  Tamper tears([](const UserIo& io, uint64_t va, uint64_t) {
    ASSERT_TRUE(io.WriteOnce<uint32_t>(va, 0).ok());
  });
  OneStream one(WithIo(&tears));
  one.Run(MapWords(kShared, 1));
  const VirtAddr va = kShared.Plus(16);
  one.Run({ReadMemoryOp{.va = va, .way = IoWay::kOnce}});
  EXPECT_EQ(one.Violations(), "");
  one.Run(
      {WriteMemoryOp{.va = va, .way = IoWay::kOnce}, ReadMemoryOp{.va = va, .way = IoWay::kOnce}});
  EXPECT_THAT(one.Violations(), HasSubstr("a read of a shared word at 0x98000000010 of space 1 "
                                          "found"));
  EXPECT_THAT(one.Violations(), HasSubstr("which nobody wrote"));
}

TEST(MemoryActor, AWordOfAnotherAddressIsSeenInACopyToo) {
  Tamper moves([](const UserIo& io, uint64_t va, uint64_t) {
    ASSERT_TRUE(io.WriteOnce<uint64_t>(va + 8, *io.ReadOnce<uint64_t>(va)).ok());
  });
  OneStream one(WithIo(&moves));
  one.Run(MapWords(kShared, 1));
  one.Run({WriteMemoryOp{.va = kShared.Plus(16), .way = IoWay::kOnce},
           ReadMemoryOp{.va = kShared, .bytes = 64}});
  EXPECT_THAT(one.Violations(), HasSubstr("a read of a shared word at 0x98000000018"));
  EXPECT_THAT(one.Violations(), HasSubstr("which is of another address"));
}

TEST(MemoryActor, AWordThatWasNeverWrittenIsSeenThoughItLooksRight) {
  Tamper invents([](const UserIo& io, uint64_t va, uint64_t) {
    const uint64_t word = MakeWord(1, VirtAddr(va), {.writer = 1, .sequence = 40});
    ASSERT_TRUE(io.WriteOnce<uint64_t>(va, word).ok());
  });
  OneStream one(WithIo(&invents));
  one.Run(MapWords(kShared, 1));
  one.Run({WriteMemoryOp{.va = kShared.Plus(16), .way = IoWay::kOnce},
           ReadMemoryOp{.va = kShared.Plus(16), .way = IoWay::kOnce}});
  EXPECT_THAT(one.Violations(),
              HasSubstr("found write 40 of stream 1, which has not done so many"));
}

// The pages of another stream, which changes them while a read of them is under way.
class ChangesDuringRead final : public ViewRegistry {
 public:
  using Change = std::function<void()>;

  explicit ChangesDuringRead(OneStream& one) : one_(one) {
    one.Run(MapWords(kOther, 1));
    const SpaceRef& space = one.stream().Space(0);
    own_ = one.world().ground().Own(0, Pages(kOther, 1));
    {
      const RcuReadGuard guard(one.world().machine().rcu(), one.stream().pin());
      frame_ = space.space->Walk(guard, kOther)->address;
    }
    const std::span<const std::byte> content(one.world().machine().frames().Data(frame_),
                                             kPageSize);
    own_->BeginChange();
    own_->Mapped(0, PageRight::kWrite, content);
    own_->EndChange();
    space.space->SetViewRegistry(this);
  }

  static VirtAddr Page() { return kOther; }
  OwnPages& own() { return *own_; }
  // At `offset`, in memory only.
  void Store(uint64_t offset, uint8_t value) {
    const MemoryIo memory({one_.world().machine().frames().Data(frame_), kPageSize});
    ASSERT_TRUE(memory.WriteVal(offset, value).ok());
  }
  // The same, and says so.
  void Write(uint64_t offset, uint8_t value) {
    own_->BeginChange();
    Store(offset, value);
    own_->Wrote(offset, std::as_bytes(std::span(&value, 1)));
    own_->EndChange();
  }
  void Set(Change change) { change_ = std::move(change); }

  absl::StatusOr<uint64_t> BeginView(VirtRange, ViewKind) override {
    if (change_) change_();
    return 0;
  }
  void EndView(uint64_t) override {}

 private:
  static constexpr VirtAddr kOther{kIoOwnStart + kIoOwnBytes};

  OneStream& one_;
  OwnPages* own_ = nullptr;
  PhysAddr frame_;
  Change change_;
};

TEST(MemoryActor, AReadBesideOneWriteGivesOldAndNewBytes) {
  OneStream one(WithIo());
  ChangesDuringRead other(one);
  other.Set([&] { other.Write(100, 0x77); });
  one.Run({ReadMemoryOp{.va = other.Page(), .bytes = kPageSize}});
  EXPECT_EQ(one.stats().concurrent_reads, 1u);
  EXPECT_EQ(one.stats().ordered_reads, 0u);
  other.Set(nullptr);
  one.Run({ReadMemoryOp{.va = other.Page(), .bytes = kPageSize}});
  EXPECT_EQ(one.stats().ordered_reads, 1u) << "the write is over";
  EXPECT_EQ(one.Violations(), "");
}

TEST(MemoryActor, AReadBesideOneWriteThatGivesAnythingElseIsSeen) {
  OneStream one(WithIo());
  ChangesDuringRead other(one);
  other.Set([&] {
    other.Write(100, 0x77);
    other.Store(200, 0x5a);
    other.Store(201, 0xa5);
  });
  one.Run({ReadMemoryOp{.va = other.Page(), .bytes = kPageSize}});
  EXPECT_THAT(one.Violations(),
              HasSubstr("neither what stood there nor what was being written: byte 20"));
}

TEST(MemoryActor, AReadDuringWhichNothingChangedMustNotSeeWhatNobodyWrote) {
  OneStream one(WithIo());
  ChangesDuringRead other(one);
  other.Set([&] { other.Store(200, 0x5a); });
  one.Run({ReadMemoryOp{.va = other.Page(), .bytes = kPageSize}});
  EXPECT_EQ(one.stats().ordered_reads, 1u);
  EXPECT_THAT(one.Violations(), HasSubstr("byte 200 of 4096 is the first"));
}

TEST(MemoryActor, AReadDuringAChangeIsNotJudgedByItsBytes) {
  OneStream one(WithIo());
  ChangesDuringRead other(one);
  other.own().BeginChange();
  other.Store(200, 0x5a);
  one.Run({ReadMemoryOp{.va = other.Page(), .bytes = kPageSize}});
  EXPECT_EQ(one.stats().ordered_reads + one.stats().concurrent_reads, 0u);
  EXPECT_EQ(one.Violations(), "");
}

TEST(MemoryActor, BeingRefusedIsAnAnswerWhereViewsAreEnforced) {
  OneStream one(WithIo());
  one.Run(MapWords(kOwn, 1, kIoViewSpace));
  one.Run({ReadMemoryOp{.space = kIoViewSpace, .va = kOwn}});
  {
    const SpaceRef& space = one.stream().Space(kIoViewSpace);
    const auto reader = space.space->Reader(one.stream().pin(), kOwn, kPageSize);
    ASSERT_TRUE(reader.ok()) << reader.status();
    one.Run({WriteMemoryOp{.space = kIoViewSpace, .va = kOwn.Plus(8)},
             ReadMemoryOp{.space = kIoViewSpace, .va = kOwn}});
  }
  EXPECT_EQ(one.stats().refused_views, 1u);
  EXPECT_EQ(one.stats().ordered_reads, 2u);
  one.Close();
  EXPECT_EQ(one.Violations(), "");
}

}  // namespace
}  // namespace paddock
