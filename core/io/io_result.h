// SPDX-License-Identifier: Apache-2.0
//
// Whether an access to memory can fail, as a type, and what a copy did that may have failed.

#ifndef PADDOCK_CORE_IO_IO_RESULT_H_
#define PADDOCK_CORE_IO_IO_RESULT_H_

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "absl/status/status.h"

namespace paddock {

// Memory that may turn out not to be there: a user's, a guest's.
struct Fallible {};
// Memory of this process, which is.
struct Infallible {};

template <typename F>
concept Fallibility = std::same_as<F, Fallible> || std::same_as<F, Infallible>;

// `bytes` were done; OK if that is everything there was to do, else why the next byte was not.
struct [[nodiscard]] IoResult {
  uint64_t bytes = 0;
  absl::Status status;

  bool ok() const { return status.ok(); }
};

// What a copy between memory of two kinds returns: only the number of bytes, if neither can fail.
template <Fallibility F, Fallibility G>
using CopyResult = std::conditional_t<std::same_as<F, Infallible> && std::same_as<G, Infallible>,
                                      uint64_t, IoResult>;

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_IO_RESULT_H_
