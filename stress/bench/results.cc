// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/results.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "paddock/stress/report/atomic_file.h"

namespace paddock::bench {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double Spread(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return (*high - *low) / Median(values);
}

// Repetitions that differ by more than this say nothing about a ratio near its target, and neither
// does a run in which threads that share nothing slow each other down by more than that.
constexpr double kNoisySpread = 0.6;
constexpr double kNoisyMachine = 1.1;

}  // namespace

std::optional<double> Row::target() const {
  if (!to_one_thread) return std::nullopt;
  return kTwoThreadTarget;
}

std::string Row::verdict() const {
  if (!to_one_thread) return "";
  if (*to_one_thread <= kTwoThreadTarget) return "pass";
  return spread > kNoisySpread || machine_ratio > kNoisyMachine ? "noisy" : "miss";
}

void Results::Add(const std::string& name, int threads, double ns_per_operation) {
  for (Case& each : samples_) {
    if (each.name != name || each.threads != threads) continue;
    each.ns.push_back(ns_per_operation);
    return;
  }
  samples_.push_back(Case{name, threads, {ns_per_operation}});
}

const Results::Case* Results::Find(const std::string& name, int threads) const {
  for (const Case& each : samples_) {
    if (each.name == name && each.threads == threads) return &each;
  }
  return nullptr;
}

std::vector<Row> Results::Rows() const {
  const Case* unit = Find(unit_, 1);
  const double unit_ns = unit == nullptr ? 0 : Median(unit->ns);
  std::vector<Row> rows;
  for (const Case& each : samples_) {
    Row row;
    row.name = each.name;
    row.threads = each.threads;
    row.median_ns = Median(each.ns);
    row.spread = Spread(each.ns);
    if (unit_ns > 0) row.ratio = row.median_ns / unit_ns;
    const Case* alone = Find(each.name, 1);
    if (each.threads > 1 && alone != nullptr) {
      row.to_one_thread = row.median_ns / Median(alone->ns);
      const Case* crowd = Find(unit_, each.threads);
      if (crowd != nullptr && unit_ns > 0) row.machine_ratio = Median(crowd->ns) / unit_ns;
    }
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.name, a.threads) < std::pair(b.name, b.threads);
  });
  return rows;
}

std::vector<Compared> Results::Comparisons() const {
  std::vector<Compared> compared;
  for (const Comparison& each : comparisons_) {
    const Case* const own = Find(each.name, 1);
    const Case* const other = Find(each.baseline, 1);
    if (own == nullptr || other == nullptr) continue;
    const double cost = Median(own->ns) / Median(other->ns);
    const bool is_cost = each.measure == Measure::kCost;
    Compared result{each, is_cost ? cost : 1 / cost, ""};
    if (each.target) {
      const bool passes = is_cost ? result.ratio <= *each.target : result.ratio >= *each.target;
      const bool is_noisy = std::max(Spread(own->ns), Spread(other->ns)) > kNoisySpread;
      result.verdict = passes ? "pass" : is_noisy ? "noisy" : "miss";
    }
    compared.push_back(std::move(result));
  }
  return compared;
}

std::string Results::ComparisonTable() const {
  const std::vector<Compared> compared = Comparisons();
  if (compared.empty()) return "";
  std::string table = absl::StrFormat("\n%-14s %-14s %-10s %7s %8s %s\n", "case", "compared with",
                                      "measure", "ratio", "target", "verdict");
  for (const Compared& each : compared) {
    const bool is_cost = each.what.measure == Measure::kCost;
    absl::StrAppendFormat(&table, "%-14s %-14s %-10s %7.2f", each.what.name, each.what.baseline,
                          is_cost ? "cost" : "throughput", each.ratio);
    if (each.what.target) {
      absl::StrAppendFormat(&table, " %s %5.2f %s", is_cost ? "<=" : ">=", *each.what.target,
                            each.verdict);
    }
    table += '\n';
  }
  return table;
}

std::string Results::Table() const {
  std::string note;
  std::string table =
      absl::StrFormat("%-14s %7s %10s %7s %8s %12s %8s %s\n", "case", "threads", "median ns",
                      "spread", "x L", "x one thread", "target", "verdict");
  for (const Row& row : Rows()) {
    absl::StrAppendFormat(&table, "%-14s %7d %10.1f %6.0f%% %8.2f", row.name, row.threads,
                          row.median_ns, row.spread * 100, row.ratio);
    if (row.to_one_thread) {
      absl::StrAppendFormat(&table, " %12.2f %8.2f %s", *row.to_one_thread, *row.target(),
                            row.verdict());
    }
    table += '\n';
    if (row.name == unit_ && row.machine_ratio > kNoisyMachine) {
      note = absl::StrFormat(
          "%s on %d threads that share nothing costs %.2f times what it costs on one: the machine "
          "is "
          "busy, or its CPUs\nshare a core. Divide by that before you read the ratios.\n",
          unit_, row.threads, row.machine_ratio);
    }
  }
  return table + note + ComparisonTable();
}

absl::Status Results::WriteJson(const std::string& path) const {
  nlohmann::json json = nlohmann::json::array();
  const std::vector<Compared> comparisons = Comparisons();
  for (const Row& row : Rows()) {
    nlohmann::json each = {{"name", absl::StrFormat("%s/threads:%d", row.name, row.threads)},
                           {"median_ns", row.median_ns},
                           {"spread", row.spread},
                           {"ratio", row.ratio},
                           {"target", nullptr},
                           {"verdict", nullptr},
                           {"baselines", nlohmann::json::object()}};
    if (row.to_one_thread) {
      each["target"] = *row.target();
      each["verdict"] = row.verdict();
      each["baselines"]["one_thread"] = *row.to_one_thread;
      each["baselines"]["machine"] = row.machine_ratio;
    }
    for (const Compared& compared : comparisons) {
      if (row.threads != 1 || row.name != compared.what.name) continue;
      if (compared.what.target) {
        each["target"] = *compared.what.target;
        each["verdict"] = compared.verdict;
      }
      each["baselines"][compared.what.baseline] = compared.ratio;
    }
    json.push_back(std::move(each));
  }
  return WriteFileAtomically(path, json.dump(2) + "\n");
}

}  // namespace paddock::bench
