// SPDX-License-Identifier: Apache-2.0
//
// Which faults a run injects.
//
//   absl::StatusOr<Injections> inject = ParseInjections("alloc=0.01,stall");
//   if (inject->Has(Injection::kStall)) ...
//
// Thread safety: a value.

#ifndef PADDOCK_STRESS_INJECT_INJECTIONS_H_
#define PADDOCK_STRESS_INJECT_INJECTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace paddock {

enum class Injection : uint8_t {
  kAlloc,    // frame allocations fail at random
  kDelay,    // flush requests are delivered late and in another order, and answered late
  kStall,    // CPUs stop inside read-side sections
  kPreempt,  // threads lose their CPU at lock boundaries
  kExhaust,  // so little memory that it runs out
};

inline constexpr int kInjections = 5;
inline constexpr std::string_view kInjectionNames[kInjections] = {"alloc", "delay", "stall",
                                                                  "preempt", "exhaust"};

struct Injections {
  uint8_t set = 0;
  double alloc_probability = 0.01;

  bool Has(Injection injection) const { return (set >> static_cast<int>(injection) & 1) != 0; }
  void Add(Injection injection) { set |= static_cast<uint8_t>(1 << static_cast<int>(injection)); }
  // Whether operations may find no memory.
  bool MayExhaust() const { return Has(Injection::kAlloc) || Has(Injection::kExhaust); }
  // As ParseInjections takes it, to the same value; empty if nothing is injected.
  std::string ToString() const;

  friend bool operator==(const Injections&, const Injections&) = default;
};

// None if `text` is empty. INVALID_ARGUMENT: an unknown name, only commas, or a probability that is
// not in (0, 1); lists what is valid.
absl::StatusOr<Injections> ParseInjections(std::string_view text);

}  // namespace paddock

#endif  // PADDOCK_STRESS_INJECT_INJECTIONS_H_
