// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_CHECK_H_
#define PADDOCK_CONCURRENCY_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string_view>

// Broken internal invariants stop the process; bad input from a caller is an absl::Status instead.
//
//   PADDOCK_CHECK(count_ > 0, "a table is taken that was not reserved");   // every build
//   PADDOCK_DCHECK(pin.cpu() == owner_, "...");       // debug and checked builds
//
// A failure prints file:line, the condition and the message to stderr, then aborts. Thread-safe.
// Cost: one predictable branch; PADDOCK_DCHECK costs nothing in release builds, where its
// condition and its message are compiled but never evaluated.

namespace paddock {

// Whether this build checks the postconditions of operations (core/spec) wherever they run.
#if defined(PADDOCK_CHECKED) && PADDOCK_CHECKED
inline constexpr bool kContractsChecked = true;
#else
inline constexpr bool kContractsChecked = false;
#endif

namespace internal {

// Told first, if anything linked in defines it: the model backend does, and does not return.
[[gnu::weak]] void OnCheckFailure(const char* file, int line, const char* condition,
                                  std::string_view message);

[[noreturn, gnu::cold, gnu::noinline]] inline void PrintAndAbort(const char* file, int line,
                                                                 const char* condition,
                                                                 std::string_view message) {
  if (OnCheckFailure != nullptr) OnCheckFailure(file, line, condition, message);
  std::fprintf(stderr, "%s:%d: check failed: %s: %.*s\n", file, line, condition,
               static_cast<int>(message.size()), message.data());
  std::fflush(stderr);
  std::abort();
}

// `Message` is a C string, or any string type (absl::string_view is not always std's).
template <class Message>
[[noreturn, gnu::cold]] void CheckFailed(const char* file, int line, const char* condition,
                                         const Message& message) {
  if constexpr (requires { std::string_view(message); }) {
    PrintAndAbort(file, line, condition, std::string_view(message));
  } else {
    PrintAndAbort(file, line, condition, std::string_view(message.data(), message.size()));
  }
}

}  // namespace internal
}  // namespace paddock

#define PADDOCK_CHECK(condition, message)                                          \
  do {                                                                             \
    if (!(condition)) [[unlikely]] {                                               \
      ::paddock::internal::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                              \
  } while (false)

#if !defined(NDEBUG) || defined(PADDOCK_CHECKED)
#define PADDOCK_DCHECK(condition, message) PADDOCK_CHECK(condition, message)
#else
#define PADDOCK_DCHECK(condition, message)        \
  do {                                            \
    if (false) PADDOCK_CHECK(condition, message); \
  } while (false)
#endif

#endif  // PADDOCK_CONCURRENCY_CHECK_H_
