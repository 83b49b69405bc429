// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/steps.h"

#include "absl/strings/str_cat.h"

namespace paddock::fuzz {

std::string Print(const Step& step) {
  return std::visit([](const auto& one) { return PrintFields(one); }, step);
}

std::string Print(const Program& program) {
  std::string text = "{\n";
  for (const Step& step : program) absl::StrAppend(&text, "    ", Print(step), ",\n");
  return text + "}\n";
}

}  // namespace paddock::fuzz
