// SPDX-License-Identifier: Apache-2.0
//
// Names for handles to untyped memory, and the bytes behind them.

#ifndef PADDOCK_CORE_FRAME_UNTYPED_H_
#define PADDOCK_CORE_FRAME_UNTYPED_H_

#include <cstddef>
#include <span>

#include "absl/base/attributes.h"
#include "paddock/arch/address.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped_meta.h"

namespace paddock {

using UFrame = Frame<Untyped>;
using USegment = Segment<Untyped>;

// None of an empty handle.
inline std::span<std::byte> BytesOf(const UFrame& frame ABSL_ATTRIBUTE_LIFETIME_BOUND) {
  if (frame.empty()) return {};
  return {frame.Data(), kPageSize};
}
inline std::span<std::byte> BytesOf(const USegment& segment ABSL_ATTRIBUTE_LIFETIME_BOUND) {
  if (segment.empty()) return {};
  return {segment.Data(), segment.pages() * kPageSize};
}

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_UNTYPED_H_
