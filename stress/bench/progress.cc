// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/bench/progress.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_format.h"
#include "paddock/concurrency/sync.h"

namespace paddock::bench {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kBetweenLines = 30 * kSecond;
constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

std::string ProgressText(size_t done, size_t all, uint64_t elapsed_ns, const std::string& what) {
  if (done == 0) return absl::StrFormat("0%%: %s", what);
  const uint64_t left = elapsed_ns / done * (all - done) / kSecond;
  return absl::StrFormat("%d%%, %d:%02d left: %s", 100 * done / all, left / 60, left % 60, what);
}

Progress::Progress(size_t steps)
    : steps_(steps), is_terminal_(isatty(STDERR_FILENO) == 1), start_ns_(sync::NowNs()) {}

Progress::~Progress() {
  if (is_terminal_) std::fputs(kEraseLine, stderr);
}

void Progress::Begin(const std::string& step) {
  const uint64_t now_ns = sync::NowNs();
  if (!is_terminal_ && shown_ns_ != 0 && now_ns - shown_ns_ < kBetweenLines) return;
  shown_ns_ = now_ns;
  const std::string text = ProgressText(done_, steps_, now_ns - start_ns_, step);
  if (is_terminal_) {
    std::fprintf(stderr, "%s%s", kEraseLine, text.c_str());
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

}  // namespace paddock::bench
