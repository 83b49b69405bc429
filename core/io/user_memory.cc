// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/io/user_memory.h"

#include "absl/strings/str_format.h"

namespace paddock {

absl::Status FaultsWithoutEnd(VirtAddr va) {
  return absl::AbortedError(
      absl::StrFormat("the access at %#x faulted %d times although its handler reported success",
                      va.value(), kMaxFaultsPerAccess));
}

}  // namespace paddock
