// SPDX-License-Identifier: Apache-2.0
//
// The forms of a program: text, bytes, value. And the corpus is what its command writes.

#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/tests/fuzz/bytes.h"
#include "paddock/tests/fuzz/files.h"
#include "paddock/tests/fuzz/generate.h"
#include "paddock/tests/fuzz/text.h"
#include "paddock/tests/support/random_seed.h"
#include "paddock/tests/support/status_checks.h"

namespace paddock::fuzz {
namespace {

using testing::HasSubstr;

std::vector<uint8_t> RandomBytes(std::mt19937_64& random) {
  std::vector<uint8_t> bytes(random() % 600);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

TEST(FuzzPrograms, AnyBytesAreAProgramThatTextAndBytesGiveBack) {
  std::mt19937_64 random(TestSeed());
  std::vector<bool> kinds(std::variant_size_v<Step>);
  for (int i = 0; i < 500; ++i) {
    const Program program = Decode(RandomBytes(random));
    for (const Step& step : program) kinds[step.index()] = true;
    ASSERT_EQ(Must(Parse(Print(program))), program);
    ASSERT_EQ(Must(Parse(FileText(program))), program);
    ASSERT_EQ(Decode(Must(Encode(program))), program) << Print(program);
  }
  for (size_t kind = 0; kind < kinds.size(); ++kind) EXPECT_TRUE(kinds[kind]) << kind;
}

TEST(FuzzPrograms, BytesOfAStepAreItsOwn) {
  const Program program = {NewAreaOp{.area = 1, .pages = 40}, MapOp{.pages = 512}, CloseOp{}};
  const std::vector<uint8_t> bytes = Must(Encode(program));
  ASSERT_EQ(bytes.size(), 3 * kStepBytes);
  const auto second = std::span(bytes).subspan(kStepBytes, kStepBytes);
  EXPECT_EQ(Decode(second), (Program{program[1]}));
}

TEST(FuzzPrograms, BytesThatAreCutAreAProgramToo) {
  std::mt19937_64 random(TestSeed());
  const std::vector<uint8_t> bytes = RandomBytes(random);
  for (size_t size = 0; size < std::min<size_t>(bytes.size(), 64); ++size) {
    const Program program = Decode(std::span(bytes).first(size));
    EXPECT_EQ(program.size(), (size + kStepBytes - 1) / kStepBytes);
    EXPECT_EQ(Decode(Must(Encode(program))), program);
  }
}

TEST(FuzzPrograms, ValuesWithoutBytesAreRefusedWithTheStep) {
  const auto refused = Encode({JumpOp{VirtAddr(0x123456789000)}});
  EXPECT_TRUE(Refused(refused, absl::StatusCode::kInvalidArgument, {"JumpOp{.to"}));
  EXPECT_TRUE(Refused(Encode(Program(kMaxSteps + 1, CloseOp{})), absl::StatusCode::kInvalidArgument,
                      {"65 steps"}));
}

TEST(FuzzText, FieldsMayBeLeftOutAndCommentsStandBetween) {
  const auto program = Parse(
      "// why\n{ OpenOp{.space = 1, .wait = Wait::kTry},  // a comment\n"
      "MapOp{.property = PageProperty{.software = 0x02}}, CloseOp{} }");
  EXPECT_EQ(Must(program), (Program{OpenOp{.space = 1, .wait = Wait::kTry},
                                    MapOp{.property = PageProperty{.software = 2}}, CloseOp{}}));
}

TEST(FuzzText, ErrorsNameTheLineAndWhatWasWanted) {
  const auto error = [](const char* text) { return std::string(Parse(text).status().message()); };
  EXPECT_THAT(error(""), HasSubstr("line 1: wanted {"));
  EXPECT_THAT(error("{\n  FlyOp{},\n}"), HasSubstr("line 2: wanted a step, found 'FlyOp"));
  EXPECT_THAT(error("{ MapOps{} }"), HasSubstr("wanted a step"));
  EXPECT_THAT(error("{ UnmapOp{.bytes = x} }"), HasSubstr("wanted a number, found 'x}"));
  EXPECT_THAT(error("{ UnmapOp{.pages = 1} }"), HasSubstr("a field of this type"));
  EXPECT_THAT(error("{ MapOp{.property = PageProperty{}, .pages = 1} }"),
              HasSubstr("a field of this type"));
  EXPECT_THAT(error("{ OpenOp{.space = 4294967296} }"), HasSubstr("a smaller number"));
  EXPECT_THAT(error("{ OpenOp{.intent = Intent::kFly} }"), HasSubstr("Intent::kMap"));
  EXPECT_THAT(error("{ CloseOp{} } }"), HasSubstr("wanted the end"));
  EXPECT_THAT(error("{ CloseOp{}"), HasSubstr("wanted }"));
}

TEST(FuzzCorpus, IsWhatItsCommandWrites) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string path = absl::StrFormat("tests/fuzz/corpus/seed_%02d.steps", seed);
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(text, FileText(Generate(seed))) << path << ": docs/fuzzing.md tells how it is made";
    EXPECT_TRUE(IsOk(Encode(Generate(seed))));
  }
}

}  // namespace
}  // namespace paddock::fuzz
