// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/flag_reader.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

ABSL_FLAG(int32_t, sheep, 0, "sheep in the paddock");
ABSL_FLAG(std::string, colour, "", "their colour");

namespace paddock {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FlagReader : public ::testing::Test {
 protected:
  FlagReader() {
    absl::SetFlag(&FLAGS_sheep, 0);
    absl::SetFlag(&FLAGS_colour, "");
  }

  static absl::Status Read(const std::vector<std::string>& args) {
    return ReadFlags({"sheep", "colour"}, args);
  }

  static std::string Refusal(const std::vector<std::string>& args) {
    const absl::Status status = Read(args);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }
};

TEST_F(FlagReader, TakesAValueBehindAnEqualsSignOrASpace) {
  ASSERT_TRUE(Read({"--sheep=3", "--colour", "black=ish"}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_sheep), 3);
  EXPECT_EQ(absl::GetFlag(FLAGS_colour), "black=ish");
}

TEST_F(FlagReader, RefusesWhatIsNoFlagAndSaysWhatAFlagLooksLike) {
  EXPECT_THAT(Refusal({"--sheep=3", "3"}), AllOf(HasSubstr("'3'"), HasSubstr("--sheep=VALUE")));
  EXPECT_THAT(Refusal({"-s"}), HasSubstr("'-s' is no flag"));
}

TEST_F(FlagReader, RefusesAnUnknownFlagAndListsTheKnownOnes) {
  EXPECT_THAT(Refusal({"--goats=3"}), HasSubstr("no flag --goats; there are --sheep, --colour"));
}

TEST_F(FlagReader, RefusesAFlagWithoutAValue) {
  EXPECT_THAT(Refusal({"--sheep"}), HasSubstr("--sheep needs a value"));
  EXPECT_THAT(Refusal({"--sheep="}), HasSubstr("--sheep needs a value"));
  EXPECT_THAT(Refusal({"--sheep", "--colour=black"}), HasSubstr("--sheep needs a value"));
}

TEST_F(FlagReader, RefusesAValueOfTheWrongType) {
  EXPECT_THAT(Refusal({"--sheep=many"}), HasSubstr("--sheep=many: "));
}

TEST_F(FlagReader, DescribesFlagsInTheGivenOrder) {
  EXPECT_EQ(DescribeFlags({"colour", "sheep"}),
            "  --colour      their colour\n"
            "  --sheep       sheep in the paddock\n");
}

TEST_F(FlagReader, SeesTheWishForHelp) {
  EXPECT_TRUE(WantsHelp({"--sheep=2", "--help"}));
  EXPECT_TRUE(WantsHelp({"-h"}));
  EXPECT_FALSE(WantsHelp({"--sheep=2"}));
}

}  // namespace
}  // namespace paddock
