// SPDX-License-Identifier: Apache-2.0
//
// The contract of a page-table configuration (core/page_table/config.h) without a page table: what
// its conversions must do to items and to reference counts. Each check is OK or INTERNAL and says
// what was broken, so that the checks themselves can be checked on broken configurations.
//
//   ConfigChecks<DeviceSamples> checks(frames);
//   EXPECT_TRUE(IsOk(checks.RoundTrip(/*level=*/1)));
//
// Every check makes its own items and lets go of them. Preconditions: nobody else changes frames
// meanwhile, the format has leaves at `level`, and `frames` allows few references to a frame.

#ifndef PADDOCK_TESTS_SUPPORT_CONFIG_CHECKS_H_
#define PADDOCK_TESTS_SUPPORT_CONFIG_CHECKS_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/frame_table.h"
#include "paddock/core/page_table/config.h"
#include "paddock/tests/support/config_samples.h"
#include "paddock/tests/support/frame_books.h"

namespace paddock {

inline std::string DescribeRaw(const RawItem& raw) {
  return absl::StrFormat("%#x at level %d %s", raw.frame.value(), raw.level,
                         Describe(raw.property).c_str());
}

template <ConfigSamples S>
class ConfigChecks {
 public:
  using C = typename S::Config;
  using F = typename C::Format;
  using Geo = Geometry<F>;
  using Item = typename C::Item;

  static constexpr bool kTracked = S::kTracking == Tracking::kTracked;
  static constexpr uint8_t kReserved = kReservedSoftwareOf<C>;

  explicit ConfigChecks(FrameTable& frames) : frames_(frames), config_(frames), again_(frames) {}

  // The raw form of an item is one that a leaf of `level` can hold: aligned to its size and, to its
  // last byte, a physical address of the format; tracked frames are frames of the machine.
  absl::Status RawForm(int level) {
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const RawItem raw = config_.RawOf(*item);
    const uint64_t span = Geo::EntrySpan(level);
    if (raw.level != level) return Broken(raw, "is not of the level that was asked for");
    if (!raw.frame.IsAligned(span)) return Broken(raw, "is not aligned to its size");
    if ((raw.frame.value() + (span - 1)) >> F::kPhysicalBits != 0) {
      return Broken(raw, "has more physical bits than the format holds");
    }
    if (config_.IsTracked(raw) != kTracked) return Broken(raw, "has the wrong trackedness");
    if (!config_.Owns(*item)) return Broken(raw, "is not an item of its own machine");
    if (kTracked && !(frames_.Contains(raw.frame) && frames_.Contains(raw.frame.Plus(span - 1)))) {
      return Broken(raw, "owns frames that the machine does not have");
    }
    const EncodeResult leaf = F::EncodeLeaf(raw.frame, raw.property, level);
    if (!leaf.ok()) return Broken(raw, EncodeErrorText(leaf.error));
    if (Decode(leaf.pte, level) != raw) return Broken(raw, "is not what the entry gives back");
    return absl::OkStatus();
  }

  // Item to raw and back loses nothing, in either direction; ownership goes where it should and is
  // let go of exactly once.
  absl::Status RoundTrip(int level) {
    const FrameBooks without(frames_);
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const FrameBooks with(frames_);
    const RawItem raw = config_.RawOf(*item);
    {
      Item consumed = *std::move(item);
      const RawItem given = config_.ItemIntoRaw(std::move(consumed));
      if (given != raw) return Broken(raw, "became " + DescribeRaw(given));
    }
    if (auto kept = FrameBooks(frames_).CheckSame(with); !kept.ok()) {
      return Broken(raw, "did not keep its references: " + Text(kept));
    }
    // Another object of the configuration, as a table's destruction uses.
    if (auto status = BackAndForth(again_, raw); !status.ok()) return status;
    if (auto status = SameAsNew(raw, level); !status.ok()) return status;
    if (auto kept = FrameBooks(frames_).CheckSame(with); !kept.ok()) {
      return Broken(raw, "did not keep its references on the way back: " + Text(kept));
    }
    LetGo(config_.ItemFromRaw(raw));
    if (auto gone = FrameBooks(frames_).CheckSame(without); !gone.ok()) {
      return Broken(raw, "did not let go of its frames: " + Text(gone));
    }
    return absl::OkStatus();
  }

  // The same for everything that protecting, or hardware, can make of a mapped item: every property
  // that the format can hold, but for bits that the configuration has reserved.
  absl::Status EveryProperty(int level) {
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const RawItem raw = config_.ItemIntoRaw(*std::move(item));
    const FrameBooks with(frames_);
    absl::Status status = ForEachProperty([&](PageProperty property) -> absl::Status {
      if (!F::EncodeLeaf(raw.frame, property, level).ok()) return absl::OkStatus();
      if (((property.software ^ raw.property.software) & kReserved) != 0) return absl::OkStatus();
      const RawItem changed{raw.frame, level, property};
      if (config_.IsTracked(changed) != kTracked) return Broken(changed, "changed trackedness");
      return BackAndForth(config_, changed);
    });
    if (status.ok()) status = FrameBooks(frames_).CheckSame(with);
    LetGo(config_.ItemFromRaw(raw));
    return status;
  }

  // Items made with any property that may be mapped are of the kind that they were made as.
  absl::Status EverySample() {
    return ForEachProperty([&](PageProperty property) -> absl::Status {
      if ((property.software & kReserved) != 0) return absl::OkStatus();
      const std::optional<Item> item = S::Make(frames_, 1, property);
      if (!item) return absl::OkStatus();
      const RawItem raw = config_.RawOf(*item);
      if (config_.IsTracked(raw) == kTracked) return absl::OkStatus();
      return Broken(raw, "has the wrong trackedness");
    });
  }

  // The pieces that splitting makes of an item are items; together they own what the whole owned.
  // Every other piece is protected before it is taken back.
  absl::Status Pieces(int level) {
    const FrameBooks without(frames_);
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const RawItem raw = config_.ItemIntoRaw(*std::move(item));
    const Pte leaf = F::EncodeLeaf(raw.frame, raw.property, level).pte;
    absl::Status status;
    for (uint64_t i = 0; i < Geo::Entries(level - 1); ++i) {
      RawItem piece = Decode(F::SplitLeaf(leaf, level, i), level - 1);
      const PhysAddr frame = raw.frame.Plus(i * Geo::EntrySpan(level - 1));
      if (piece != RawItem{frame, level - 1, raw.property}) {
        status.Update(Broken(piece, "is no piece of its whole"));
      }
      if (i % 2 == 0) Protect(piece);
      if (config_.IsTracked(piece) != kTracked) status.Update(Broken(piece, "changed trackedness"));
      status.Update(BackAndForth(config_, piece));
      LetGo(config_.ItemFromRaw(piece));
    }
    if (auto gone = FrameBooks(frames_).CheckSame(without); !gone.ok()) {
      status.Update(Broken(raw, "was not let go of by its pieces: " + Text(gone)));
    }
    return status;
  }

  // A clone of a tracked item counts each of its frames once more and changes nothing else; one of
  // an untracked item changes nothing.
  absl::Status Clone(int level) {
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const RawItem raw = config_.RawOf(*item);
    const FrameBooks one(frames_);
    absl::StatusOr<Item> clone = config_.CloneRaw(raw);
    if (!clone.ok()) return Broken(raw, "cannot be cloned: " + Text(clone.status()));
    if (config_.RawOf(*clone) != raw) {
      return Broken(raw, "was cloned as " + DescribeRaw(config_.RawOf(*clone)));
    }
    if (auto two = FrameBooks(frames_).CheckCounted(one, RunOf(raw), kTracked ? 1 : 0); !two.ok()) {
      return Broken(raw, "was not counted as cloned: " + Text(two));
    }
    LetGo(*std::move(clone));
    if (auto same = FrameBooks(frames_).CheckSame(one); !same.ok()) {
      return Broken(raw, "was not let go of by its clone: " + Text(same));
    }
    return absl::OkStatus();
  }

  // One more reference than a frame may have is RESOURCE_EXHAUSTED and changes nothing, also if
  // only the last frame of the item is saturated. Untracked items cannot be saturated.
  absl::Status Saturation(int level) {
    absl::StatusOr<Item> item = New(level);
    if (!item.ok()) return item.status();
    const RawItem raw = config_.RawOf(*item);
    const uint32_t most = frames_.max_references();
    std::vector<Item> clones;
    for (uint32_t count = 1; count < most; ++count) {
      absl::StatusOr<Item> clone = config_.CloneRaw(raw);
      if (!clone.ok()) return Broken(raw, "cannot be cloned: " + Text(clone.status()));
      clones.push_back(*std::move(clone));
    }
    if (auto status = CheckRefused(raw, "with all frames saturated"); !status.ok()) return status;
    if (!kTracked) return absl::OkStatus();
    clones.clear();
    const FrameRun last{raw.frame.Plus(Geo::EntrySpan(level) - kPageSize), 1};
    for (uint32_t count = 1; count < most; ++count) {
      if (absl::Status added = frames_.AddReferences(last); !added.ok()) return added;
    }
    absl::Status status = CheckRefused(raw, "with its last frame saturated");
    for (uint32_t count = 1; count < most; ++count) frames_.Release(last);
    return status;
  }

  // Tracked items of another machine are not ours.
  absl::Status Foreign(FrameTable& others) {
    const std::optional<Item> item = S::Make(others, 1, kSampleProperty<S>);
    if (!item) return absl::InternalError("no sample on the other machine");
    const RawItem raw = config_.RawOf(*item);
    if (kTracked && config_.Owns(*item)) return Broken(raw, "is taken for one of this machine");
    return absl::OkStatus();
  }

 private:
  static absl::Status Broken(const RawItem& raw, const std::string& how) {
    return absl::InternalError(absl::StrCat(DescribeRaw(raw), " ", how));
  }
  static std::string Text(const absl::Status& status) { return std::string(status.message()); }

  static RawItem Decode(Pte leaf, int level) {
    return RawItem{F::Address(leaf, level), level, F::Property(leaf, level)};
  }
  static void LetGo(Item&& item) { [[maybe_unused]] const Item gone = std::move(item); }
  // The frames that a tracked item owns.
  static FrameRun RunOf(const RawItem& raw) {
    return FrameRun{raw.frame, Geo::EntrySpan(raw.level) / kPageSize};
  }

  absl::StatusOr<Item> New(int level) {
    std::optional<Item> item = S::Make(frames_, level, kSampleProperty<S>);
    if (item) return *std::move(item);
    return absl::InternalError(absl::StrFormat("there is no sample of level %d", level));
  }

  // Every property there is, until `visit` fails.
  absl::Status ForEachProperty(absl::FunctionRef<absl::Status(PageProperty)> visit) {
    for (int flags = 0; flags <= static_cast<int>(kAllPageFlags); ++flags) {
      for (int cache = 0; cache < kCachePolicyCount; ++cache) {
        for (int software = 0; software < 256; ++software) {
          absl::Status status =
              visit({static_cast<PageFlags>(flags), static_cast<CachePolicy>(cache),
                     static_cast<uint8_t>(software)});
          if (!status.ok()) return status;
        }
      }
    }
    return absl::OkStatus();
  }

  // Takes the item out of `raw`, looks at it, and puts it back.
  absl::Status BackAndForth(const C& config, const RawItem& raw) {
    Item item = config.ItemFromRaw(raw);
    const RawItem seen = config.RawOf(item);
    const bool owned = config.Owns(item);
    const RawItem given = config.ItemIntoRaw(std::move(item));
    if (seen != raw) return Broken(raw, "came back as " + DescribeRaw(seen));
    if (!owned) return Broken(raw, "came back as an item of another machine");
    if (given != raw) return Broken(raw, "was given away as " + DescribeRaw(given));
    return absl::OkStatus();
  }

  // Items that can be compared: what comes back from `raw` equals what was made.
  absl::Status SameAsNew(const RawItem& raw, int level) {
    if constexpr (!kTracked && std::equality_comparable<Item>) {
      const absl::StatusOr<Item> made = New(level);
      if (!made.ok()) return made.status();
      if (config_.RawOf(*made) == raw && !(config_.ItemFromRaw(raw) == *made)) {
        return Broken(raw, "came back as another item");
      }
    }
    return absl::OkStatus();
  }

  // Takes the right to write away, if the format can.
  void Protect(RawItem& raw) {
    PageProperty property = raw.property;
    property.flags = property.flags & ~PageFlags::kWrite;
    if (F::EncodeLeaf(raw.frame, property, raw.level).ok()) raw.property = property;
  }

  absl::Status CheckRefused(const RawItem& raw, const std::string& when) {
    const FrameBooks full(frames_);
    const absl::StatusOr<Item> more = config_.CloneRaw(raw);
    if (kTracked && more.status().code() != absl::StatusCode::kResourceExhausted) {
      return Broken(raw, "was cloned " + when + ": " + more.status().ToString());
    }
    if (!kTracked && !more.ok()) return Broken(raw, "was not cloned: " + Text(more.status()));
    if (auto same = FrameBooks(frames_).CheckSame(full); !same.ok()) {
      return Broken(raw, "changed something when it was cloned " + when + ": " + Text(same));
    }
    return absl::OkStatus();
  }

  FrameTable& frames_;
  const C config_;
  const C again_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_CONFIG_CHECKS_H_
