// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/options.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

StressOptions Parse(const std::vector<std::string>& args, const StressEnvironment& env = {}) {
  absl::StatusOr<StressOptions> options = ParseStressOptions(args, env);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? *options : StressOptions();
}

std::string Refusal(const std::vector<std::string>& args, const StressEnvironment& env = {}) {
  absl::StatusOr<StressOptions> options = ParseStressOptions(args, env);
  EXPECT_TRUE(absl::IsInvalidArgument(options.status())) << options.status();
  return std::string(options.status().message());
}

TEST(StressOptions, DefaultIsMixedForTenSecondsAndThenTheBundledTrace) {
  const StressOptions options = Parse({});
  EXPECT_THAT(options.workloads, ElementsAre("mixed", "trace"));
  EXPECT_THAT(options.traces, IsEmpty());
  EXPECT_EQ(options.duration, absl::Seconds(10));
  EXPECT_FALSE(options.ops);
  EXPECT_GE(options.threads, 1u);
  EXPECT_EQ(options.pace, TracePace::kOrder);
  EXPECT_EQ(options.inject.set, 0);
}

TEST(StressOptions, ReadsEveryFlag) {
  const StressOptions options = Parse(
      {"--threads=3", "--duration", "1m30s", "--seed=0x1f", "--workload=tlb,trace",
       "--trace=a.zst,b.zst", "--pace=free", "--format=x86_64", "--memory=64MiB",
       "--inject=alloc=0.5,stall", "--progress=none", "--json=j", "--junit=u", "--report=r.html"});
  EXPECT_EQ(options.threads, 3u);
  EXPECT_EQ(options.duration, absl::Seconds(90));
  EXPECT_EQ(options.seed, 0x1fu);
  EXPECT_THAT(options.workloads, ElementsAre("tlb", "trace"));
  EXPECT_THAT(options.traces, ElementsAre("a.zst", "b.zst"));
  EXPECT_EQ(options.pace, TracePace::kFree);
  EXPECT_EQ(options.memory_bytes, uint64_t{64} << 20);
  EXPECT_TRUE(options.inject.Has(Injection::kAlloc));
  EXPECT_TRUE(options.inject.Has(Injection::kStall));
  EXPECT_FALSE(options.inject.Has(Injection::kDelay));
  EXPECT_EQ(options.inject.alloc_probability, 0.5);
  EXPECT_EQ(options.progress, ProgressMode::kNone);
  EXPECT_EQ(options.json, "j");
  EXPECT_EQ(options.junit, "u");
  EXPECT_EQ(options.report, "r.html");
}

TEST(StressOptions, FlagsOfOneCallDoNotReachTheNext) {
  Parse({"--workload=tlb", "--ops=5"});
  EXPECT_THAT(Parse({}).workloads, ElementsAre("mixed", "trace"));
}

TEST(StressOptions, OperationsReplaceTheDuration) {
  const StressOptions options = Parse({"--ops=1000"});
  EXPECT_EQ(options.ops, 1000u);
  EXPECT_FALSE(options.duration);
}

TEST(StressOptions, TraceAloneMeansTheTraceWorkloadWhichEndsByItself) {
  EXPECT_THAT(Parse({"--trace=a.zst"}).workloads, ElementsAre("trace"));
  EXPECT_FALSE(Parse({"--trace=a.zst"}).duration);
}

TEST(StressOptions, RefusesUnknownFlagsAndListsTheValidOnes) {
  EXPECT_THAT(Refusal({"--treads=2"}), HasSubstr("no flag --treads; there are --threads"));
  EXPECT_THAT(Refusal({"mixed"}), HasSubstr("'mixed' is no flag"));
  EXPECT_THAT(Refusal({"--seed"}), HasSubstr("--seed needs a value"));
  EXPECT_THAT(Refusal({"--seed="}), HasSubstr("--seed needs a value"));
}

TEST(StressOptions, RefusesUnknownWorkloadsAndListsTheValidOnes) {
  EXPECT_THAT(Refusal({"--workload=mixed,foo"}),
              HasSubstr("no workload 'foo'; there are disjoint, overlap, subtree, protect, huge, "
                        "spaces, tlb, io, kvirt, rcu, mixed, trace"));
  EXPECT_THAT(Refusal({"--workload=,"}), HasSubstr("names no workload"));
  EXPECT_THAT(Refusal({"--workload=mixed", "--trace=a"}), HasSubstr("--workload does not name"));
}

TEST(StressOptions, RefusesWrongAmounts) {
  for (const char* bad : {"0", "-1", "two", "1025"}) {
    EXPECT_THAT(Refusal({std::string("--threads=") + bad}), HasSubstr("a number from 1 to 1024"));
  }
  for (const char* bad : {"10", "0s", "-3s", "soon", "inf"}) {
    EXPECT_THAT(Refusal({std::string("--duration=") + bad}), HasSubstr("a time above 0"));
  }
  for (const char* bad : {"0", "-5", "many"}) {
    EXPECT_THAT(Refusal({std::string("--ops=") + bad}), HasSubstr("a number above 0"));
  }
  for (const char* bad : {"10", "x", "MiB", "3TiB", "99999999999GiB"}) {
    EXPECT_THAT(Refusal({std::string("--memory=") + bad}), HasSubstr("a multiple of 4 KiB"));
  }
  EXPECT_THAT(Refusal({"--memory=1MiB"}), HasSubstr("at least 4MiB"));
  EXPECT_THAT(Refusal({"--duration=1s", "--ops=5"}), HasSubstr("exclude each other"));
  EXPECT_THAT(Refusal({"--seed=xyz"}), HasSubstr("a number below 2^64"));
}

TEST(StressOptions, RefusesUnknownChoicesAndListsTheValidOnes) {
  EXPECT_THAT(Refusal({"--format=vax"}), HasSubstr("the formats are: x86_64"));
  EXPECT_THAT(Refusal({"--pace=slow"}), HasSubstr("order or free"));
  EXPECT_THAT(Refusal({"--progress=fancy"}), HasSubstr("auto, bar, plain or none"));
  EXPECT_THAT(Refusal({"--inject=rain"}),
              HasSubstr("no injection 'rain'; there are alloc, delay, stall, preempt, exhaust"));
  EXPECT_THAT(Refusal({"--inject=stall=2"}), HasSubstr("no injection 'stall=2'"));
  EXPECT_THAT(Refusal({"--inject=alloc=1.5"}), HasSubstr("above 0 and below 1"));
}

TEST(StressOptions, RefusesListsThatNameNothing) {
  EXPECT_THAT(Refusal({"--inject=,"}), HasSubstr("no injection ','; there are alloc, delay"));
  EXPECT_THAT(Refusal({"--trace=,"}), HasSubstr("--trace=,: names no file"));
}

TEST(StressOptions, AHexadecimalSeedSaysSo) {
  EXPECT_EQ(Parse({"--seed=0xabc"}).seed, 0xabcu);
  EXPECT_EQ(Parse({"--seed=0xffffffffffffffff"}).seed, ~uint64_t{0});
  for (const char* bad : {"abc", "0x", "12ab", "0x10000000000000000"}) {
    EXPECT_THAT(Refusal({std::string("--seed=") + bad}), HasSubstr("a number below 2^64"));
  }
}

TEST(StressOptions, ExhaustChoosesTheMemoryItself) {
  EXPECT_THAT(Refusal({"--inject=exhaust,delay", "--memory=64MiB"}), HasSubstr("give one of them"));
  EXPECT_THAT(Refusal({"--replay=tlb:7:3:40:exhaust", "--memory=64MiB"}),
              HasSubstr("give one of them"));
}

TEST(StressOptions, RefusesAFileThatIsNamedTwice) {
  EXPECT_THAT(Refusal({"--json=out", "--junit=out"}),
              HasSubstr("--junit=out: it is the file of --json too"));
  EXPECT_THAT(Refusal({"--junit=out", "--report=x/../out"}), HasSubstr("of --junit too"));
  EXPECT_THAT(Refusal({"--trace=run.zst", "--json=./run.zst"}), HasSubstr("of --trace too"));
  EXPECT_THAT(Parse({"--trace=a,a"}).traces, ElementsAre("a", "a")) << "read twice";
}

TEST(StressOptions, SeedComesFromTheFlagElseFromBazel) {
  StressEnvironment environment;
  environment.random_seed = "77";
  EXPECT_EQ(Parse({}, environment).seed, 77u);
  EXPECT_EQ(Parse({"--seed=5"}, environment).seed, 5u);
  environment.random_seed = "?";
  EXPECT_THAT(Refusal({}, environment), HasSubstr("TEST_RANDOM_SEED"));
}

TEST(StressOptions, ShardsHaveDifferentSeeds) {
  StressEnvironment first;
  first.total_shards = 4;
  StressEnvironment second = first;
  second.shard_index = 1;
  EXPECT_NE(Parse({"--seed=5"}, first).seed, Parse({"--seed=5"}, second).seed);
  EXPECT_EQ(Parse({"--seed=5"}, first).seed, Parse({"--seed=5"}, first).seed);
}

TEST(StressOptions, CommandRepeatsWhatMattersForTheRun) {
  const StressOptions options = Parse(
      {"--seed=5", "--threads=2", "--ops=10", "--workload=tlb", "--inject=delay", "--json=x"});
  EXPECT_EQ(options.Command(),
            "./paddock stress --seed=5 --threads=2 --workload=tlb --ops=10 --inject=delay");
}

TEST(StressOptions, CommandIsQuotedForTheShell) {
  EXPECT_THAT(Parse({"--trace=/tmp/a-1.txt.zst"}).Command(),
              HasSubstr(" --trace=/tmp/a-1.txt.zst"));
  EXPECT_THAT(Parse({"--trace=my run,it's"}).Command(), HasSubstr(" --trace='my run,it'\\''s'"));
}

TEST(StressOptions, CommandOfAReplayIsItsToken) {
  EXPECT_EQ(Parse({"--replay=tlb:7:3:40:stall", "--memory=64MiB"}).Command(),
            "./paddock stress --replay='tlb:7:3:40:stall' --memory=67108864");
}

TEST(StressOptions, ReplayTakesEverythingFromTheToken) {
  const StressOptions options = Parse({"--replay=tlb:7:3:40:stall"});
  EXPECT_THAT(options.workloads, ElementsAre("tlb"));
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.threads, 3u);
  EXPECT_TRUE(options.inject.Has(Injection::kStall));
  EXPECT_FALSE(options.duration);
  EXPECT_THAT(Refusal({"--replay=tlb:7:3:40", "--seed=2"}), HasSubstr("leave out"));
}

TEST(ReplayTokens, RoundTrip) {
  ReplayToken token{"mixed", ~uint64_t{0}, 2, 35, {}};
  EXPECT_EQ(*ParseReplayToken(ToString(token)), token);
  token.inject.Add(Injection::kAlloc);
  token.inject.Add(Injection::kPreempt);
  token.inject.alloc_probability = 0.25;
  EXPECT_EQ(ToString(token), "mixed:18446744073709551615:2:35:alloc=0.25,preempt");
  EXPECT_EQ(*ParseReplayToken(ToString(token)), token);
}

TEST(ReplayTokens, RepeatAProbabilityExactly) {
  ReplayToken token{"mixed", 1, 2, ~uint64_t{0}, {}};
  token.inject.Add(Injection::kAlloc);
  for (const double probability : {1.0 / 3, 0.012345678901234567, 1e-9, 0.99999999999999989}) {
    token.inject.alloc_probability = probability;
    EXPECT_EQ(*ParseReplayToken(ToString(token)), token) << ToString(token);
  }
}

TEST(ReplayTokens, RefuseWhatIsWrongWithAMessage) {
  const auto message = [](const char* text) {
    return std::string(ParseReplayToken(text).status().message());
  };
  EXPECT_THAT(message("mixed:1:2"), HasSubstr("WORKLOAD:SEED:THREADS:ROUND"));
  EXPECT_THAT(message("trace:1:2:3"), HasSubstr("'trace' is no workload with streams"));
  EXPECT_THAT(message("mixed:x:2:3"), HasSubstr("the seed is no number"));
  EXPECT_THAT(message("mixed:1:0:3"), HasSubstr("the number of threads is not 1 to 1024"));
  EXPECT_THAT(message("mixed:1:2:z"), HasSubstr("the round is no number"));
  EXPECT_THAT(message("mixed:1:2:3:rain"), HasSubstr("no injection 'rain'"));
}

TEST(StressHelpText, NamesEveryFlagAndWorkload) {
  const std::string help = StressHelp();
  for (const char* name : {"--threads", "--duration", "--ops", "--seed", "--workload", "--trace",
                           "--pace", "--format", "--memory", "--inject", "--progress", "--json",
                           "--junit", "--report", "--replay", "disjoint", "trace", "default"}) {
    EXPECT_THAT(help, HasSubstr(name));
  }
}

TEST(Bytes, HaveUnits) {
  EXPECT_EQ(*ParseBytes("4096"), 4096u);
  EXPECT_EQ(*ParseBytes("64KiB"), uint64_t{64} << 10);
  EXPECT_EQ(*ParseBytes("256MiB"), uint64_t{256} << 20);
  EXPECT_EQ(*ParseBytes("2G"), uint64_t{2} << 30);
  EXPECT_FALSE(ParseBytes("").ok());
  EXPECT_FALSE(ParseBytes("5000").ok());
}

}  // namespace
}  // namespace paddock
