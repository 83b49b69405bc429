// SPDX-License-Identifier: Apache-2.0
//
// Bytes to copy about: no two neighbours are equal, and no stretch repeats soon.

#ifndef PADDOCK_TESTS_SUPPORT_BYTE_PATTERN_H_
#define PADDOCK_TESTS_SUPPORT_BYTE_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace paddock {

inline std::byte PatternByte(uint64_t index, uint8_t salt = 0) {
  return static_cast<std::byte>(index % 251 + salt);
}

inline std::vector<std::byte> Pattern(uint64_t bytes, uint8_t salt = 0) {
  std::vector<std::byte> pattern(bytes);
  for (uint64_t i = 0; i < bytes; ++i) pattern[i] = PatternByte(i, salt);
  return pattern;
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_BYTE_PATTERN_H_
