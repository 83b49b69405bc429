// SPDX-License-Identifier: Apache-2.0
//
// The oracle of memory IO: what was read is what the last ordered writer wrote, nothing else was
// touched, and exactly as many bytes were done as could be.
//
//   MemoryOracle oracle(workers, sink);
//   const MemoryPlace place{.what = "a copy", .cpu = 1, .space = 3, .va = va};
//   oracle.CheckBytes(worker, place, written, read);          // ordered: exactly that
//   oracle.CheckOneOf(worker, place, before, after, read);    // one write ran: each byte by itself
//   oracle.CheckEnd(worker, place, {4096, kNotFound}, done);  // where it stopped, and why
//   oracle.CheckThat(worker, place, holds, [] { return "what is wrong"; });
//
// Thread safety: any thread with its own worker index. Failure: a violation is reported, and the
// check returns false. Cost: a comparison of the bytes and a counter; no lock.

#ifndef PADDOCK_STRESS_ORACLE_MEMORY_ORACLE_H_
#define PADDOCK_STRESS_ORACLE_MEMORY_ORACLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "paddock/arch/address.h"
#include "paddock/stress/oracle/check_counter.h"
#include "paddock/stress/oracle/violation.h"

namespace paddock {

// What was done where.
struct MemoryPlace {
  std::string_view what;
  uint32_t cpu = 0;
  uint32_t space = 0;
  VirtAddr va = {};  // of the first byte
};

// How many bytes were done, and why no more.
struct MemoryEnd {
  uint64_t bytes = 0;
  absl::StatusCode code = absl::StatusCode::kOk;

  friend bool operator==(const MemoryEnd&, const MemoryEnd&) = default;
};

class MemoryOracle {
 public:
  using Bytes = std::span<const std::byte>;

  MemoryOracle(uint32_t workers, ViolationSink& sink) : sink_(sink), checks_(workers) {}

  // `read`, which is as long as `written`, is exactly that.
  bool CheckBytes(uint32_t worker, const MemoryPlace& place, Bytes written, Bytes read);
  // Each byte of `read` stands in `before` or in `after` at the same place.
  bool CheckOneOf(uint32_t worker, const MemoryPlace& place, Bytes before, Bytes after, Bytes read);
  bool CheckEnd(uint32_t worker, const MemoryPlace& place, const MemoryEnd& expected,
                const MemoryEnd& done);
  // Anything else; `describe` says what is wrong, after the place.
  bool CheckThat(uint32_t worker, const MemoryPlace& place, bool holds,
                 absl::FunctionRef<std::string()> describe) {
    checks_.Add(worker);
    if (!holds) Report(place, describe);
    return holds;
  }

  uint64_t checks() const { return checks_.Sum(); }
  OracleResult result() const;

 private:
  void Report(const MemoryPlace& place, absl::FunctionRef<std::string()> describe);

  ViolationSink& sink_;
  CheckCounter checks_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_MEMORY_ORACLE_H_
