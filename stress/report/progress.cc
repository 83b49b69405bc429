// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/report/text_format.h"

namespace paddock {
namespace {

constexpr double kBarInterval = 0.1;
constexpr size_t kBarCells = 24;

ProgressMode Resolve(ProgressMode mode, Output kind) {
  if (mode != ProgressMode::kAuto) return mode;
  return kind == Output::kTerminal ? ProgressMode::kBar : ProgressMode::kNone;
}

std::string Bar(double fraction) {
  const size_t full = static_cast<size_t>(fraction * kBarCells);
  return absl::StrCat("[", std::string(full, '#'), std::string(kBarCells - full, '.'), "] ");
}

}  // namespace

std::optional<ProgressMode> ParseProgressMode(std::string_view name) {
  if (name == "auto") return ProgressMode::kAuto;
  if (name == "bar") return ProgressMode::kBar;
  if (name == "plain") return ProgressMode::kPlain;
  if (name == "none") return ProgressMode::kNone;
  return std::nullopt;
}

std::optional<double> ProgressFraction(const ProgressGoal& goal, const ProgressState& state) {
  std::optional<double> fraction;
  if (goal.seconds > 0) fraction = state.elapsed_s / goal.seconds;
  if (goal.steps != 0) {
    const double done = static_cast<double>(state.steps) / static_cast<double>(goal.steps);
    fraction = std::max(fraction.value_or(0), done);
  }
  if (fraction) fraction = std::clamp(*fraction, 0.0, 1.0);
  return fraction;
}

std::string FormatProgress(const ProgressGoal& goal, const ProgressState& state, double rate) {
  const auto per_second = static_cast<uint64_t>(std::max(rate, 0.0));
  std::string line =
      absl::StrFormat("%.1f s  %s operations  %s  %s violation%s", state.elapsed_s,
                      WithThousands(state.operations), HumanRate(per_second, 1.0),
                      WithThousands(state.violations), state.violations == 1 ? "" : "s");
  const std::optional<double> fraction = ProgressFraction(goal, state);
  if (fraction && *fraction > 0) {
    absl::StrAppendFormat(&line, "  %.1f s left", state.elapsed_s / *fraction * (1 - *fraction));
  }
  return line;
}

ProgressLine::ProgressLine(ProgressMode mode, ProgressGoal goal, std::FILE* out, Output kind,
                           double plain_interval_s)
    : mode_(Resolve(mode, kind)),
      goal_(goal),
      out_(out),
      interval_s_(mode_ == ProgressMode::kBar ? kBarInterval : plain_interval_s) {}

void ProgressLine::Update(const ProgressState& state) {
  if (mode_ == ProgressMode::kNone) return;
  const ProgressState before = last_.value_or(ProgressState{});
  const double passed = state.elapsed_s - before.elapsed_s;
  if (passed < interval_s_) return;
  const double rate = static_cast<double>(state.operations - before.operations) / passed;
  last_ = state;
  const std::string line = FormatProgress(goal_, state, rate);
  if (mode_ == ProgressMode::kPlain) {
    std::fprintf(out_, "%s\n", line.c_str());
  } else {
    const std::optional<double> fraction = ProgressFraction(goal_, state);
    const std::string shown = absl::StrCat(fraction ? Bar(*fraction) : "", line);
    // Blanks over what a longer line left.
    const size_t blanks = width_ > shown.size() ? width_ - shown.size() : 0;
    std::fprintf(out_, "\r%s%s", shown.c_str(), std::string(blanks, ' ').c_str());
    width_ = shown.size();
  }
  std::fflush(out_);
}

void ProgressLine::Finish() {
  if (width_ == 0) return;
  std::fprintf(out_, "\r%s\r", std::string(width_, ' ').c_str());
  std::fflush(out_);
  width_ = 0;
}

}  // namespace paddock
