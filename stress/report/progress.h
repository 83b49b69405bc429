// SPDX-License-Identifier: Apache-2.0
//
// The line that a run shows while it runs: rate, violations, time left.
//
//   ProgressLine progress(*ParseProgressMode("auto"), {.seconds = 10}, stderr, kind);
//   while (running) progress.Update({.elapsed_s = ..., .operations = ..., .violations = ...});
//   progress.Finish();  // before anything else is printed
//
// kBar rewrites one line, at most ten times a second; kPlain prints a line every few seconds, for
// logs; kAuto is kBar on a terminal and kNone elsewhere. Thread safety: one thread.

#ifndef PADDOCK_STRESS_REPORT_PROGRESS_H_
#define PADDOCK_STRESS_REPORT_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace paddock {

enum class ProgressMode { kAuto, kBar, kPlain, kNone };
enum class Output { kTerminal, kOther };

// nullopt: not one of auto, bar, plain, none.
std::optional<ProgressMode> ParseProgressMode(std::string_view name);

// When the run will end: after a time, after a number of steps, or unknown if both are 0.
struct ProgressGoal {
  double seconds = 0;
  uint64_t steps = 0;
};

struct ProgressState {
  double elapsed_s = 0;
  uint64_t operations = 0;
  uint64_t violations = 0;
  uint64_t steps = 0;  // of those of the goal; each is an operation or several
};

// How much is done, 0..1; nullopt if the end is unknown.
std::optional<double> ProgressFraction(const ProgressGoal& goal, const ProgressState& state);

// "12.3 s  4,567,890 operations  1.23 M/s  0 violations  7.7 s left", where `rate` is per second.
std::string FormatProgress(const ProgressGoal& goal, const ProgressState& state, double rate);

class ProgressLine {
 public:
  ProgressLine(ProgressMode mode, ProgressGoal goal, std::FILE* out, Output kind,
               double plain_interval_s = 5);

  // Cheap when nothing is due.
  void Update(const ProgressState& state);
  // Removes the bar.
  void Finish();

  ProgressMode mode() const { return mode_; }

 private:
  const ProgressMode mode_;  // never kAuto
  const ProgressGoal goal_;
  std::FILE* const out_;
  const double interval_s_;
  std::optional<ProgressState> last_;  // printed
  size_t width_ = 0;                   // of the bar on the screen
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_PROGRESS_H_
