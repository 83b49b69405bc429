// SPDX-License-Identifier: Apache-2.0
//
// What the author of a page-table configuration gives, so that it can be put through the checks of
// its contract: a way to make items. One type of samples for each kind of item.
//
//   struct DeviceSamples {
//     using Config = DeviceConfig;
//     static constexpr Tracking kTracking = Tracking::kUntracked;
//     static std::optional<DeviceRange> Make(FrameTable&, int level, PageProperty property) {
//       return DeviceRange{.start = PhysAddr(3 * Geometry<F>::EntrySpan(level)), ...};
//     }
//   };

#ifndef PADDOCK_TESTS_SUPPORT_CONFIG_SAMPLES_H_
#define PADDOCK_TESTS_SUPPORT_CONFIG_SAMPLES_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "paddock/arch/address.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/tests/support/bare_config.h"

namespace paddock {

// Whether items of a kind own references to their frames.
enum class Tracking : bool { kUntracked, kTracked };

// S provides
//   Config
//   kTracking   what IsTracked must say of these items, whatever their property
//   Make(frames, level, property) -> optional<Item>
//               a new item that one entry of `level` maps, with this property; one whose frames
//               nobody else owns, if it is tracked. None: there is no such item. At every level
//               where the format has leaves, kSampleProperty<S> must give one
//   kProperty   if kReadWriteUser is not a property that Make accepts: another one
template <typename S>
concept ConfigSamples = PageTableConfig<typename S::Config> &&
                        requires(FrameTable& frames, int level, PageProperty property) {
                          { S::kTracking } -> std::convertible_to<Tracking>;
                          {
                            S::Make(frames, level, property)
                          } -> std::same_as<std::optional<typename S::Config::Item>>;
                        };

template <ConfigSamples S>
inline constexpr PageProperty kSampleProperty = [] {
  if constexpr (requires { S::kProperty; }) {
    return S::kProperty;
  } else {
    return kReadWriteUser;
  }
}();

// The software bits of a raw property that a configuration keeps its own notes in, so that neither
// mapping nor protecting may set them.
template <PageTableConfig C>
inline constexpr uint8_t kReservedSoftwareOf = [] {
  if constexpr (requires { C::kReservedSoftware; }) {
    return C::kReservedSoftware;
  } else {
    return uint8_t{0};
  }
}();

// Of the configurations that map MappedFrames.
template <PageTableConfig C>
struct FrameSamples {
  using Config = C;
  static constexpr Tracking kTracking = Tracking::kTracked;

  static std::optional<MappedFrames> Make(FrameTable& frames, int level, PageProperty property) {
    const uint64_t pages = Geometry<typename C::Format>::EntrySpan(level) / kPageSize;
    auto run = frames.AllocateSegment(pages, pages, Untyped{}, Zeroing::kLeave);
    if (!run.ok()) return std::nullopt;
    return MappedFrames(*std::move(run), property);
  }
};

// Of BareConfig.
template <PageTableConfig C>
struct BareSamples {
  using Config = C;
  static constexpr Tracking kTracking = Tracking::kUntracked;

  static std::optional<RawItem> Make(FrameTable&, int level, PageProperty property) {
    return RawItem{PhysAddr(3 * Geometry<typename C::Format>::EntrySpan(level)), level, property};
  }
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_CONFIG_SAMPLES_H_
