// SPDX-License-Identifier: Apache-2.0
//
// The checks behind ConfigConformance find what they are there for: each on a configuration that
// breaks one rule.

#include "paddock/tests/support/config_checks.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "gtest/gtest.h"
#include "paddock/arch/tiny.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/bare_config.h"
#include "paddock/tests/support/config_samples.h"
#include "paddock/tests/support/status_checks.h"
#include "paddock/tests/support/table_world.h"

namespace paddock {
namespace {

// Two levels of four entries.
using F = tiny::Format<2, 2>;
using Good = FramesConfig<F, 0, 3>;
using GoodBare = BareConfig<F, 0, 3>;

class ConfigChecksTest : public testing::Test {
 protected:
  static TableWorld::Options FewReferences() {
    TableWorld::Options options;
    options.frames.max_references = 4;
    return options;
  }
  // What a broken configuration leaks stays in use: nothing is checked at the end.
  TableWorld world_{FewReferences()};
  CpuPin pin_ = world_.Pin(0);

  template <typename S>
  ConfigChecks<S> Checks() {
    return ConfigChecks<S>(world_.frames());
  }
};

testing::AssertionResult Finds(const absl::Status& status, const char* what) {
  return Refused(status, absl::StatusCode::kInternal, {what});
}

TEST_F(ConfigChecksTest, PassWhatIsInOrder) {
  for (const int level : {1, 2}) {
    EXPECT_TRUE(IsOk(Checks<FrameSamples<Good>>().RoundTrip(level)));
    EXPECT_TRUE(IsOk(Checks<FrameSamples<Good>>().Saturation(level)));
    EXPECT_TRUE(IsOk(Checks<BareSamples<GoodBare>>().RoundTrip(level)));
    EXPECT_TRUE(IsOk(Checks<BareSamples<GoodBare>>().Clone(level)));
  }
  world_.ExpectNothingLeft(pin_);
}

struct Unaligned : BareSamples<GoodBare> {
  static std::optional<RawItem> Make(FrameTable&, int level, PageProperty property) {
    return RawItem{PhysAddr(kPageSize), level, property};
  }
};
struct TooHigh : BareSamples<GoodBare> {
  static std::optional<RawItem> Make(FrameTable&, int level, PageProperty property) {
    return RawItem{PhysAddr(uint64_t{1} << F::kPhysicalBits), level, property};
  }
};
struct Elsewhere : FrameSamples<Good> {
  struct Config : GoodBare {
    using GoodBare::GoodBare;
    static bool IsTracked(const RawItem&) { return true; }
  };
  static std::optional<RawItem> Make(FrameTable& frames, int level, PageProperty property) {
    return RawItem{PhysAddr(frames.memory().range().end.value()), level, property};
  }
};
struct Missing : BareSamples<GoodBare> {
  static std::optional<RawItem> Make(FrameTable&, int, PageProperty) { return std::nullopt; }
};

TEST_F(ConfigChecksTest, FindRawFormsThatNoLeafHolds) {
  EXPECT_TRUE(Finds(Checks<Unaligned>().RawForm(2), "not aligned"));
  EXPECT_TRUE(Finds(Checks<TooHigh>().RawForm(1), "physical bits"));
  EXPECT_TRUE(Finds(Checks<Elsewhere>().RawForm(1), "frames that the machine does not have"));
  EXPECT_TRUE(Finds(Checks<Missing>().RawForm(1), "no sample"));
}

// Keeps its reference when the entry has it already.
struct NeverGivesUp : Good {
  using Good::Good;
  RawItem ItemIntoRaw(Item&& item) const {
    const Item dropped = std::move(item);
    return RawOf(dropped);
  }
};
// Forgets to let go.
struct NeverTakesBack : Good {
  using Good::Good;
  Item ItemFromRaw(const RawItem& raw) const {
    absl::StatusOr<Item> item = CloneRaw(raw);
    return *std::move(item);
  }
};
// An item has fewer software bits than an entry.
struct LosesASoftwareBit : GoodBare {
  using GoodBare::GoodBare;
  static Item ItemFromRaw(RawItem raw) {
    raw.property.software &= 7;
    return raw;
  }
};
// A piece is taken for the whole.
struct KnowsOneSize : GoodBare {
  using GoodBare::GoodBare;
  static Item ItemFromRaw(RawItem raw) {
    raw.level = 2;
    return raw;
  }
};
struct ForgetsTheWorld : GoodBare {
  using GoodBare::GoodBare;
  static bool Owns(const Item& item) { return item.property.software == 0; }
};

TEST_F(ConfigChecksTest, FindConversionsThatLoseSomething) {
  EXPECT_TRUE(Finds(Checks<FrameSamples<NeverGivesUp>>().RoundTrip(1), "did not keep"));
  EXPECT_TRUE(Finds(Checks<FrameSamples<NeverTakesBack>>().RoundTrip(1), "did not keep"));
  EXPECT_TRUE(Finds(Checks<FrameSamples<NeverTakesBack>>().Pieces(2), "not let go of"));
  EXPECT_TRUE(Finds(Checks<BareSamples<LosesASoftwareBit>>().EveryProperty(1), "came back as"));
  EXPECT_TRUE(Finds(Checks<BareSamples<KnowsOneSize>>().Pieces(2), "came back as"));
  EXPECT_TRUE(Finds(Checks<BareSamples<ForgetsTheWorld>>().EveryProperty(1), "another machine"));
}

struct TrackedIfDirty : GoodBare {
  using GoodBare::GoodBare;
  static bool IsTracked(const RawItem& raw) {
    return HasAny(raw.property.flags, PageFlags::kDirty);
  }
};
struct TrackedIfSmall : GoodBare {
  using GoodBare::GoodBare;
  static bool IsTracked(const RawItem& raw) { return raw.level == 1; }
};
struct TrackedByASoftwareBit : GoodBare {
  using GoodBare::GoodBare;
  static bool IsTracked(const RawItem& raw) { return (raw.property.software & 8) != 0; }
};
struct TrackedByAReservedBit : TrackedByASoftwareBit {
  using TrackedByASoftwareBit::TrackedByASoftwareBit;
  static constexpr uint8_t kReservedSoftware = 8;
};

TEST_F(ConfigChecksTest, FindTrackednessThatChanges) {
  EXPECT_TRUE(Finds(Checks<BareSamples<TrackedIfDirty>>().EveryProperty(1), "changed trackedness"));
  EXPECT_TRUE(Finds(Checks<BareSamples<TrackedIfSmall>>().Pieces(2), "changed trackedness"));
  EXPECT_TRUE(
      Finds(Checks<BareSamples<TrackedByASoftwareBit>>().EveryProperty(1), "changed trackedness"));
  EXPECT_TRUE(Finds(Checks<BareSamples<TrackedByASoftwareBit>>().EverySample(), "wrong"));
  EXPECT_TRUE(IsOk(Checks<BareSamples<TrackedByAReservedBit>>().EveryProperty(1)));
  EXPECT_TRUE(IsOk(Checks<BareSamples<TrackedByAReservedBit>>().EverySample()));
}

struct MarksWhatItClones : Good {
  explicit MarksWhatItClones(FrameTable& frames) : Good(frames), all(&frames) {}
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const {
    all->MarkAccessedDirty(FrameRun{raw.frame, 1}, PageFlags::kDirty);
    return Good::CloneRaw(raw);
  }
  FrameTable* all;
};
struct StopsHalfWay : Good {
  explicit StopsHalfWay(FrameTable& frames) : Good(frames), all(&frames) {}
  absl::StatusOr<Item> CloneRaw(const RawItem& raw) const {
    const uint64_t pages = Geometry<F>::EntrySpan(raw.level) / kPageSize;
    for (uint64_t page = 0; page < pages; ++page) {
      const FrameRun frame{raw.frame.Plus(page * kPageSize), 1};
      if (absl::Status status = all->AddReferences(frame); !status.ok()) return status;
    }
    return ItemFromRaw(raw);
  }
  FrameTable* all;
};

TEST_F(ConfigChecksTest, FindClonesThatAreNotCountedRight) {
  EXPECT_TRUE(
      Finds(Checks<FrameSamples<MarksWhatItClones>>().Clone(1), "slot says something else"));
  EXPECT_TRUE(Finds(Checks<FrameSamples<StopsHalfWay>>().Saturation(2), "changed something"));
}

struct SaidToBeUntracked : FrameSamples<Good> {
  static constexpr Tracking kTracking = Tracking::kUntracked;
};
struct OwnsEverything : Good {
  using Good::Good;
  static bool Owns(const Item&) { return true; }
};

TEST_F(ConfigChecksTest, FindAnUntrackedItemThatIsCounted) {
  EXPECT_TRUE(Finds(Checks<SaidToBeUntracked>().Clone(1), "not counted as cloned"));
}

TEST_F(ConfigChecksTest, FindAConfigurationThatTakesForeignFrames) {
  TableWorld other;
  const CpuPin other_pin = other.Pin(0);
  EXPECT_TRUE(
      Finds(Checks<FrameSamples<OwnsEverything>>().Foreign(other.frames()), "of this machine"));
}

}  // namespace
}  // namespace paddock
