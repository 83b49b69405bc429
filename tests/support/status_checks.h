// SPDX-License-Identifier: Apache-2.0
//
// Statuses in tests.
//
//   auto cursor = Must(table.OpenCursorMut(pin, range));  // aborts with the message on an error
//   EXPECT_TRUE(IsOk(cursor.Jump(va)));
//   EXPECT_TRUE(Refused(table.OpenCursor(pin, range), absl::StatusCode::kOutOfRange,
//                       {"0x1000", "outside"}));

#ifndef PADDOCK_TESTS_SUPPORT_STATUS_CHECKS_H_
#define PADDOCK_TESTS_SUPPORT_STATUS_CHECKS_H_

#include <initializer_list>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "paddock/concurrency/check.h"

namespace paddock {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

template <typename T>
T Must(absl::StatusOr<T> result) {
  PADDOCK_CHECK(result.ok(), result.status().ToString());
  return *std::move(result);
}
inline void Must(const absl::Status& status) { PADDOCK_CHECK(status.ok(), status.ToString()); }

template <typename Result>
testing::AssertionResult IsOk(const Result& result) {
  if (StatusOf(result).ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << StatusOf(result).ToString();
}

// Whether `result` is an error of `code` whose message contains every one of `parts`.
template <typename Result>
testing::AssertionResult Refused(const Result& result, absl::StatusCode code,
                                 std::initializer_list<absl::string_view> parts = {}) {
  const absl::Status& status = StatusOf(result);
  if (status.code() != code) {
    return testing::AssertionFailure()
           << "expected " << absl::StatusCodeToString(code) << ", was " << status.ToString();
  }
  for (const absl::string_view part : parts) {
    if (status.message().find(part) == absl::string_view::npos) {
      return testing::AssertionFailure() << "no \"" << part << "\" in: " << status.message();
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_STATUS_CHECKS_H_
