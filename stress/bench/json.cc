// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/json.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace paddock::bench {
namespace {

using nlohmann::json;

constexpr const char* kThreads = "/threads:";

const Series& SeriesOf(const Results& results, const CaseId& id) {
  return *std::find_if(results.series().begin(), results.series().end(),
                       [&](const Series& each) { return each.id == id; });
}

json JsonRow(const Row& row, const Series& series, const RatioTable& ratios) {
  json samples = json::array();
  json units = json::array();
  for (const Sample& sample : series.samples) {
    samples.push_back(sample.ns);
    units.push_back(sample.unit_ns);
  }
  json each = {{"name", row.id.Text()},       {"median_ns", row.median_ns},
               {"spread", row.spread},        {"ratio", row.ratio},
               {"target", nullptr},           {"verdict", nullptr},
               {"baselines", json::object()}, {"samples_ns", std::move(samples)},
               {"unit_ns", std::move(units)}};
  if (row.comparison) {
    each["baselines"][row.ReferenceText()] = row.compared_ratio;
    if (row.comparison->target) {
      each["target"] = *row.comparison->target;
      each["verdict"] = VerdictName(row.verdict);
    }
  }
  for (const RatioTable::Line& line : ratios.lines) {
    if (line.subject != row.id) continue;
    for (size_t i = 0; i < line.ratios.size(); ++i) {
      if (line.ratios[i]) each["baselines"][ratios.columns[i]] = *line.ratios[i];
    }
  }
  return each;
}

absl::Status WrongRow(size_t index, const std::string& rule) {
  return absl::InvalidArgumentError(absl::StrCat("row ", index, ": ", rule));
}

std::optional<CaseId> ParseId(const std::string& text) {
  const size_t at = text.rfind(kThreads);
  CaseId id;
  if (at == std::string::npos || at == 0) return std::nullopt;
  id.name = text.substr(0, at);
  const std::string threads = text.substr(at + std::strlen(kThreads));
  if (!absl::SimpleAtoi(threads, &id.threads) || id.threads < 1) return std::nullopt;
  return id;
}

bool ArePositiveNumbers(const json& list) {
  return list.is_array() && !list.empty() &&
         std::all_of(list.begin(), list.end(),
                     [](const json& n) { return n.is_number() && n.get<double>() > 0; });
}

absl::StatusOr<Series> ParseSeries(const json& row, size_t index) {
  const std::optional<CaseId> id = ParseId(row["name"].get<std::string>());
  if (!id) {
    return WrongRow(index, absl::StrCat("name ", row["name"].dump(), " is not CASE/threads:N"));
  }
  if (!row.contains("samples_ns") || !row.contains("unit_ns")) {
    return WrongRow(index,
                    "it has no samples_ns and unit_ns: written by an older ./paddock bench?");
  }
  const json& samples = row["samples_ns"];
  const json& units = row["unit_ns"];
  if (!ArePositiveNumbers(samples) || !ArePositiveNumbers(units) ||
      samples.size() != units.size()) {
    return WrongRow(index, "samples_ns and unit_ns are not equally many numbers above 0");
  }
  Series series{*id, {}};
  for (size_t i = 0; i < samples.size(); ++i) {
    series.samples.push_back({samples[i].get<double>(), units[i].get<double>()});
  }
  return series;
}

}  // namespace

std::string JsonText(const Results& results, const std::string& machine) {
  json rows = json::array();
  const RatioTable ratios = results.Ratios();
  for (const Row& row : results.Rows()) {
    rows.push_back(JsonRow(row, SeriesOf(results, row.id), ratios));
  }
  for (const Figure& figure : results.figures()) {
    rows.push_back({{"name", figure.name},
                    {"value", figure.value},
                    {"unit", figure.unit},
                    {"target", figure.target},
                    {"verdict", VerdictName(figure.verdict())}});
  }
  for (json& row : rows) row["machine"] = machine;
  return rows.dump(2) + "\n";
}

absl::StatusOr<OlderRun> ParseJson(const std::string& text) {
  const json rows = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (rows.is_discarded()) return absl::InvalidArgumentError("it is not JSON");
  if (!rows.is_array()) {
    return absl::InvalidArgumentError("it is not an array of rows, as ./paddock bench writes it");
  }
  OlderRun run;
  for (size_t i = 0; i < rows.size(); ++i) {
    const json& row = rows[i];
    if (!row.is_object() || !row.contains("name") || !row["name"].is_string()) {
      return WrongRow(i, "it is not an object with a name, as ./paddock bench writes it");
    }
    if (row.contains("machine") && row["machine"].is_string()) run.machine = row["machine"];
    if (row.contains("value")) continue;
    absl::StatusOr<Series> series = ParseSeries(row, i);
    if (!series.ok()) return series.status();
    run.series.push_back(*std::move(series));
  }
  if (run.series.empty()) return absl::InvalidArgumentError("it has no rows with repetitions");
  return run;
}

}  // namespace paddock::bench
