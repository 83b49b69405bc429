// SPDX-License-Identifier: Apache-2.0
//
// The ways in which user code touches memory, and why it may not.

#ifndef PADDOCK_CORE_PAGE_TABLE_ACCESS_H_
#define PADDOCK_CORE_PAGE_TABLE_ACCESS_H_

#include <cstdint>

#include "paddock/arch/page_property.h"

namespace paddock {

enum class Access : uint8_t { kRead, kWrite, kExecute };

constexpr PageFlags FlagsNeeded(Access access) {
  switch (access) {
    case Access::kRead:
      return PageFlags::kRead;
    case Access::kWrite:
      return PageFlags::kWrite;
    case Access::kExecute:
      return PageFlags::kExecute;
  }
  return PageFlags::kNone;
}

// Who makes the access. User code needs PageFlags::kUser, the kernel does not.
enum class Privilege : uint8_t { kUser, kKernel };

constexpr PageFlags FlagsNeeded(Access access, Privilege privilege) {
  const PageFlags needed = FlagsNeeded(access);
  return privilege == Privilege::kUser ? needed | PageFlags::kUser : needed;
}

enum class WalkFault : uint8_t { kNone, kNotPresent, kPermission };

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_ACCESS_H_
