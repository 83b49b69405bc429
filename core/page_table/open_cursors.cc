// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/page_table/open_cursors.h"

#include "absl/strings/str_format.h"

namespace paddock {

absl::Status OpenCursors::Refuse(uint64_t table, uint64_t held) {
  if (table == held) {
    return absl::FailedPreconditionError(
        absl::StrFormat("this CPU already holds a cursor in table %d", table));
  }
  return absl::FailedPreconditionError(absl::StrFormat(
      "this CPU holds a cursor in table %d; one in table %d may be opened only with Wait::kTry: "
      "cursors that wait are opened in ascending order of table identity",
      held, table));
}

absl::Status OpenCursors::RefuseFull() {
  return absl::ResourceExhaustedError(
      absl::StrFormat("this CPU already holds cursors in %d tables, the most allowed", kMax));
}

}  // namespace paddock
