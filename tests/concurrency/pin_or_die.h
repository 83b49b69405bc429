// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_CONCURRENCY_PIN_OR_DIE_H_
#define PADDOCK_TESTS_CONCURRENCY_PIN_OR_DIE_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "paddock/concurrency/check.h"
#include "paddock/concurrency/cpu.h"

namespace paddock {

// Pins a CPU that the test knows to be free.
inline CpuPin PinOrDie(CpuRegistry& registry, uint32_t cpu) {
  absl::StatusOr<CpuPin> pin = registry.Pin(CpuId{cpu});
  PADDOCK_CHECK(pin.ok(), pin.status().message());
  return *std::move(pin);
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_CONCURRENCY_PIN_OR_DIE_H_
