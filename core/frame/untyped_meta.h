// SPDX-License-Identifier: Apache-2.0
//
// The metadata of frames that hold plain bytes: user memory, guest memory, buffers. Only such
// frames show their contents; what is in a frame of another type is that type's business.

#ifndef PADDOCK_CORE_FRAME_UNTYPED_META_H_
#define PADDOCK_CORE_FRAME_UNTYPED_META_H_

#include "paddock/core/frame/frame_meta.h"

namespace paddock {

struct Untyped {
  static constexpr const char* kName = "untyped";
};

static_assert(FrameMeta<Untyped>);

}  // namespace paddock

#endif  // PADDOCK_CORE_FRAME_UNTYPED_META_H_
