// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/driver.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/progress.h"
#include "paddock/stress/report/text_summary.h"
#include "paddock/stress/reports.h"
#include "paddock/stress/session.h"
#include "paddock/stress/trace/plan.h"
#include "paddock/stress/trace/small_trace.h"

namespace paddock {
namespace {

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void OnInterrupt(int) {
  g_interrupted.store(true);
  std::signal(SIGINT, SIG_DFL);
}

class InterruptHandler {
 public:
  InterruptHandler() {
    g_interrupted.store(false);
    previous_ = std::signal(SIGINT, &OnInterrupt);
  }
  ~InterruptHandler() { std::signal(SIGINT, previous_); }

 private:
  void (*previous_)(int);
};

absl::StatusOr<std::vector<TracePlan>> LoadPlans(const StressOptions& options) {
  std::vector<TracePlan> plans;
  if (options.traces.empty()) {
    TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);
    absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
    if (!plan.ok()) return plan.status();
    plans.push_back(*std::move(plan));
  }
  for (const std::string& file : options.traces) {
    absl::StatusOr<TracePlan> plan = LoadTracePlan(file);
    if (!plan.ok()) return plan.status();
    plans.push_back(*std::move(plan));
  }
  return plans;
}

bool Names(const StressOptions& options, std::string_view workload) {
  for (const std::string& name : options.workloads) {
    if (name == workload) return true;
  }
  return false;
}

absl::Status RunAll(const StressOptions& options, const std::vector<TracePlan>& plans,
                    Session& session) {
  if (options.replay) return session.RunReplay(*options.replay);
  int timed = 0;
  for (const std::string& name : options.workloads) timed += name != kTraceWorkload ? 1 : 0;
  absl::Status status;
  for (const std::string& name : options.workloads) {
    if (!status.ok() || session.finished()) break;
    if (name != kTraceWorkload) {
      Budget budget;
      if (options.duration) budget.duration = *options.duration / timed;
      budget.steps = options.ops;
      status = session.RunGenerated(*FindWorkload(name), budget);
      continue;
    }
    for (const TracePlan& plan : plans) {
      if (status.ok() && !session.finished()) status = session.RunTrace(plan);
    }
  }
  return status;
}

// What the text summary does not say.
std::string Notes(const Session& session, const Summary& summary) {
  std::string text;
  for (const StreamDigest& digest : session.digests()) {
    absl::StrAppendFormat(&text, "streams of %s: digest %016x over %d steps\n", digest.workload,
                          digest.digest, digest.steps);
  }
  if (session.not_opened() != 0) {
    absl::StrAppend(&text, "cursors not opened in time: ", session.not_opened(), "\n");
  }
  if (session.exhausted() != 0) {
    absl::StrAppend(&text, "operations that found no memory: ", session.exhausted(), "\n");
  }
  if (!summary.violations.empty()) {
    absl::StrAppend(&text, "reproduce the first violation: ", summary.violations.front().reproduce,
                    "\n");
  }
  return text;
}

// A hang leaves threads that cannot be stopped: report and go.
[[noreturn]] void ReportHang(const StressOptions& options, const ViolationSink& sink,
                             std::FILE* out) {
  Summary summary;
  summary.seed = options.seed;
  summary.command = options.Command();
  summary.threads = options.threads;
  summary.violations = sink.violations();
  summary.violation_count = sink.count();
  std::fputs(TextSummary(summary).c_str(), out);
  (void)WriteReports(summary, options);
  std::fflush(nullptr);
  std::_Exit(kExitViolation);
}

}  // namespace

int RunStress(const StressOptions& options, std::FILE* out, std::FILE* err) {
  const auto environment_error = [err](const absl::Status& status) {
    std::fprintf(err, "paddock stress: %s\n", std::string(status.message()).c_str());
    return kExitEnvironment;
  };
  const StressEnvironment& environment = options.environment;
  if (!environment.shard_status_file.empty()) {
    const absl::Status touched = WriteFileAtomically(environment.shard_status_file, "");
    if (!touched.ok()) return environment_error(touched);
  }
  std::vector<TracePlan> plans;
  if (Names(options, kTraceWorkload)) {
    absl::StatusOr<std::vector<TracePlan>> loaded = LoadPlans(options);
    if (!loaded.ok()) return environment_error(loaded.status());
    plans = *std::move(loaded);
  }
  std::fprintf(err, "%s\n", options.Command().c_str());

  const InterruptHandler interrupt;
  ProgressGoal goal;
  if (options.duration) goal.seconds = absl::ToDoubleSeconds(*options.duration);
  ProgressLine progress(options.progress, goal, err,
                        isatty(fileno(err)) != 0 ? Output::kTerminal : Output::kOther);
  Session* running = nullptr;
  Session::Hooks hooks;
  hooks.interrupted = [] { return g_interrupted.load(); };
  hooks.on_hang = [&](const std::string&) { ReportHang(options, running->oracles().sink, out); };
  Session session(options, progress, std::move(hooks));
  running = &session;
  const absl::Status status = RunAll(options, plans, session);
  progress.Finish();

  const Summary summary = session.Summarise();
  const bool violated = summary.violation_count != 0;
  if (!status.ok() && !violated) return environment_error(status);
  std::fputs(TextSummary(summary).c_str(), out);
  std::fputs(Notes(session, summary).c_str(), out);
  std::fflush(out);
  if (absl::Status written = WriteReports(summary, options); !written.ok()) {
    const int failed = environment_error(written);
    return summary.Passed() ? failed : kExitViolation;
  }
  return summary.Passed() ? kExitPassed : kExitViolation;
}

}  // namespace paddock
