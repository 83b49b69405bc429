// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace paddock {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/atomic_file_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  fs::path directory_;
};

TEST_F(AtomicFileTest, WritesAndReplacesAndLeavesNoTemporary) {
  const fs::path path = directory_ / "report.json";
  const std::string large(1 << 20, 'x');
  ASSERT_TRUE(WriteFileAtomically(path, large).ok());
  EXPECT_EQ(Read(path), large);
  ASSERT_TRUE(WriteFileAtomically(path, "short").ok());
  EXPECT_EQ(Read(path), "short");
  EXPECT_THAT(Names(), ElementsAre("report.json"));
}

TEST_F(AtomicFileTest, ANewFileIsReadableAsAnyOther) {
  const mode_t old = umask(022);
  const fs::path path = directory_ / "report.json";
  ASSERT_TRUE(WriteFileAtomically(path, "x").ok());
  umask(old);
  EXPECT_EQ(fs::status(path).permissions(), fs::perms{0644});
}

TEST_F(AtomicFileTest, AMissingDirectoryIsAnErrorThatNamesTheFile) {
  const fs::path path = directory_ / "missing" / "report.json";
  const absl::Status status = WriteFileAtomically(path, "x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string()));
}

TEST_F(AtomicFileTest, AnUnwritableDirectoryLeavesTheOldReport) {
  if (geteuid() == 0) GTEST_SKIP() << "root writes everywhere";
  const fs::path path = directory_ / "report.json";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  fs::permissions(directory_, fs::perms{0555});
  const absl::Status status = WriteFileAtomically(path, "new");
  fs::permissions(directory_, fs::perms{0755});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("report.json"));
  EXPECT_EQ(Read(path), "old");
}

TEST_F(AtomicFileTest, ADirectoryInTheWayIsRefusedAndNothingRemains) {
  const fs::path path = directory_ / "report.json";
  fs::create_directory(path);
  const absl::Status status = WriteFileAtomically(path, "x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path.string()));
  EXPECT_THAT(Names(), ElementsAre("report.json"));
}

TEST_F(AtomicFileTest, AFullDeviceIsAnError) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  const absl::Status status = WriteFileAtomically("/dev/full", "x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full"));
}

TEST_F(AtomicFileTest, ASymbolicLinkKeepsPointing) {
  const fs::path target = directory_ / "target.json";
  const fs::path link = directory_ / "link.json";
  ASSERT_TRUE(WriteFileAtomically(target, "old").ok());
  fs::create_symlink(target, link);
  ASSERT_TRUE(WriteFileAtomically(link, "new").ok());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(Read(target), "new");
}

TEST_F(AtomicFileTest, ASymbolicLinkToWhatDoesNotExistKeepsPointing) {
  const fs::path link = directory_ / "link.json";
  const fs::path second = directory_ / "second.json";
  fs::create_symlink("second.json", link);
  fs::create_symlink(directory_ / "target.json", second);
  ASSERT_TRUE(CheckFileWritable(link).ok());
  ASSERT_TRUE(WriteFileAtomically(link, "new").ok());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_TRUE(fs::is_symlink(second));
  EXPECT_EQ(Read(directory_ / "target.json"), "new");
}

TEST_F(AtomicFileTest, LinksInACircleAreRefused) {
  const fs::path path = directory_ / "link.json";
  fs::create_symlink("link.json", path);
  EXPECT_FALSE(CheckFileWritable(path).ok());
  EXPECT_FALSE(WriteFileAtomically(path, "x").ok());
  EXPECT_TRUE(fs::is_symlink(path));
}

TEST_F(AtomicFileTest, WritingDoesNotChangeHowOthersCreateFiles) {
  const mode_t old = umask(022);
  std::atomic<bool> stop{false};
  std::thread checking([&] {
    while (!stop.load()) EXPECT_TRUE(CheckFileWritable(directory_ / "report.json").ok());
  });
  mode_t widest = 0;
  const fs::path other = directory_ / "other";
  for (int i = 0; i < 5000; ++i) {
    close(open(other.c_str(), O_WRONLY | O_CREAT, 0666));
    widest |= static_cast<mode_t>(fs::status(other).permissions());
    fs::remove(other);
  }
  stop.store(true);
  checking.join();
  umask(old);
  EXPECT_EQ(widest, 0644u);
}

TEST_F(AtomicFileTest, TheFileOfStandardOutputIsWrittenInTurn) {
  const fs::path path = directory_ / "out";
  std::fflush(stdout);
  const int saved = dup(STDOUT_FILENO);
  const int out = open(path.c_str(), O_WRONLY | O_CREAT, 0666);
  ASSERT_EQ(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
  std::printf("before ");
  const absl::Status checked = CheckFileWritable("/dev/stdout");
  const absl::Status written = WriteFileAtomically("/dev/stdout", "report ");
  const absl::Status again = WriteFileAtomically(path, "and another ");
  std::printf("after");
  std::fflush(stdout);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(out);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_TRUE(written.ok()) << written;
  EXPECT_TRUE(again.ok()) << again;
  EXPECT_EQ(Read(path), "before report and another after");
}

TEST_F(AtomicFileTest, ADeviceIsWrittenDirectly) {
  EXPECT_TRUE(WriteFileAtomically("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(AtomicFileTest, ACheckFindsAPlaceAndLeavesEverythingAsItIs) {
  const fs::path path = directory_ / "report.json";
  EXPECT_TRUE(CheckFileWritable(path).ok());
  EXPECT_THAT(Names(), ElementsAre());
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  EXPECT_TRUE(CheckFileWritable(path).ok());
  EXPECT_EQ(Read(path), "old");
  EXPECT_THAT(Names(), ElementsAre("report.json"));
  EXPECT_TRUE(CheckFileWritable("/dev/null").ok());
}

TEST_F(AtomicFileTest, ACheckRefusesWhatWritingWouldRefuse) {
  for (const fs::path& path : {directory_, directory_ / "missing" / "report.json", fs::path()}) {
    const absl::Status checked = CheckFileWritable(path);
    EXPECT_FALSE(checked.ok()) << path;
    EXPECT_EQ(checked, WriteFileAtomically(path, "x"));
  }
}

TEST_F(AtomicFileTest, AnEmptyNameIsRefused) {
  EXPECT_EQ(WriteFileAtomically("", "x").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace paddock
