// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/trace.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace paddock::model {
namespace {

constexpr size_t kTickWidth = 6;
constexpr size_t kColumnWidth = 28;

void PadTo(std::string& line, size_t width) {
  if (line.size() < width) line.append(width - line.size(), ' ');
}

}  // namespace

std::string ShortPlace(std::string_view file, uint32_t line) {
  // Headers are reached through links of the build system.
  for (const std::string_view part : {"/_virtual_includes/", "/paddock/"}) {
    if (const size_t at = file.rfind(part); at != std::string_view::npos) {
      const size_t rest = file.find("/paddock/", at);
      file.remove_prefix(rest == std::string_view::npos ? at + part.size() : rest + 9);
      break;
    }
  }
  return std::string(file) + ":" + std::to_string(line);
}

std::string FormatTrace(const Trace& trace) {
  // Columns only for threads that have something to say.
  std::array<size_t, kMaxThreads> column{};
  std::string text = "  tick";
  size_t columns = 0;
  const auto threads = static_cast<ThreadId>(trace.threads.size());
  for (ThreadId thread = 0; thread < threads; ++thread) {
    const bool speaks = std::any_of(trace.steps.begin(), trace.steps.end(), [&](const Step& step) {
      return step.thread == thread && !step.quiet;
    });
    if (!speaks) continue;
    column[thread] = kTickWidth + 2 + columns++ * kColumnWidth;
    PadTo(text, column[thread]);
    text += "T" + std::to_string(thread) + " " + std::string(trace.threads[thread]);
  }
  text += '\n';
  for (const Step& step : trace.steps) {
    if (step.quiet) continue;
    std::string line = std::to_string(step.tick);
    line.insert(0, line.size() < kTickWidth ? kTickWidth - line.size() : 0, ' ');
    PadTo(line, column[step.thread]);
    line += step.what;
    if (step.where.line() != 0) line += "  " + ShortPlace(step.where);
    text += line + '\n';
  }
  return text;
}

}  // namespace paddock::model
