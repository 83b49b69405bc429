// SPDX-License-Identifier: Apache-2.0
//
// Names for handles to untyped memory.

#ifndef PADDOCK_CORE_FRAME_UNTYPED_H_
#define PADDOCK_CORE_FRAME_UNTYPED_H_

#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/segment.h"
#include "paddock/core/frame/untyped_meta.h"

namespace paddock {

using UFrame = Frame<Untyped>;
using USegment = Segment<Untyped>;

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_UNTYPED_H_
