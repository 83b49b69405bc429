// SPDX-License-Identifier: Apache-2.0
//
// What an oracle found, and the place where all of them report it.
//
//   ViolationSink sink("./paddock stress --seed=7");
//   sink.Report("tlb", "cpu 1 read frame 0x5000 ...");
//   if (sink.count() != 0) { /* fail */ }
//
// Thread safety: `ViolationSink` takes reports from any thread. Cost: a report locks; nothing else
// does.

#ifndef PADDOCK_STRESS_ORACLE_VIOLATION_H_
#define PADDOCK_STRESS_ORACLE_VIOLATION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace paddock {

// The oracles' names, as the reports show them.
inline constexpr std::string_view kSerializabilityOracle = "serializability";
inline constexpr std::string_view kWalkerOracle = "walker";
inline constexpr std::string_view kTlbOracle = "tlb";
inline constexpr std::string_view kMemoryOracle = "memory";
inline constexpr std::string_view kAgeingOracle = "ageing";
inline constexpr std::string_view kBooksOracle = "books";

struct Violation {
  std::string oracle;
  std::string message;
  std::string reproduce;  // the command that runs it again
};

// An oracle that was to check something and checked nothing is a failure of the run.
enum class Expected { kChecks, kNothing };

struct OracleResult {
  std::string name = {};
  uint64_t checks = 0;
  uint64_t violations = 0;
  Expected expected = Expected::kChecks;

  bool Passed() const { return violations == 0 && (checks != 0 || expected == Expected::kNothing); }
};

class ViolationSink {
 public:
  // `reproduce` goes with every violation reported; the first `keep` are kept, the rest counted.
  explicit ViolationSink(std::string reproduce, size_t keep = 100);

  void Report(std::string_view oracle, std::string message);

  // All reported so far. Exact for the reports that happened before.
  uint64_t count() const { return count_.load(); }
  uint64_t count(std::string_view oracle) const;
  // Whether a further message would be thrown away: no need to build an expensive one.
  bool full() const { return count() >= keep_; }
  // Those kept, in the order of the reports.
  std::vector<Violation> violations() const;

 private:
  const std::string reproduce_;
  const size_t keep_;
  std::atomic<uint64_t> count_{0};
  mutable std::mutex mutex_;
  std::vector<Violation> kept_;
  std::map<std::string, uint64_t, std::less<>> by_oracle_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_VIOLATION_H_
