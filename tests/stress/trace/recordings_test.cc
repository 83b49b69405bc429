// SPDX-License-Identifier: Apache-2.0
//
// Real recordings: the one that every build carries, and those of the folder that the environment
// variable PADDOCK_TRACES names (bazel test --test_env=PADDOCK_TRACES=FOLDER).

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "paddock/stress/trace/plan.h"
#include "paddock/stress/trace/small_trace.h"

namespace paddock {
namespace {

std::map<std::string, uint64_t> OperationsByKind(const TracePlan& plan) {
  std::map<std::string, uint64_t> counts;
  for (const TraceProcess& process : plan.processes) {
    for (const TraceThread& thread : process.threads) {
      for (const TraceOperation& op : thread.operations) {
        ++counts[std::string(TraceOpKindName(op.kind))];
      }
    }
  }
  return counts;
}

void Print(const TracePlan& plan) {
  uint64_t waits = 0;
  for (const TraceProcess& process : plan.processes) waits += process.waits.size();
  std::cout << plan.name << ": " << plan.accounting.lines << " lines, " << plan.processes.size()
            << " processes, " << plan.ThreadCount() << " threads, " << plan.OperationCount()
            << " operations, " << waits << " waits, peak " << plan.sizing.peak_pages
            << " pages, touched " << plan.sizing.touched_pages << ", tables "
            << plan.sizing.table_pages << "\n";
  for (const auto& [kind, lines] : plan.accounting.planned) {
    std::cout << "  replayed " << kind << ": " << lines << " lines\n";
  }
  for (const auto& [reason, lines] : plan.accounting.skipped) {
    std::cout << "  skipped " << reason << ": " << lines << " lines\n";
  }
  std::cout << "  not understood: " << plan.accounting.not_understood << " lines\n";
  for (const auto& [kind, count] : OperationsByKind(plan)) {
    std::cout << "  " << kind << ": " << count << " operations\n";
  }
}

void CheckBooks(const TracePlan& plan) {
  const TraceAccounting& accounting = plan.accounting;
  uint64_t replayed = 0;
  uint64_t skipped = 0;
  for (const auto& [kind, lines] : accounting.planned) replayed += lines;
  for (const auto& [reason, lines] : accounting.skipped) skipped += lines;
  EXPECT_EQ(replayed + skipped + accounting.not_understood, accounting.lines);
  EXPECT_GT(accounting.lines, 0u);

  uint64_t lines = 0;
  std::set<uint32_t> seen;
  for (const TraceProcess& process : plan.processes) {
    for (const TraceThread& thread : process.threads) {
      const TraceOperation* before = nullptr;
      for (const TraceOperation& op : thread.operations) {
        ASSERT_LE(op.begin_ns, op.end_ns);
        ASSERT_FALSE(op.range.IsEmpty() || op.range.IsReversed());
        ASSERT_TRUE(op.range.IsAligned(kPageSize) && op.source.IsAligned(kPageSize));
        ASSERT_TRUE(seen.insert(op.first_line).second) << "line " << op.first_line;
        lines += op.first_line == op.last_line ? 1 : 2;
        if (op.first_line != op.last_line) {
          ASSERT_TRUE(seen.insert(op.last_line).second) << "line " << op.last_line;
        }
        if (before != nullptr) {
          ASSERT_LE(before->begin_ns, op.begin_ns);
        }
        before = &op;
      }
    }
  }
  EXPECT_EQ(lines, replayed) << "the lines of the operations are those counted as replayed";
}

TEST(SmallTrace, IsUnderstoodAndHasEveryKindOfEvent) {
  TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);
  const absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
  ASSERT_TRUE(plan.ok()) << plan.status();
  Print(*plan);
  CheckBooks(*plan);
  EXPECT_EQ(plan->accounting.not_understood, 0u);
  EXPECT_GE(plan->ThreadCount(), 2u);
  for (const char* event :
       {"page-faults", "mmap", "munmap", "mprotect", "brk", "madvise", "mremap"}) {
    EXPECT_GT(plan->accounting.planned.count(event), 0u) << event;
  }
  const auto kinds = OperationsByKind(*plan);
  EXPECT_GT(kinds.count("move"), 0u);
  EXPECT_GT(kinds.count("grow"), 0u);
}

std::string SmallTraceText() {
  TraceReader reader = TraceReader::FromMemory(SmallTrace(), kSmallTraceName);
  std::string text;
  while (true) {
    const absl::StatusOr<std::optional<std::string_view>> line = reader.Next();
    if (!line.ok() || !line->has_value()) return text;
    text.append(**line).append("\n");
  }
}

TEST(SmallTrace, DamagedAtRandomIsRefusedOrStillAddsUp) {
  const char* given = std::getenv("TEST_RANDOM_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::cout << "TEST_RANDOM_SEED=" << seed << "\n";
  SCOPED_TRACE("TEST_RANDOM_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string whole = SmallTraceText();
  ASSERT_FALSE(whole.empty());
  constexpr std::string_view kBytes = "0123456789abcdef0123456789abcdef x:,/.\n\t#-";
  int built = 0;
  for (int round = 0; round < 100 && !HasFatalFailure(); ++round) {
    std::string text = whole;
    for (uint64_t edits = random() % 400; edits > 0; --edits) {
      text[random() % text.size()] = kBytes[random() % kBytes.size()];
    }
    if (random() % 4 == 0) text.resize(random() % text.size());
    TraceReader reader = TraceReader::FromMemory(text, "damaged");
    const absl::StatusOr<TracePlan> plan = BuildTracePlan(reader);
    if (!plan.ok()) continue;
    CheckBooks(*plan);
    ++built;
  }
  EXPECT_GT(built, 0) << "nothing was checked";
}

TEST(RecordedTraces, AreUnderstood) {
  const char* folder = std::getenv("PADDOCK_TRACES");
  if (folder == nullptr) GTEST_SKIP() << "PADDOCK_TRACES names no folder of recordings";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (path.find(".perf.txt") == std::string::npos) continue;
    SCOPED_TRACE(path);
    const absl::StatusOr<TracePlan> plan = LoadTracePlan(path);
    ASSERT_TRUE(plan.ok()) << plan.status();
    Print(*plan);
    CheckBooks(*plan);
    EXPECT_LE(plan->accounting.not_understood, plan->accounting.lines / 1000);
    for (const auto& example : plan->accounting.examples) {
      std::cout << "  line " << example.line << ": " << example.reason << "\n";
    }
    ++files;
  }
  EXPECT_GT(files, 0) << "no *.perf.txt or *.perf.txt.zst in " << folder;
}

}  // namespace
}  // namespace paddock
