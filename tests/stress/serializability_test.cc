// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/oracle/serializability.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/core/spec/property_edit.h"
#include "paddock/tests/support/random_seed.h"

namespace paddock {
namespace {

using testing::HasSubstr;

VirtRange Pages(uint64_t first, uint64_t pages) {
  return {VirtAddr(first * kPageSize), VirtAddr((first + pages) * kPageSize)};
}
VirtAddr Page(uint64_t number) { return VirtAddr(number * kPageSize); }
PhysAddr Frame(uint64_t number) { return PhysAddr(number * kPageSize); }

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// One transaction with the time [lock, unlock] over `range`, its operations logged by `operations`.
template <typename Operations>
void Log(TransactionLog& log, VirtRange range, uint64_t lock, uint64_t unlock,
         Operations operations, uint32_t space = 1) {
  log.Begin(space, /*cpu=*/log.thread(), range, lock);
  operations(log);
  log.End(unlock);
}

class SerializabilityTest : public testing::Test {
 protected:
  void CheckRound() {
    TransactionLog* logs[] = {&a_, &b_};
    checker_.CheckRound(logs);
  }
  std::string OnlyMessage() {
    const std::vector<Violation> violations = sink_.violations();
    EXPECT_EQ(violations.size(), 1u);
    return violations.empty() ? "" : violations[0].message;
  }

  ViolationSink sink_{"./paddock stress --seed=1"};
  SerializabilityChecker checker_{sink_};
  TransactionLog a_{0};
  TransactionLog b_{1};
};

// A table that is right by construction, and logs what it does.
class LockedTable {
 public:
  void Transaction(TransactionLog& log, uint32_t space, std::mt19937_64& random) {
    const uint64_t first = random() % 64;
    const VirtRange range = Pages(first, 1 + random() % 16);
    const std::lock_guard<std::mutex> lock(mutex_);
    log.Begin(space, log.thread(), range, NowNs());
    for (int i = 0; i < 4; ++i) Operation(log, range, random);
    log.End(NowNs());
  }

  const AbstractTable& table() const { return table_; }

 private:
  // As hardware leaves it.
  static PageProperty Used(PageProperty property) {
    property.flags |= PageFlags::kAccessed | PageFlags::kDirty;
    return property;
  }
  void Operation(TransactionLog& log, VirtRange range, std::mt19937_64& random) {
    const uint64_t pages = range.size() / kPageSize;
    const uint64_t skip = random() % pages;
    const VirtRange part{range.start.Plus(skip * kPageSize), range.end};
    switch (random() % 7) {
      case 0: {
        const PhysAddr frame = Frame(random() % 1000);
        table_.Map(part, frame, kReadWriteUser);
        return log.Map(part, frame, kReadWriteUser);
      }
      case 1:
        return log.Unmap(part, table_.Unmap(part));
      case 2: {
        const PropertyEdit edit{.clear = PageFlags::kWrite,
                                .software_set = static_cast<uint8_t>(random() % 4)};
        return log.Protect(part, edit, table_.Protect(part, edit));
      }
      case 3: {
        const std::optional<MappedRun> run = table_.Query(part.start);
        const VirtRange slot{part.start, part.start.Plus(kPageSize)};
        if (!run) return log.QueryAbsent(part.start, slot);
        return log.QueryMapped(part.start, slot, run->frame, Used(run->property));
      }
      case 4:
        return log.FindNext(part, table_.FindNext(part));
      case 5: {
        const std::optional<MappedRun> run = table_.TakeNext(part);
        if (!run) return log.FoundNothing(LoggedKind::kTakeNext, part);
        const uint64_t taken = run->range.size() / kPageSize;
        return log.TakeItem(part, run->range, taken, run->frame, taken, Used(run->property));
      }
      default: {
        const PropertyEdit edit{.set = PageFlags::kExecute};
        const std::optional<MappedRun> run = table_.NextRun(part);
        if (!run) return log.FoundNothing(LoggedKind::kProtectNext, part);
        table_.Protect(run->range, edit);
        return log.ProtectNext(part, run->range, Used(run->property), edit);
      }
    }
  }

  std::mutex mutex_;
  AbstractTable table_;
};

TEST_F(SerializabilityTest, AcceptsACorrectConcurrentHistoryOverSeveralRounds) {
  constexpr int kThreads = 4;
  constexpr int kTransactions = 500;
  constexpr int kRounds = 3;
  const uint64_t seed = TestSeed();
  LockedTable tables[2];
  std::vector<std::unique_ptr<TransactionLog>> logs;
  std::vector<TransactionLog*> pointers;
  for (uint32_t i = 0; i < kThreads; ++i) {
    logs.push_back(std::make_unique<TransactionLog>(i));
    pointers.push_back(logs.back().get());
  }
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937_64 random(seed + 100 * round + i);
        for (int t = 0; t < kTransactions; ++t) {
          const uint32_t space = random() % 2;
          tables[space].Transaction(*logs[i], space, random);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    checker_.CheckRound(pointers);
    for (uint32_t space : {0, 1}) checker_.CheckFinalView(space, tables[space].table());
  }
  for (const Violation& violation : sink_.violations()) ADD_FAILURE() << violation.message;
  EXPECT_EQ(checker_.transactions(), uint64_t{kRounds * kThreads * kTransactions});
  EXPECT_GE(checker_.checks(), uint64_t{kRounds * kThreads * kTransactions * 5});
  EXPECT_TRUE(checker_.result().Passed());
}

TEST_F(SerializabilityTest, AcceptsDisjointRangesAndOtherSpacesAtTheSameTime) {
  Log(a_, Pages(0, 4), 10, 50, [](auto& log) { log.Map(Pages(0, 1), Frame(1), kReadUser); });
  Log(b_, Pages(4, 4), 20, 40, [](auto& log) { log.Unmap(Pages(4, 4), 0); });
  Log(b_, Pages(0, 4), 41, 45, [](auto& log) { log.Unmap(Pages(0, 4), 0); }, /*space=*/2);
  CheckRound();
  EXPECT_EQ(sink_.count(), 0u);
}

TEST_F(SerializabilityTest, AcceptsACursorThatOpensAtTheInstantAnotherCloses) {
  Log(b_, Pages(0, 4), 20, 30, [](auto& log) { log.FindNext(Pages(0, 4), Page(2)); });
  Log(a_, Pages(2, 4), 10, 20, [](auto& log) { log.Map(Pages(2, 1), Frame(1), kReadUser); });
  CheckRound();
  EXPECT_EQ(sink_.count(), 0u);
}

TEST_F(SerializabilityTest, RejectsOverlappingCursorsThatCoexist) {
  Log(a_, Pages(0, 4), 10, 50, [](auto&) {});
  Log(b_, Pages(3, 4), 49, 60, [](auto&) {});
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("two overlapping cursors of space 1 were open at once"));
  EXPECT_THAT(OnlyMessage(), HasSubstr("thread 0 cpu 0 cursor [0x0, 0x4000) held from 10 to 50"));
  EXPECT_THAT(OnlyMessage(),
              HasSubstr("thread 1 cpu 1 cursor [0x3000, 0x7000) held from 49 to 60"));
  EXPECT_EQ(sink_.violations()[0].reproduce, "./paddock stress --seed=1");
}

TEST_F(SerializabilityTest, FindsACoexistingCursorBehindShorterOnes) {
  Log(a_, Pages(0, 100), 10, 90, [](auto&) {});
  Log(b_, Pages(200, 1), 20, 30, [](auto&) {});
  Log(b_, Pages(99, 1), 40, 50, [](auto&) {});
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("at once"));
}

TEST_F(SerializabilityTest, RejectsAClockThatGoesBackwards) {
  Log(a_, Pages(0, 4), 50, 10, [](auto&) {});
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("the clock went backwards"));
}

TEST_F(SerializabilityTest, RejectsAStaleQueryAndNamesTheLastWriter) {
  Log(a_, Pages(0, 4), 10, 20, [](auto& log) { log.Map(Pages(1, 1), Frame(7), kReadUser); });
  Log(a_, Pages(0, 4), 30, 40, [](auto& log) { log.Map(Pages(1, 1), Frame(8), kReadUser); });
  Log(a_, Pages(0, 1), 41, 42, [](auto& log) { log.Map(Pages(0, 1), Frame(3), kReadUser); });
  Log(b_, Pages(1, 1), 50, 60,
      [](auto& log) { log.QueryMapped(Page(1), Pages(1, 1), Frame(7), kReadUser); });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("query 0x1000 saw slot [0x1000, 0x2000) at frame 0x7000"));
  EXPECT_THAT(OnlyMessage(), HasSubstr("expected frame 0x8000"));
  EXPECT_THAT(OnlyMessage(),
              HasSubstr("thread 1 cpu 1 cursor [0x1000, 0x2000) held from 50 to 60"));
  EXPECT_THAT(OnlyMessage(), HasSubstr("thread 0 cpu 0 cursor [0x0, 0x4000) held from 30 to 40 ns, "
                                       "map [0x1000, 0x2000) to 0x8000"));
}

TEST_F(SerializabilityTest, RejectsALostUnmap) {
  Log(a_, Pages(0, 8), 10, 20, [](auto& log) { log.Map(Pages(0, 8), Frame(0), kReadUser); });
  Log(b_, Pages(0, 8), 30, 40, [](auto& log) { log.Unmap(Pages(2, 2), 2); });
  CheckRound();
  EXPECT_EQ(sink_.count(), 0u);
  // In a later round, so that the model has to remember.
  Log(a_, Pages(2, 2), 50, 60, [](auto& log) { log.FindNext(Pages(2, 2), Page(2)); });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("found 0x2000, but after all earlier cursors: the first "
                                       "mapped address is none"));
  EXPECT_THAT(OnlyMessage(), HasSubstr("nobody wrote there in this round"));
}

TEST_F(SerializabilityTest, RejectsAWrongNumberOfRemovedPages) {
  Log(a_, Pages(0, 8), 10, 20, [](auto& log) {
    log.Map(Pages(0, 3), Frame(0), kReadUser);
    log.Unmap(Pages(0, 8), 2);
  });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("removed 2 pages, but after all earlier cursors: 3 pages"));
  EXPECT_THAT(OnlyMessage(), HasSubstr("operation 2 of 2"));
}

TEST_F(SerializabilityTest, RejectsAProtectionThatWasLost) {
  Log(a_, Pages(0, 8), 10, 20, [](auto& log) {
    log.Map(Pages(0, 4), Frame(0), kReadWriteUser);
    log.Protect(Pages(0, 4), PropertyEdit{.clear = PageFlags::kWrite}, 4);
    log.QueryMapped(Page(0), Pages(0, 4), Frame(0), kReadWriteUser);
  });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("expected frame 0x0 r--u---"));
}

TEST_F(SerializabilityTest, RejectsAWrongNumberOfProtectedPages) {
  Log(a_, Pages(0, 8), 10, 20, [](auto& log) {
    log.Map(Pages(0, 3), Frame(0), kReadUser);
    log.Protect(Pages(0, 8), PropertyEdit{.set = PageFlags::kWrite}, 2);
  });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("changed 2 pages, but after all earlier cursors: 3 pages"));
}

TEST_F(SerializabilityTest, RejectsTakingWhatIsNotFirstOrWithTheWrongCount) {
  Log(a_, Pages(0, 16), 10, 20, [](auto& log) {
    log.Map(Pages(2, 1), Frame(0), kReadUser);
    log.Map(Pages(8, 2), Frame(9), kReadUser);
    log.TakeTable(Pages(0, 16), Pages(8, 2), 2);
    log.TakeTable(Pages(0, 16), Pages(0, 4), 3);
    log.TakeTable(Pages(0, 16), Pages(0, 1), 0);
  });
  CheckRound();
  const std::vector<Violation> violations = sink_.violations();
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_THAT(violations[0].message, HasSubstr("the first mapped address is 0x2000"));
  EXPECT_THAT(violations[1].message, HasSubstr("1 pages were mapped there"));
  EXPECT_THAT(violations[2].message, HasSubstr("the first mapped address is none"));
}

TEST_F(SerializabilityTest, RejectsTakingMoreThanWasSearched) {
  Log(a_, Pages(0, 16), 10, 20, [](auto& log) {
    log.Map(Pages(2, 4), Frame(0), kReadUser);
    log.TakeItem(Pages(0, 4), Pages(2, 4), 4, Frame(0), 4, kReadUser);
  });
  CheckRound();
  EXPECT_THAT(OnlyMessage(), HasSubstr("the first mapped address is 0x2000"));
}

TEST_F(SerializabilityTest, ComparesTheItemThatWasTaken) {
  Log(a_, Pages(0, 16), 10, 20, [](auto& log) {
    log.Map(Pages(0, 8), Frame(16), kReadWriteUser);
    PageProperty used = kReadWriteUser;
    used.flags |= PageFlags::kAccessed | PageFlags::kDirty;
    log.TakeItem(Pages(0, 16), Pages(0, 2), 2, Frame(16), 2, used);            // right
    log.TakeItem(Pages(2, 14), Pages(2, 2), 2, Frame(99), 2, kReadWriteUser);  // another frame
    log.TakeItem(Pages(4, 12), Pages(4, 2), 2, Frame(20), 2, kReadUser);       // another property
    log.TakeItem(Pages(6, 10), Pages(6, 2), 2, Frame(22), 1, kReadWriteUser);  // another size
  });
  CheckRound();
  const std::vector<Violation> violations = sink_.violations();
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_THAT(violations[0].message, HasSubstr("an item of 2 pages at 0x63000"));
  EXPECT_THAT(violations[0].message, HasSubstr("expected frame 0x12000"));
  EXPECT_THAT(violations[1].message, HasSubstr("expected frame 0x14000 rw-u"));
  EXPECT_THAT(violations[2].message, HasSubstr("the item has 1 pages"));
}

TEST_F(SerializabilityTest, RejectsProtectingAHole) {
  Log(a_, Pages(0, 16), 10, 20, [](auto& log) {
    log.Map(Pages(2, 1), Frame(0), kReadUser);
    log.ProtectNext(Pages(0, 16), Pages(2, 2), kReadUser, PropertyEdit{});
    log.FoundNothing(LoggedKind::kProtectNext, Pages(0, 16));
    log.ProtectNext(Pages(0, 2), Pages(2, 1), kReadUser, PropertyEdit{});
  });
  CheckRound();
  const std::vector<Violation> violations = sink_.violations();
  ASSERT_EQ(violations.size(), 3u);
  EXPECT_THAT(violations[0].message, HasSubstr("only 1 pages were mapped there"));
  EXPECT_THAT(violations[1].message, HasSubstr("changed nothing"));
  EXPECT_THAT(violations[2].message, HasSubstr("the first mapped address is none"));
}

TEST_F(SerializabilityTest, ComparesThePropertyBeforeAProtection) {
  const PropertyEdit edit{.clear = PageFlags::kWrite};
  Log(a_, Pages(0, 16), 10, 20, [&](auto& log) {
    log.Map(Pages(0, 2), Frame(16), kReadWriteUser);
    PageProperty used = kReadWriteUser;
    used.flags |= PageFlags::kAccessed;
    log.ProtectNext(Pages(0, 16), Pages(0, 1), used, edit);                 // right
    log.ProtectNext(Pages(0, 16), Pages(0, 1), kReadWriteUser, edit);       // it is r--u now
    log.ProtectNext(Pages(1, 15), Pages(1, 1), kReadExecuteUser, edit);     // it never was
    log.ProtectNext(Pages(1, 15), Pages(1, 1), kReadUser, PropertyEdit{});  // right again
  });
  CheckRound();
  const std::vector<Violation> violations = sink_.violations();
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_THAT(violations[0].message, HasSubstr("there was frame 0x10000 r--u"));
  EXPECT_THAT(violations[1].message, HasSubstr("there was frame 0x11000 rw-u"));
}

TEST_F(SerializabilityTest, AHugeSlotIsJudgedOnlyWhereTheCursorHoldsIt) {
  Log(a_, Pages(0, 512), 10, 20, [](auto& log) { log.Map(Pages(0, 512), Frame(512), kReadUser); });
  Log(a_, Pages(0, 1), 30, 40, [](auto& log) { log.Unmap(Pages(0, 1), 1); });
  Log(b_, Pages(5, 2), 50, 60,
      [](auto& log) { log.QueryMapped(Page(5), Pages(0, 512), Frame(512), kReadUser); });
  Log(b_, Pages(0, 1), 70, 80, [](auto& log) { log.QueryAbsent(Page(0), Pages(0, 512)); });
  CheckRound();
  EXPECT_EQ(sink_.count(), 0u);
}

TEST_F(SerializabilityTest, TheViewAtRestMustBeTheReplayedOne) {
  Log(a_, Pages(0, 8), 10, 20, [](auto& log) { log.Map(Pages(0, 8), Frame(0), kReadUser); });
  CheckRound();
  checker_.CheckFinalView(1, AfterUnmap(checker_.model(1), Pages(7, 1)));
  EXPECT_THAT(OnlyMessage(),
              HasSubstr("space 1 at rest differs from its replayed history at 0x7000"));
  checker_.Forget(1);
  EXPECT_TRUE(checker_.model(1).empty());
}

TEST(TransactionLog, ClearingKeepsNothingButTheThread) {
  TransactionLog log(3);
  Log(log, Pages(0, 1), 1, 2, [](auto& l) { l.Unmap(Pages(0, 1), 0); });
  EXPECT_EQ(log.transaction_count(), 1u);
  EXPECT_EQ(log.operation_count(), 1u);
  log.Clear();
  EXPECT_EQ(log.transaction_count(), 0u);
  Log(log, Pages(0, 1), 3, 4, [](auto& l) { l.FindNext(Pages(0, 1), std::nullopt); });
  EXPECT_EQ(log.transaction(0).first_operation, 0u);
  EXPECT_EQ(log.operation(0).kind, LoggedKind::kFindNext);
  EXPECT_FALSE(log.operation(0).found);
}

}  // namespace
}  // namespace paddock
