// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/facts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "paddock/stress/report/text_format.h"

namespace paddock {
namespace {

constexpr size_t kShownExamples = 3;

std::string Counts(const std::map<std::string, uint64_t>& counts) {
  if (counts.empty()) return "nothing";
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& count) {
    absl::StrAppend(out, WithThousands(count.second), " ", count.first);
  });
}

}  // namespace

std::vector<FactGroup> MachineFacts(const Summary& summary) {
  const auto n = WithThousands;
  return {{"locks",
           {{"acquired", n(summary.locks.acquired)},
            {"contended", n(summary.locks.contended)},
            {"stray retries", n(summary.locks.stray_retries)}}},
          {"TLB",
           {{"operations issued", n(summary.tlb.issued)},
            {"batches", n(summary.tlb.batches)},
            {"interrupts sent", n(summary.tlb.interrupts)},
            {"interrupts saved", n(summary.tlb.interrupts_saved)},
            {"full flushes", n(summary.tlb.full_flushes)},
            {"CPUs skipped", n(summary.tlb.lazy_skips)},
            {"late flushes", n(summary.tlb.lazy_catchups)}}},
          {"RCU",
           {{"grace periods", n(summary.rcu.grace_periods)},
            {"longest", HumanDuration(summary.rcu.longest_ns)},
            {"peak backlog", n(summary.rcu.peak_backlog)}}},
          {"frames",
           {{"total", n(summary.frames.total)},
            {"peak", n(summary.frames.peak)},
            {"leaked", n(summary.frames.leaked)}}}};
}

std::vector<FactGroup> TraceFacts(const Summary& summary) {
  const auto n = WithThousands;
  std::vector<FactGroup> groups;
  groups.reserve(summary.traces.size());
  for (const TraceSummary& trace : summary.traces) {
    FactGroup group{absl::StrCat("trace ", trace.file),
                    {{"lines", n(trace.lines)},
                     {"replayed", Counts(trace.replayed)},
                     {"skipped", Counts(trace.skipped)},
                     {"not understood", n(trace.not_understood)}}};
    for (size_t i = 0; i < std::min(trace.examples.size(), kShownExamples); ++i) {
      group.facts.push_back(
          {absl::StrCat("- line ", trace.examples[i].number), trace.examples[i].reason});
    }
    group.facts.push_back({"processes", n(trace.processes)});
    group.facts.push_back({"threads", n(trace.threads)});
    groups.push_back(std::move(group));
  }
  return groups;
}

std::string IdleNote(const OracleResult& oracle) {
  if (oracle.checks != 0 || oracle.violations != 0) return "";
  return oracle.Passed() ? "not exercised by this run" : "checked nothing";
}

}  // namespace paddock
