// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/progress.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using testing::HasSubstr;
using testing::Not;

// A stream that is read back as a string.
class MemoryFile {
 public:
  MemoryFile() : file_(open_memstream(&text_, &size_)) {}
  ~MemoryFile() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return std::string(text_, size_);
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
};

TEST(ParseProgressMode, KnowsItsFourNames) {
  EXPECT_EQ(ParseProgressMode("auto"), ProgressMode::kAuto);
  EXPECT_EQ(ParseProgressMode("bar"), ProgressMode::kBar);
  EXPECT_EQ(ParseProgressMode("plain"), ProgressMode::kPlain);
  EXPECT_EQ(ParseProgressMode("none"), ProgressMode::kNone);
  EXPECT_EQ(ParseProgressMode("Bar"), std::nullopt);
}

TEST(FormatProgress, ShowsRateViolationsAndTimeLeft) {
  EXPECT_EQ(FormatProgress({.seconds = 20}, {5, 5'000'000, 1}, 1'250'000),
            "5.0 s  5,000,000 operations  1.25 M/s  1 violation  15.0 s left");
}

TEST(FormatProgress, TimeLeftFollowsFromTheStepsToDo) {
  EXPECT_THAT(FormatProgress({.steps = 1000}, {5, 7000, 0, 250}, 50), HasSubstr("15.0 s left"));
}

TEST(FormatProgress, SaysNothingOfAnEndThatIsUnknown) {
  EXPECT_THAT(FormatProgress({}, {5, 250, 0}, 50), Not(HasSubstr("left")));
}

TEST(ProgressLine, AutoIsABarOnATerminalAndNothingElsewhere) {
  MemoryFile out;
  EXPECT_EQ(ProgressLine(ProgressMode::kAuto, {}, out.file(), Output::kTerminal).mode(),
            ProgressMode::kBar);
  ProgressLine quiet(ProgressMode::kAuto, {.seconds = 10}, out.file(), Output::kOther);
  quiet.Update({5, 100, 0});
  quiet.Finish();
  EXPECT_EQ(out.text(), "");
}

TEST(ProgressLine, PlainPrintsOneLinePerInterval) {
  MemoryFile out;
  ProgressLine line(ProgressMode::kPlain, {.seconds = 10}, out.file(), Output::kOther, 2);
  for (double t = 0.5; t < 5; t += 0.5) line.Update({t, static_cast<uint64_t>(t * 1000), 0});
  line.Finish();
  EXPECT_EQ(out.text(),
            "2.0 s  2,000 operations  1.00 k/s  0 violations  8.0 s left\n"
            "4.0 s  4,000 operations  1.00 k/s  0 violations  6.0 s left\n");
}

TEST(ProgressLine, TheBarRewritesItsLineAndIsRemoved) {
  MemoryFile out;
  ProgressLine line(ProgressMode::kBar, {.seconds = 10}, out.file(), Output::kTerminal);
  line.Update({5, 5000, 0});
  line.Update({5.01, 5001, 0});
  EXPECT_EQ(out.text(),
            "\r[############............] 5.0 s  5,000 operations  1.00 k/s  "
            "0 violations  5.0 s left");
  line.Update({6, 4'000'000, 0});
  line.Finish();
  EXPECT_THAT(out.text(), Not(HasSubstr("\n")));
  EXPECT_EQ(out.text().back(), '\r');
}

}  // namespace
}  // namespace paddock
