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

Outcomes MessagePassing(sync::Order store, sync::Order load) {
  return AllOutcomes([=] {
    Atomic<int> data(0);
    Atomic<int> flag(0);
    int seen_flag = -1;
    int seen_data = -1;
    {
      const Thread writer([&] {
        data.store(1, sync::relaxed);
        flag.store(1, store);
      });
      const Thread reader([&] {
        seen_flag = flag.load(load);
        seen_data = data.load(sync::relaxed);
      });
    }
    return Registers({seen_flag, seen_data});
  });
}

TEST(Litmus, MessagePassingNeedsReleaseAndAcquire) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    Outcomes expected = {"0 0", "0 1", "1 1"};
    if (!model::Releases(store) || !model::Acquires(load)) expected.insert("1 0");
    EXPECT_EQ(MessagePassing(store, load), expected);
  });
}

TEST(Litmus, StoreBufferingNeedsSequentialConsistencyOnAllFour) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      Atomic<int> y(0);
      int a = -1;
      int b = -1;
      {
        const Thread first([&] {
          x.store(1, store);
          a = y.load(load);
        });
        const Thread second([&] {
          y.store(1, store);
          b = x.load(load);
        });
      }
      return Registers({a, b});
    });
    Outcomes expected = {"0 1", "1 0", "1 1"};
    if (store != sync::seq_cst || load != sync::seq_cst) expected.insert("0 0");
    EXPECT_EQ(seen, expected);
  });
}

// C++20 allows 1 1 for weak orders; the model executes in program order and never produces it.
TEST(Litmus, LoadBufferingIsNeverProduced) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      Atomic<int> y(0);
      int a = -1;
      int b = -1;
      {
        const Thread first([&] {
          a = x.load(load);
          y.store(1, store);
        });
        const Thread second([&] {
          b = y.load(load);
          x.store(1, store);
        });
      }
      return Registers({a, b});
    });
    EXPECT_EQ(seen, (Outcomes{"0 0", "0 1", "1 0"}));
  });
}

// Two readers that disagree about the order of two independent writes.
TEST(Litmus, IndependentReadsAgreeOnlyIfAllAreSequentiallyConsistent) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      Atomic<int> y(0);
      std::array<int, 4> r{};
      {
        const Thread write_x([&] { x.store(1, store); });
        const Thread write_y([&] { y.store(1, store); });
        const Thread read_xy([&] {
          r[0] = x.load(load);
          r[1] = y.load(load);
        });
        const Thread read_yx([&] {
          r[2] = y.load(load);
          r[3] = x.load(load);
        });
      }
      return Registers({r[0], r[1], r[2], r[3]});
    });
    // With seq_cst loads alone the order is total already (C++20, [atomics.order] p4): each load
    // that reads the old value precedes the one that has read the new value.
    EXPECT_EQ(seen.contains("1 0 1 0"), load != sync::seq_cst);
    EXPECT_TRUE(seen.contains("1 1 1 1"));
  });
}

TEST(Litmus, ReadsOfOneLocationNeverGoBack) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      int a = -1;
      int b = -1;
      {
        const Thread writer([&] {
          x.store(1, store);
          x.store(2, store);
        });
        const Thread reader([&] {
          a = x.load(load);
          b = x.load(load);
        });
      }
      return Registers({a, b});
    });
    EXPECT_EQ(seen, (Outcomes{"0 0", "0 1", "0 2", "1 1", "1 2", "2 2"}));
  });
}

TEST(Litmus, AThreadReadsItsOwnStoreOrALaterOne) {
  const Outcomes seen = AllOutcomes([] {
    Atomic<int> x(0);
    int a = -1;
    {
      const Thread first([&] {
        x.store(1, sync::relaxed);
        a = x.load(sync::relaxed);
      });
      const Thread second([&] { x.store(2, sync::relaxed); });
    }
    return Registers({a, x.load(sync::relaxed)});
  });
  // 2 1 would read a store that its own one overwrites afterwards.
  EXPECT_EQ(seen, (Outcomes{"1 1", "1 2", "2 2"}));
}

// What one thread read binds those whom it tells.
TEST(Litmus, ReadsThatHappenBeforeBindLaterReads) {
  const Outcomes seen = AllOutcomes([] {
    Atomic<int> x(0);
    Atomic<int> told(0);
    int a = -1;
    int b = -1;
    int c = -1;
    {
      const Thread writer([&] { x.store(1, sync::relaxed); });
      const Thread teller([&] {
        a = x.load(sync::relaxed);
        told.store(1, sync::release);
      });
      const Thread listener([&] {
        b = told.load(sync::acquire);
        c = x.load(sync::relaxed);
      });
    }
    return Registers({a, b, c});
  });
  EXPECT_FALSE(seen.contains("1 1 0"));
  EXPECT_TRUE(seen.contains("1 0 0"));
  EXPECT_TRUE(seen.contains("0 1 0"));
}

TEST(Litmus, CausalityIsTransitive) {
  const Outcomes seen = AllOutcomes([] {
    Atomic<int> x(0);
    Atomic<int> y(0);
    Atomic<int> z(0);
    int a = -1;
    int b = -1;
    int c = -1;
    {
      const Thread first([&] {
        x.store(1, sync::relaxed);
        y.store(1, sync::release);
      });
      const Thread second([&] {
        a = y.load(sync::acquire);
        z.store(1, sync::release);
      });
      const Thread third([&] {
        b = z.load(sync::acquire);
        c = x.load(sync::relaxed);
      });
    }
    return Registers({a, b, c});
  });
  EXPECT_FALSE(seen.contains("1 1 0"));
  EXPECT_TRUE(seen.contains("1 1 1"));
  EXPECT_TRUE(seen.contains("0 1 0"));
}

TEST(Litmus, ReadModifyWritesContinueAReleaseSequence) {
  for (const sync::Order middle : {sync::relaxed, sync::acquire, sync::release, sync::seq_cst}) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> data(0);
      Atomic<int> flag(0);
      int a = -1;
      int b = -1;
      {
        const Thread writer([&] {
          data.store(1, sync::relaxed);
          flag.store(1, sync::release);
        });
        const Thread counter([&] { flag.fetch_add(1, middle); });
        const Thread reader([&] {
          a = flag.load(sync::acquire);
          b = data.load(sync::relaxed);
        });
      }
      return Registers({a, b});
    });
    EXPECT_FALSE(seen.contains("2 0"));
    EXPECT_TRUE(seen.contains("2 1"));
  }
}

// Since C++20 a plain store ends the sequence, even one by the same thread.
TEST(Litmus, ARelaxedStoreEndsAReleaseSequence) {
  const Outcomes seen = AllOutcomes([] {
    Atomic<int> data(0);
    Atomic<int> flag(0);
    int a = -1;
    int b = -1;
    {
      const Thread writer([&] {
        data.store(1, sync::relaxed);
        flag.store(1, sync::release);
        flag.store(2, sync::relaxed);
      });
      const Thread reader([&] {
        a = flag.load(sync::acquire);
        b = data.load(sync::relaxed);
      });
    }
    return Registers({a, b});
  });
  EXPECT_FALSE(seen.contains("1 0"));
  EXPECT_TRUE(seen.contains("2 0"));
}

// C++20 allows 1 1 at the end for weak orders; the model's modification order is that of execution.
TEST(Litmus, TwoPlusTwoWritesAreNeverReversed) {
  ForEachOrder([](sync::Order store, sync::Order) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      Atomic<int> y(0);
      {
        const Thread first([&] {
          x.store(1, store);
          y.store(2, store);
        });
        const Thread second([&] {
          y.store(1, store);
          x.store(2, store);
        });
      }
      return Registers({x.load(sync::relaxed), y.load(sync::relaxed)});
    });
    EXPECT_EQ(seen, (Outcomes{"1 2", "2 1", "2 2"}));
  });
}

// The shape R: a store against a store, then a load.
TEST(Litmus, AStoreThatWinsMayStillMissAnEarlierOneUnlessSequentiallyConsistent) {
  ForEachOrder([](sync::Order store, sync::Order load) {
    const Outcomes seen = AllOutcomes([=] {
      Atomic<int> x(0);
      Atomic<int> y(0);
      int a = -1;
      {
        const Thread first([&] {
          x.store(1, store);
          y.store(1, store);
        });
        const Thread second([&] {
          y.store(2, store);
          a = x.load(load);
        });
      }
      return Registers({y.load(sync::relaxed), a});
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
