// SPDX-License-Identifier: Apache-2.0
//
// Every program of the corpus, and every finding that was fixed, without the fuzzer; and that the
// judge is awake.

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "paddock/tests/fuzz/bytes.h"
#include "paddock/tests/fuzz/files.h"
#include "paddock/tests/fuzz/generate.h"
#include "paddock/tests/fuzz/replay.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock::fuzz {
namespace {

std::vector<std::string> Programs() {
  std::vector<std::string> paths;
  for (const char* folder : {"tests/fuzz/corpus", "tests/fuzz/regressions"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".steps") paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Corpus : public testing::TestWithParam<std::string> {};

TEST_P(Corpus, ReplaysAsTheModelSays) { EXPECT_TRUE(IsOk(Replay(Must(ReadProgram(GetParam()))))); }

INSTANTIATE_TEST_SUITE_P(All, Corpus, testing::ValuesIn(Programs()), [](const auto& path) {
  return std::filesystem::path(path.param).stem().string();
});

TEST(Replay, ProgramsOfOtherSeedsHold) {
  const uint64_t seed = TestSeed();
  for (uint64_t i = 0; i < 100; ++i) {
    const Program program = Generate(seed + i);
    ASSERT_TRUE(IsOk(Replay(program))) << Print(program);
  }
}

TEST(Replay, RandomBytesHold) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 100; ++i) {
    std::vector<uint8_t> bytes(32 * kStepBytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const Program program = Decode(bytes);
    ASSERT_TRUE(IsOk(Replay(program))) << Print(program);
  }
}

}  // namespace
}  // namespace paddock::fuzz
