// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/reports.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "paddock/stress/report/atomic_file.h"
#include "paddock/stress/report/html_summary.h"
#include "paddock/stress/report/json_summary.h"
#include "paddock/stress/report/junit_summary.h"
#include "paddock/stress/report/text_summary.h"

namespace paddock {
namespace {

std::string History(const Summary& summary) {
  std::string text;
  for (const Violation& violation : summary.violations) {
    absl::StrAppend(&text, violation.oracle, ": ", violation.message,
                    "\n  reproduce: ", violation.reproduce, "\n\n");
  }
  return text;
}

std::string ReproScript(const Summary& summary) {
  const std::string& command =
      summary.violations.empty() ? summary.command : summary.violations.front().reproduce;
  return absl::StrCat("#!/bin/sh\n# Run it in the root of the checkout.\nexec ", command,
                      " \"$@\"\n");
}

}  // namespace

absl::Status CheckReports(const StressOptions& options) {
  const std::string& outputs = options.environment.outputs_dir;
  for (const std::string& path : {options.json, options.junit, options.report,
                                  outputs.empty() ? "" : absl::StrCat(outputs, "/summary.txt")}) {
    if (path.empty()) continue;
    if (absl::Status status = CheckFileWritable(path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status WriteReports(const Summary& summary, const StressOptions& options) {
  absl::Status first;
  const auto write = [&](const std::string& path, const std::string& text) {
    const absl::Status status = WriteFileAtomically(path, text);
    if (first.ok()) first = status;
  };
  if (!options.json.empty()) write(options.json, JsonSummary(summary));
  if (!options.junit.empty()) write(options.junit, JunitSummary(summary));
  if (!options.report.empty()) write(options.report, HtmlSummary(summary));
  const std::string& outputs = options.environment.outputs_dir;
  if (outputs.empty()) return first;
  write(absl::StrCat(outputs, "/summary.txt"), TextSummary(summary));
  write(absl::StrCat(outputs, "/summary.json"), JsonSummary(summary));
  write(absl::StrCat(outputs, "/junit.xml"), JunitSummary(summary));
  if (summary.verdict() == Verdict::kFail) {
    write(absl::StrCat(outputs, "/history.txt"), History(summary));
    write(absl::StrCat(outputs, "/repro.sh"), ReproScript(summary));
  }
  return first;
}

}  // namespace paddock
