// SPDX-License-Identifier: Apache-2.0
//
// The ledger against a list of views and a loop over addresses, and with several threads.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/space/view_ledger.h"
#include "paddock/core/spec/abstract_table.h"
#include "paddock/tests/support/parallel.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock {
namespace {

// Addresses come in units of an eighth of a page; the third of four pages is not mapped.
constexpr uint64_t kUnit = kPageSize / 8;
constexpr uint64_t kUnits = 32;

bool IsMapped(uint64_t unit) { return unit / 8 != 2; }

MemView Total() {
  AbstractTable table;
  for (uint64_t page = 0; page < 4; ++page) {
    if (!IsMapped(page * 8)) continue;
    const VirtAddr va(page * kPageSize);
    table.Map({va, va.Plus(kPageSize)}, PhysAddr((9 - page) * kPageSize), kReadWriteUser);
  }
  return MemView(table);
}

struct Units {
  uint64_t first;
  uint64_t end;

  bool Overlaps(const Units& other) const {
    return first < end && other.first < other.end && first < other.end && other.first < end;
  }
  VirtRange range() const { return {VirtAddr(first * kUnit), VirtAddr(end * kUnit)}; }
};

Units RandomUnits(std::mt19937_64& random) {
  const uint64_t first = random() % kUnits;
  return {first, first + random() % std::min<uint64_t>(kUnits - first + 1, 9)};
}

// The same rules, by looking at everything.
class BruteForce {
 public:
  explicit BruteForce(ReaderSharing sharing) : sharing_(sharing) {}

  struct View {
    ViewId id;
    Units units;
    ViewKind kind;
    bool active;
  };

  bool MayCreate(Units units, ViewKind kind) const {
    return IsFree(units, kind, ReaderSharing::kShared);
  }
  bool MayActivate(const View& view) const {
    if (view.active || !IsFree(view.units, view.kind, sharing_)) return false;
    for (uint64_t unit = view.units.first; unit < view.units.end; ++unit) {
      if (!IsMapped(unit)) return false;
    }
    return true;
  }
  void ExpectSame(const ViewOwner& owner) const {
    size_t readers = 0;
    size_t writers = 0;
    std::array<bool, kUnits> written{};
    for (const View& view : views) {
      if (!view.active) continue;
      ++(view.kind == ViewKind::kReader ? readers : writers);
      for (uint64_t unit = view.units.first; unit < view.units.end; ++unit) {
        if (view.kind == ViewKind::kWriter) written[unit] = true;
      }
    }
    ASSERT_EQ(owner.readers.size(), readers);
    ASSERT_EQ(owner.writers.size(), writers);
    for (uint64_t unit = 0; unit < kUnits; ++unit) {
      const bool remains = owner.remaining->Translate(VirtAddr(unit * kUnit)).has_value();
      ASSERT_EQ(remains, IsMapped(unit) && !written[unit]) << "unit " << unit;
    }
    ASSERT_TRUE(IsOk(CheckViewOwner(owner)));
  }

  std::vector<View> views;

 private:
  bool IsFree(Units units, ViewKind kind, ReaderSharing sharing) const {
    for (const View& view : views) {
      const bool both_read = kind == ViewKind::kReader && view.kind == ViewKind::kReader;
      if (both_read && sharing == ReaderSharing::kShared) continue;
      if (view.active && view.units.Overlaps(units)) return false;
    }
    return true;
  }

  const ReaderSharing sharing_;
};

class ViewLedgerRandom : public testing::TestWithParam<ReaderSharing> {};

INSTANTIATE_TEST_SUITE_P(Readers, ViewLedgerRandom,
                         testing::Values(ReaderSharing::kExclusive, ReaderSharing::kShared),
                         [](const auto& info) {
                           return info.param == ReaderSharing::kShared ? "Shared" : "Exclusive";
                         });

TEST_P(ViewLedgerRandom, AgreesWithBruteForce) {
  std::mt19937_64 random(TestSeed());
  ViewLedger ledger(Total(), GetParam());
  BruteForce model(GetParam());
  uint64_t active = 0;
  uint64_t refused = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (model.views.empty() || (model.views.size() < 12 && random() % 3 == 0)) {
      const Units units = RandomUnits(random);
      const ViewKind kind = random() % 2 == 0 ? ViewKind::kReader : ViewKind::kWriter;
      const absl::StatusOr<ViewId> id = ledger.Create(units.range(), kind);
      ASSERT_EQ(id.ok(), model.MayCreate(units, kind)) << id.status();
      if (id.ok()) model.views.push_back({*id, units, kind, false});
      continue;
    }
    const size_t i = random() % model.views.size();
    BruteForce::View& view = model.views[i];
    switch (random() % 3) {
      case 0: {
        const bool may = model.MayActivate(view);
        const absl::Status status = ledger.Activate(view.id);
        ASSERT_EQ(status.ok(), may) << status;
        if (may) view.active = true;
        ++(may ? active : refused);
        break;
      }
      case 1:
        ASSERT_EQ(ledger.Dispose(view.id).ok(), view.active);
        view.active = false;
        break;
      default:
        ASSERT_EQ(ledger.Remove(view.id).ok(), !view.active);
        if (!view.active) model.views.erase(model.views.begin() + static_cast<ptrdiff_t>(i));
        break;
    }
    ASSERT_NO_FATAL_FAILURE(model.ExpectSame(ledger.Owner()));
  }
  EXPECT_GT(active, 0u);
  EXPECT_GT(refused, 0u);
  for (const BruteForce::View& view : model.views) {
    if (view.active) {
      EXPECT_TRUE(IsOk(ledger.Dispose(view.id)));
    }
  }
}

TEST_P(ViewLedgerRandom, ThreadsHoldNothingThatAnotherWrites) {
  constexpr int kRounds = 2000;
  constexpr int kWritten = -1;
  const uint64_t seed = TestSeed();
  ViewLedger ledger(Total(), GetParam());
  // Readers of each unit, or kWritten.
  std::array<std::atomic<int>, kUnits> users{};
  std::atomic<uint64_t> held{0};
  CpuRegistry cpus(4);
  CpuThreads threads(cpus);
  const auto hold = [&](Units units, ViewKind kind) {
    for (uint64_t unit = units.first; unit < units.end; ++unit) {
      if (kind == ViewKind::kWriter) {
        EXPECT_EQ(users[unit].exchange(kWritten), 0);
      } else {
        const int readers = users[unit]++;
        EXPECT_GE(readers, 0);
        if (GetParam() == ReaderSharing::kExclusive) {
          EXPECT_EQ(readers, 0);
        }
      }
    }
  };
  const auto let_go = [&](Units units, ViewKind kind) {
    for (uint64_t unit = units.first; unit < units.end; ++unit) {
      if (kind == ViewKind::kWriter) {
        EXPECT_EQ(users[unit].exchange(0), kWritten);
      } else {
        EXPECT_GT(users[unit]--, 0);
      }
    }
  };
  for (uint32_t cpu = 0; cpu < 4; ++cpu) {
    threads.Run(cpu, [&, cpu](const CpuPin&) {
      std::mt19937_64 random(seed + cpu);
      for (int round = 0; round < kRounds; ++round) {
        const Units units = RandomUnits(random);
        const ViewKind kind = random() % 3 == 0 ? ViewKind::kWriter : ViewKind::kReader;
        const absl::StatusOr<uint64_t> view = ledger.BeginView(units.range(), kind);
        if (!view.ok()) continue;
        ++held;
        hold(units, kind);
        let_go(units, kind);
        ledger.EndView(*view);
      }
    });
  }
  threads.Join();
  EXPECT_GT(held, 0u);
  EXPECT_TRUE(IsOk(CheckViewOwner(ledger.Owner())));
  EXPECT_EQ(ledger.Owner().remaining->addresses(), Total().addresses());
}

}  // namespace
}  // namespace paddock
