// SPDX-License-Identifier: Apache-2.0
//
// For tests of what a function leaves behind in an object that it was given to move from: nothing
// on success, everything on an error.
//
//   EXPECT_TRUE(Refused(cursor.Map(Offer(item)), absl::StatusCode::kOutOfRange));
//   EXPECT_FALSE(item.frames.empty());
//
// As std::move, but says that the object is looked at afterwards, on purpose. clang-tidy takes that
// for a mistake after std::move.

#ifndef PADDOCK_TESTS_SUPPORT_MOVED_FROM_H_
#define PADDOCK_TESTS_SUPPORT_MOVED_FROM_H_

namespace paddock {

template <typename T>
T&& Offer(T& object) {
  return static_cast<T&&>(object);
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_MOVED_FROM_H_
