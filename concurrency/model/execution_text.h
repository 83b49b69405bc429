// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_EXECUTION_TEXT_H_
#define PADDOCK_CONCURRENCY_MODEL_EXECUTION_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "paddock/concurrency/model/arena.h"

// What the sources of Execution share: bytes of the scenario's objects, and words for reports.
namespace paddock::model {

inline uint64_t ReadBytes(const void* object, size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, object, bytes);
  return value;
}
inline uint64_t ReadBytes(uintptr_t address, size_t bytes) {
  return ReadBytes(reinterpret_cast<const void*>(address), bytes);
}

inline uintptr_t AddressOf(const void* object) { return reinterpret_cast<uintptr_t>(object); }

inline HostString Host(std::string_view text) { return {text.data(), text.size()}; }

inline std::string ThreadLabel(uint32_t thread) { return "T" + std::to_string(thread); }

inline HostString Number(uint64_t value) {
  constexpr uint64_t kLastDecimal = 4095;
  if (value <= kLastDecimal) return Host(std::to_string(value));
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_EXECUTION_TEXT_H_
