// SPDX-License-Identifier: Apache-2.0
//
// What the model lets threads read, against what C++20 allows: what is forbidden is never seen, and
// what the model promises to produce is seen. The shapes are the usual ones (J. Alglave, L.
// Maranget, S. Sarkar, P. Sewell, "Litmus: running tests against hardware", TACAS 2011).

#include "paddock/tests/concurrency/model/litmus.h"

namespace paddock {
namespace {

using sync::Atomic;
using sync::Thread;

std::string OrderNames(sync::Order store, sync::Order load) {
  return std::string(model::OrderName(store)) + " / " + model::OrderName(load);
}

template <class Test>
void ForEachOrder(Test test) {
  for (const sync::Order store : kStoreOrders) {
    for (const sync::Order load : kLoadOrders) {
      SCOPED_TRACE(OrderNames(store, load));
      test(store, load);
    }
  }
}

// What the threads of one test share, and the registers that they load into.
struct Cells {
  Atomic<int> x{0};
  Atomic<int> y{0};
  Atomic<int> z{0};
  int a = -1;
  int b = -1;
  int c = -1;
  int d = -1;
};

// All outcomes of one thread for each of `bodies`; `registers` is asked when they have ended.
template <class Result, class... Bodies>
Outcomes OutcomesOf(Result registers, Bodies... bodies) {
  return AllOutcomes([=] {
    Cells cells;
    {
      const Thread threads[] = {Thread([&cells, bodies] { bodies(cells); })...};
    }
    return registers(cells);
  });
}

constexpr auto kAB = [](const Cells& m) { return Registers({m.a, m.b}); };
constexpr auto kABC = [](const Cells& m) { return Registers({m.a, m.b, m.c}); };

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = OutcomesOf(
        kAB,
        [=](Cells& m) {
          m.x.store(1, sync::relaxed);
          m.y.store(1, store);
        },
        [=](Cells& m) {
          m.a = m.y.load(load);
          m.b = m.x.load(sync::relaxed);
        });
    Outcomes expected = {"0 0", "0 1", "1 1"};
    if (!model::Releases(store) || !model::Acquires(load)) expected.insert("1 0");
    EXPECT_EQ(seen, expected);
  });
}

TEST(Litmus, StoreBufferingNeedsSequentialConsistencyOnAllFour) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = OutcomesOf(
        kAB,
        [=](Cells& m) {
          m.x.store(1, store);
          m.a = m.y.load(load);
        },
        [=](Cells& m) {
          m.y.store(1, store);
          m.b = m.x.load(load);
        });
    Outcomes expected = {"0 1", "1 0", "1 1"};
    if (store != sync::seq_cst || load != sync::seq_cst) expected.insert("0 0");
    EXPECT_EQ(seen, expected);
  });
}

// C++20 allows 1 1 for weak orders; the model executes in program order and never produces it.
TEST(Litmus, LoadBufferingIsNeverProduced) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = OutcomesOf(
        kAB,
        [=](Cells& m) {
          m.a = m.x.load(load);
          m.y.store(1, store);
        },
        [=](Cells& m) {
          m.b = m.y.load(load);
          m.x.store(1, store);
        });
    EXPECT_EQ(seen, (Outcomes{"0 0", "0 1", "1 0"}));
  });
}

// Two readers that disagree about the order of two independent writes.
TEST(Litmus, IndependentReadsAgreeOnlyIfAllAreSequentiallyConsistent) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = OutcomesOf([](const Cells& m) { return Registers({m.a, m.b, m.c, m.d}); },
                                     [=](Cells& m) { m.x.store(1, store); },  //
                                     [=](Cells& m) { m.y.store(1, store); },
                                     [=](Cells& m) {
                                       m.a = m.x.load(load);
                                       m.b = m.y.load(load);
                                     },
                                     [=](Cells& m) {
                                       m.c = m.y.load(load);
                                       m.d = m.x.load(load);
                                     });
    // With seq_cst loads alone the order is total already (C++20, [atomics.order] p4): each load
    // that reads the old value precedes the one that has read the new value.
    EXPECT_EQ(seen.contains("1 0 1 0"), load != sync::seq_cst);
    EXPECT_TRUE(seen.contains("1 1 1 1"));
  });
}

TEST(Litmus, ReadsOfOneLocationNeverGoBack) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = OutcomesOf(
        kAB,
        [=](Cells& m) {
          m.x.store(1, store);
          m.x.store(2, store);
        },
        [=](Cells& m) {
          m.a = m.x.load(load);
          m.b = m.x.load(load);
        });
    EXPECT_EQ(seen, (Outcomes{"0 0", "0 1", "0 2", "1 1", "1 2", "2 2"}));
  });
}

TEST(Litmus, AThreadReadsItsOwnStoreOrALaterOne) {
  const Outcomes seen =
      OutcomesOf([](const Cells& m) { return Registers({m.a, m.x.load(sync::relaxed)}); },
                 [](Cells& m) {
                   m.x.store(1, sync::relaxed);
                   m.a = m.x.load(sync::relaxed);
                 },
                 [](Cells& m) { m.x.store(2, sync::relaxed); });
  // 2 1 would read a store that its own one overwrites afterwards.
  EXPECT_EQ(seen, (Outcomes{"1 1", "1 2", "2 2"}));
}

// What one thread read binds those whom it tells.
TEST(Litmus, ReadsThatHappenBeforeBindLaterReads) {
  const Outcomes seen = OutcomesOf(
      kABC, [](Cells& m) { m.x.store(1, sync::relaxed); },
      [](Cells& m) {
        m.a = m.x.load(sync::relaxed);
        m.y.store(1, sync::release);
      },
      [](Cells& m) {
        m.b = m.y.load(sync::acquire);
        m.c = m.x.load(sync::relaxed);
      });
  EXPECT_FALSE(seen.contains("1 1 0"));
  EXPECT_TRUE(seen.contains("1 0 0"));
  EXPECT_TRUE(seen.contains("0 1 0"));
}

TEST(Litmus, CausalityIsTransitive) {
  const Outcomes seen = OutcomesOf(
      kABC,
      [](Cells& m) {
        m.x.store(1, sync::relaxed);
        m.y.store(1, sync::release);
      },
      [](Cells& m) {
        m.a = m.y.load(sync::acquire);
        m.z.store(1, sync::release);
      },
      [](Cells& m) {
        m.b = m.z.load(sync::acquire);
        m.c = m.x.load(sync::relaxed);
      });
  EXPECT_FALSE(seen.contains("1 1 0"));
  EXPECT_TRUE(seen.contains("1 1 1"));
  EXPECT_TRUE(seen.contains("0 1 0"));
}

TEST(Litmus, ReadModifyWritesContinueAReleaseSequence) {
  for (const sync::Order middle : {sync::relaxed, sync::acquire, sync::release, sync::seq_cst}) {
    const Outcomes seen = OutcomesOf(
        kAB,
        [](Cells& m) {
          m.x.store(1, sync::relaxed);
          m.y.store(1, sync::release);
        },
        [=](Cells& m) { m.y.fetch_add(1, middle); },
        [](Cells& m) {
          m.a = m.y.load(sync::acquire);
          m.b = m.x.load(sync::relaxed);
        });
    EXPECT_FALSE(seen.contains("2 0"));
    EXPECT_TRUE(seen.contains("2 1"));
  }
}

// Since C++20 a plain store ends the sequence, even one by the same thread.
TEST(Litmus, ARelaxedStoreEndsAReleaseSequence) {
  const Outcomes seen = OutcomesOf(
      kAB,
      [](Cells& m) {
        m.x.store(1, sync::relaxed);
        m.y.store(1, sync::release);
        m.y.store(2, sync::relaxed);
      },
      [](Cells& m) {
        m.a = m.y.load(sync::acquire);
        m.b = m.x.load(sync::relaxed);
      });
  EXPECT_FALSE(seen.contains("1 0"));
  EXPECT_TRUE(seen.contains("2 0"));
}

// C++20 allows 1 1 at the end for weak orders; the model's modification order is that of execution.
TEST(Litmus, TwoPlusTwoWritesAreNeverReversed) {
  ForEachOrder([](sync::Order store, sync::Order) {
    const Outcomes seen = OutcomesOf(
        [](const Cells& m) {
          return Registers({m.x.load(sync::relaxed), m.y.load(sync::relaxed)});
        },
        [=](Cells& m) {
          m.x.store(1, store);
          m.y.store(2, store);
        },
        [=](Cells& m) {
          m.y.store(1, store);
          m.x.store(2, store);
        });
    EXPECT_EQ(seen, (Outcomes{"1 2", "2 1", "2 2"}));
  });
}

// The shape R: a store against a store, then a load.
TEST(Litmus, AStoreThatWinsMayStillMissAnEarlierOneUnlessSequentiallyConsistent) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen =
        OutcomesOf([](const Cells& m) { return Registers({m.y.load(sync::relaxed), m.a}); },
                   [=](Cells& m) {
                     m.x.store(1, store);
                     m.y.store(1, store);
                   },
                   [=](Cells& m) {
                     m.y.store(2, store);
                     m.a = m.x.load(load);
                   });
    EXPECT_EQ(seen.contains("2 0"), store != sync::seq_cst || load != sync::seq_cst);
  });
}

TEST(Litmus, ReadModifyWritesReadTheNewestAndLoseNothing) {
  for (const sync::Order order : {sync::relaxed, sync::acq_rel, sync::seq_cst}) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      {
        const Thread first([&] { x.fetch_add(1, order); });
        const Thread second([&] { x.fetch_add(1, order); });
        const Thread third([&] {
          int expected = 0;
          while (!x.compare_exchange(expected, expected + 1, order, sync::relaxed)) {
          }
        });
      }
      return Registers({x.load(sync::relaxed)});
    });
    EXPECT_EQ(seen, Outcomes{"3"});
  }
}

// Reading the clock is no operation of its own: it belongs to the one before, here the start.
TEST(Litmus, AThreadMayStartBeforeOrAfterTheClockJumps) {
  const Outcomes seen = AllOutcomes([] {
    const uint64_t start_ns = sync::NowNs();
    int passed_ns = -1;
    {
      const Thread jumper([] { model::AdvanceTime(5); });
      const Thread reader([&] { passed_ns = static_cast<int>(sync::NowNs() - start_ns); });
    }
    return Registers({passed_ns});
  });
  EXPECT_EQ(seen, (Outcomes{"0", "5"}));
}

// Sleep sets leave out executions, never outcomes.
TEST(Litmus, SleepSetsReachTheSameOutcomesInFewerExecutions) {
  const auto test = [] {
    Atomic<int> x(0);
    Atomic<int> y(0);
    std::array<int, 3> r{};
    {
      const Thread first([&] {
        x.store(1, sync::release);
        r[0] = y.load(sync::seq_cst);
      });
      const Thread second([&] {
        y.store(1, sync::seq_cst);
        r[1] = x.load(sync::acquire);
      });
      const Thread third(
          [&] { r[2] = x.exchange(2, sync::acq_rel) + 3 * y.fetch_add(1, sync::relaxed); });
    }
    return Registers({r[0], r[1], r[2], x.load(sync::relaxed), y.load(sync::relaxed)});
  };
  uint64_t with = 0;
  uint64_t without = 0;
  const Outcomes reduced = AllOutcomes(test, model::DepthFirst::Reduction::kSleepSets, &with);
  const Outcomes all = AllOutcomes(test, model::DepthFirst::Reduction::kNone, &without);
  EXPECT_EQ(reduced, all);
  EXPECT_LT(with, without);
}

}  // namespace
}  // namespace paddock
