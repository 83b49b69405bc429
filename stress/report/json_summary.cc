// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/json_summary.h"

#include "nlohmann/json.hpp"

namespace paddock {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;

Json Operations(const Summary& summary) {
  Json operations = Json::object();
  for (const OperationSummary& operation : summary.operations) {
    operations[operation.name] = {{"count", operation.count},
                                  {"p50_ns", operation.p50_ns},
                                  {"p99_ns", operation.p99_ns},
                                  {"max_ns", operation.max_ns}};
  }
  return operations;
}

Json Oracles(const Summary& summary) {
  Json oracles = Json::object();
  const auto put = [&](const std::string& name, uint64_t checks, uint64_t violations) {
    oracles[name] = {{"checks", checks}, {"violations", violations}};
  };
  for (const std::string_view name : {kSerializabilityOracle, kWalkerOracle, kTlbOracle,
                                      kMemoryOracle, kAgeingOracle, kBooksOracle}) {
    put(std::string(name), 0, 0);
  }
  for (const OracleResult& oracle : summary.oracles) {
    put(oracle.name, oracle.checks, oracle.violations);
  }
  return oracles;
}

Json Violations(const Summary& summary) {
  Json violations = Json::array();
  for (const Violation& violation : summary.violations) {
    violations.push_back({{"oracle", violation.oracle},
                          {"message", violation.message},
                          {"reproduce", violation.reproduce}});
  }
  return violations;
}

Json Counts(const std::map<std::string, uint64_t>& counts) {
  Json object = Json::object();
  for (const auto& [name, lines] : counts) object[name] = lines;
  return object;
}

Json Examples(const TraceSummary& trace) {
  Json examples = Json::array();
  for (const TraceSummary::Line& line : trace.examples) {
    examples.push_back({{"line", line.number}, {"reason", line.reason}});
  }
  return examples;
}

Json Traces(const Summary& summary) {
  Json traces = Json::array();
  for (const TraceSummary& trace : summary.traces) {
    traces.push_back({{"file", trace.file},
                      {"lines", trace.lines},
                      {"replayed", Counts(trace.replayed)},
                      {"skipped", Counts(trace.skipped)},
                      {"not_understood", trace.not_understood},
                      {"not_understood_examples", Examples(trace)},
                      {"processes", trace.processes},
                      {"threads", trace.threads}});
  }
  return traces;
}

}  // namespace

std::string JsonSummary(const Summary& summary) {
  Json json = {{"schema", kSchema},
               {"seed", summary.seed},
               {"command", summary.command},
               {"verdict", VerdictName(summary.verdict())},
               {"seconds", summary.seconds},
               {"threads", summary.threads},
               {"transactions", summary.transactions},
               {"operations", Operations(summary)},
               {"oracles", Oracles(summary)},
               {"violations", Violations(summary)},
               {"locks",
                {{"acquired", summary.locks.acquired},
                 {"contended", summary.locks.contended},
                 {"stray_retries", summary.locks.stray_retries}}},
               {"tlb",
                {{"issued", summary.tlb.issued},
                 {"batches", summary.tlb.batches},
                 {"interrupts", summary.tlb.interrupts},
                 {"interrupts_saved", summary.tlb.interrupts_saved},
                 {"full_flushes", summary.tlb.full_flushes},
                 {"lazy_skips", summary.tlb.lazy_skips},
                 {"lazy_catchups", summary.tlb.lazy_catchups}}},
               {"rcu",
                {{"grace_periods", summary.rcu.grace_periods},
                 {"longest_ns", summary.rcu.longest_ns},
                 {"peak_backlog", summary.rcu.peak_backlog}}},
               {"frames",
                {{"total", summary.frames.total},
                 {"peak", summary.frames.peak},
                 {"leaked", summary.frames.leaked}}}};
  if (!summary.not_run.empty()) json["not_run"] = summary.not_run;
  if (!summary.traces.empty()) json["trace"] = Traces(summary);
  return json.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) + "\n";
}

}  // namespace paddock
