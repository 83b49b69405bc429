// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/inject/injections.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace paddock {
namespace {

absl::Status Refuse(std::string_view item) {
  return absl::InvalidArgumentError(absl::StrCat(
      "no injection '", std::string(item), "'; there are ",
      absl::StrJoin(kInjectionNames, ", ",
                    [](std::string* out, std::string_view name) { out->append(name); }),
      "; alloc takes a probability: alloc=0.01"));
}

}  // namespace

std::string Injections::ToString() const {
  std::vector<std::string> items;
  for (int i = 0; i < kInjections; ++i) {
    if (!Has(static_cast<Injection>(i))) continue;
    items.emplace_back(kInjectionNames[i]);
    if (static_cast<Injection>(i) == Injection::kAlloc) {
      // The shortest text that reads as the same number.
      char digits[32];
      const auto end = std::to_chars(std::begin(digits), std::end(digits), alloc_probability).ptr;
      absl::StrAppend(&items.back(), "=", std::string(digits, end));
    }
  }
  return absl::StrJoin(items, ",");
}

absl::StatusOr<Injections> ParseInjections(std::string_view text) {
  Injections result;
  const std::vector<std::string> items = absl::StrSplit(std::string(text), ',', absl::SkipEmpty());
  if (!text.empty() && items.empty()) return Refuse(text);
  for (const std::string& item : items) {
    const size_t equals = item.find('=');
    const std::string name = item.substr(0, equals);
    const auto found = std::find(std::begin(kInjectionNames), std::end(kInjectionNames), name);
    if (found == std::end(kInjectionNames)) return Refuse(item);
    const auto injection = static_cast<Injection>(found - std::begin(kInjectionNames));
    result.Add(injection);
    if (equals == std::string::npos) continue;
    if (injection != Injection::kAlloc) return Refuse(item);
    double probability = 0;
    if (!absl::SimpleAtod(item.substr(equals + 1), &probability) || !(probability > 0) ||
        probability >= 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("injection '", item, "': the probability must be above 0 and below 1"));
    }
    result.alloc_probability = probability;
  }
  return result;
}

}  // namespace paddock
