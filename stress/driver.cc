// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/driver.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "paddock/stress/campaign.h"
#include "paddock/stress/exit_status.h"
#include "paddock/stress/interrupt.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/progress.h"
#include "paddock/stress/report/text_format.h"
#include "paddock/stress/report/text_summary.h"
#include "paddock/stress/report/write_text.h"
#include "paddock/stress/reports.h"
#include "paddock/stress/trace/plan.h"
#include "paddock/stress/trace/small_trace.h"

namespace paddock {
namespace {

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
                    Campaign& campaign) {
  if (options.replay) return campaign.RunReplay(*options.replay);
  int timed = 0;
  for (const std::string& name : options.workloads) timed += name != kTraceWorkload ? 1 : 0;
  absl::Status status;
  for (const std::string& name : options.workloads) {
    if (!status.ok()) break;
    if (name != kTraceWorkload) {
      Budget budget;
      if (options.duration) budget.duration = *options.duration / timed;
      budget.steps = options.ops;
      status = campaign.RunGenerated(*FindWorkload(name), budget);
      continue;
    }
    for (const TracePlan& plan : plans) {
      if (status.ok()) status = campaign.RunTrace(plan);
    }
  }
  return status;
}

// The names of what RunAll runs, in its order.
std::vector<std::string> Parts(const StressOptions& options, const std::vector<TracePlan>& plans) {
  std::vector<std::string> parts;
  for (const std::string& name : options.workloads) {
    if (name != kTraceWorkload) {
      parts.push_back(name);
      continue;
    }
    for (const TracePlan& plan : plans) parts.push_back(absl::StrCat("trace ", plan.name));
  }
  return parts;
}

// Steps of all streams and generated workloads; 0 if they are bounded by time.
uint64_t StepsToDo(const StressOptions& options) {
  if (!options.ops) return 0;
  uint64_t steps = 0;
  for (const std::string& name : options.workloads) {
    if (name != kTraceWorkload) steps += StepsOfEach(*options.ops, options.threads);
  }
  return steps * options.threads;
}

// What the text summary does not say.
std::string Notes(const Campaign& campaign, const Summary& summary) {
  std::string text;
  for (const StreamDigest& digest : campaign.digests()) {
    absl::StrAppendFormat(&text, "streams of %s: digest %016x over %d steps\n", digest.workload,
                          digest.digest, digest.steps);
  }
  if (campaign.not_opened() != 0) {
    absl::StrAppend(&text, "cursors not opened in time: ", campaign.not_opened(), "\n");
  }
  if (campaign.faults() != 0) {
    absl::StrAppend(&text, "accesses that found no page or no right to it: ", campaign.faults(),
                    "\n");
  }
  if (campaign.exhausted() != 0) {
    absl::StrAppend(&text, "operations that found no memory: ", campaign.exhausted(), "\n");
  }
  const auto sum = [&](uint64_t OpStats::* counter) {
    return WithThousands(campaign.SumOf(counter));
  };
  if (campaign.SumOf(&OpStats::ordered_reads) != 0) {
    absl::StrAppend(&text, "reads of memory: ", sum(&OpStats::ordered_reads), " ordered, ",
                    sum(&OpStats::concurrent_reads), " beside one write, ",
                    sum(&OpStats::unordered_reads), " of shared memory; ", sum(&OpStats::resolved),
                    " page faults mapped, ", sum(&OpStats::refused_views),
                    " readers and writers refused\n");
  }
  if (campaign.SumOf(&OpStats::reused_pages) != 0) {
    absl::StrAppend(&text, "kernel areas: ", sum(&OpStats::reused_pages),
                    " pages of addresses used again, ", sum(&OpStats::window_full),
                    " areas found no addresses, ", sum(&OpStats::areas_abandoned),
                    " destroyed without a CPU\n");
  }
  if (!summary.violations.empty()) {
    absl::StrAppend(&text, "reproduce the first violation: ", summary.violations.front().reproduce,
                    "\n");
  }
  return text;
}

int ReportError(const absl::Status& status, std::FILE* err) {
  std::fprintf(err, "paddock stress: %s\n", std::string(status.message()).c_str());
  return kExitEnvironment;
}

// Writes all reports, then `text` to `out`. Returns the exit status.
int Deliver(const Summary& summary, const std::string& text, const StressOptions& options,
            std::FILE* out, std::FILE* err) {
  absl::Status delivered = WriteReports(summary, options);
  delivered.Update(WriteText(text, out));
  const int failed = delivered.ok() ? kExitPassed : ReportError(delivered, err);
  if (summary.verdict() == Verdict::kFail) return kExitViolation;
  if (failed != kExitPassed) return failed;
  if (summary.verdict() == Verdict::kPass) return kExitPassed;
  return kExitSignal + InterruptHandler::signal();
}

// A hang leaves threads that cannot be stopped: report and go.
[[noreturn]] void ReportHang(const Campaign& campaign, const std::vector<std::string>& parts,
                             const StressOptions& options, std::FILE* out, std::FILE* err) {
  Summary summary = campaign.SummariseHang();
  for (size_t i = summary.workloads.size(); i < parts.size(); ++i) {
    summary.not_run.push_back(parts[i]);
  }
  std::_Exit(Deliver(summary, TextSummary(summary), options, out, err));
}

}  // namespace

int RunStress(const StressOptions& options, std::FILE* out, std::FILE* err) {
  const StressEnvironment& environment = options.environment;
  if (!environment.shard_status_file.empty()) {
    const absl::Status touched = WriteFileAtomically(environment.shard_status_file, "");
    if (!touched.ok()) return ReportError(touched, err);
  }
  if (absl::Status status = CheckReports(options); !status.ok()) return ReportError(status, err);
  std::vector<TracePlan> plans;
  if (Names(options, kTraceWorkload)) {
    absl::StatusOr<std::vector<TracePlan>> loaded = LoadPlans(options);
    if (!loaded.ok()) return ReportError(loaded.status(), err);
    plans = *std::move(loaded);
  }
  const InterruptHandler interrupt;
  std::fprintf(err, "%s\n", options.Command().c_str());

  ProgressGoal goal;
  if (options.duration) goal.seconds = absl::ToDoubleSeconds(*options.duration);
  goal.steps = StepsToDo(options);
  ProgressLine progress(options.progress, goal, err,
                        isatty(fileno(err)) != 0 ? Output::kTerminal : Output::kOther);
  const std::vector<std::string> parts = Parts(options, plans);
  Campaign* running = nullptr;
  Campaign::Hooks hooks;
  hooks.interrupted = [] { return InterruptHandler::signal() != 0; };
  hooks.on_hang = [&](const std::string&) { ReportHang(*running, parts, options, out, err); };
  Campaign campaign(options, progress, std::move(hooks));
  running = &campaign;
  const absl::Status status = RunAll(options, plans, campaign);
  progress.Finish();

  const Summary summary = campaign.Summarise();
  if (!status.ok()) {
    const int failed = ReportError(status, err);
    if (summary.violation_count == 0) return failed;
  }
  return Deliver(summary, TextSummary(summary) + Notes(campaign, summary), options, out, err);
}

}  // namespace paddock
