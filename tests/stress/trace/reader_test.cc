// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "paddock/stress/trace/small_trace.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Lines {
  std::vector<std::string> lines;
  absl::Status status;
};

Lines ReadAll(TraceReader reader) {
  Lines result;
  while (true) {
    absl::StatusOr<std::optional<std::string_view>> line = reader.Next();
    if (!line.ok()) {
      result.status = line.status();
      EXPECT_EQ(reader.Next().status(), line.status()) << "the error must stay";
      return result;
    }
    if (!line->has_value()) return result;
    result.lines.emplace_back(**line);
    EXPECT_EQ(reader.line_number(), result.lines.size());
  }
}

Lines ReadText(std::string_view text) { return ReadAll(TraceReader::FromMemory(text, "rec")); }

std::string WriteTemp(const std::string& name, std::string_view content) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

Lines ReadFile(const std::string& path) {
  absl::StatusOr<TraceReader> reader = TraceReader::Open(path);
  if (!reader.ok()) return {{}, reader.status()};
  return ReadAll(*std::move(reader));
}

// A zstd frame that holds `text` as one raw block (RFC 8878, 3.1.1).
std::string ZstdFrame(std::string_view text) {
  std::string frame("\x28\xb5\x2f\xfd\x20", 5);  // single segment, one byte of content size
  frame += static_cast<char>(text.size());
  const auto header = static_cast<uint32_t>(text.size() << 3 | 1);  // the last block
  for (int i = 0; i < 3; ++i) frame += static_cast<char>(header >> (8 * i));
  return frame.append(text);
}

TEST(TraceReader, GivesLinesWithoutTheirEnds) {
  const Lines read = ReadText("one\n\ntwo\r\n\tthree\n");
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_THAT(read.lines, ElementsAre("one", "", "two", "\tthree"));
}

TEST(TraceReader, JoinsLinesThatSpanChunks) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += "line " + std::to_string(i) + "\n";
  const Lines read = ReadFile(WriteTemp("chunks.txt", text));
  ASSERT_TRUE(read.status.ok()) << read.status;
  ASSERT_EQ(read.lines.size(), 30'000u);
  for (int i = 0; i < 30'000; ++i) ASSERT_EQ(read.lines[i], "line " + std::to_string(i));
}

TEST(TraceReader, ReadsZstdFromMemoryAndFromAFile) {
  const Lines memory = ReadAll(TraceReader::FromMemory(SmallTrace(), kSmallTraceName));
  EXPECT_TRUE(memory.status.ok()) << memory.status;
  EXPECT_GT(memory.lines.size(), 900u);
  const Lines file = ReadFile(WriteTemp("small.zst", SmallTrace()));
  EXPECT_TRUE(file.status.ok()) << file.status;
  EXPECT_EQ(file.lines, memory.lines);
}

TEST(TraceReader, ReadsSeveralZstdFramesAsOneText) {
  const Lines read = ReadText(ZstdFrame("one\nt") + ZstdFrame("wo\n"));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_THAT(read.lines, ElementsAre("one", "two"));
}

TEST(TraceReader, RefusesAnEmptyFile) {
  for (const Lines& read : {ReadFile(WriteTemp("empty", "")), ReadText(ZstdFrame(""))}) {
    EXPECT_EQ(read.status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(read.status.message(), HasSubstr("is empty"));
  }
}

TEST(TraceReader, RefusesBinary) {
  const Lines read = ReadText(std::string_view("text\nab\0c\n", 10));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read.status.message(), "rec:2: not text: byte 0x00 at column 3");
  EXPECT_THAT(read.lines, ElementsAre("text"));
}

TEST(TraceReader, RefusesBinaryWithoutAnyNewline) {
  const Lines read = ReadText(std::string(10'000, '\x01'));
  EXPECT_THAT(read.status.message(), HasSubstr("rec:1: not text: byte 0x01 at column 1"));
}

TEST(TraceReader, SaysWhatABinaryFileMostLikelyIs) {
  EXPECT_THAT(ReadText(std::string_view("PERFILE2\0\n", 10)).status.message(),
              HasSubstr("perf.data"));
  EXPECT_THAT(ReadText(std::string_view("\x1f\x8b\x08\0\n", 5)).status.message(),
              HasSubstr("gzip"));
  EXPECT_THAT(ReadText(std::string_view("\xfd"
                                        "7zXZ\0\n",
                                        7))
                  .status.message(),
              HasSubstr("xz"));
}

TEST(TraceReader, RefusesALastLineWithoutItsEnd) {
  const Lines read = ReadText("one\ntw");
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(read.status.message(), HasSubstr("rec:2: the last line has no newline"));
  EXPECT_THAT(read.lines, ElementsAre("one"));
}

TEST(TraceReader, RefusesALineThatIsTooLong) {
  const Lines read = ReadText("one\n" + std::string(TraceReader::kMaxLineBytes + 1, 'x') + "\n");
  EXPECT_EQ(read.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(read.status.message(), HasSubstr("rec:2: a line of more than 4096 bytes"));
  EXPECT_TRUE(ReadText(std::string(TraceReader::kMaxLineBytes, 'x') + "\n").status.ok());
}

TEST(TraceReader, RefusesATruncatedZstdFrame) {
  const std::string_view whole = SmallTrace();
  for (const size_t size : {size_t{4}, size_t{7}, whole.size() / 2, whole.size() - 1}) {
    const Lines read = ReadText(whole.substr(0, size));
    EXPECT_EQ(read.status.code(), absl::StatusCode::kDataLoss) << size;
    EXPECT_THAT(read.status.message(), HasSubstr("rec: the zstd data ends in the middle")) << size;
  }
}

TEST(TraceReader, RefusesDamagedZstdData) {
  std::string damaged(SmallTrace());
  for (size_t i = 100; i < 140; ++i) damaged[i] ^= 0x5a;
  EXPECT_EQ(ReadText(damaged).status.code(), absl::StatusCode::kDataLoss);
  const Lines garbage = ReadText(ZstdFrame("one\n") + "garbage");
  EXPECT_EQ(garbage.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(garbage.status.message(), HasSubstr("rec: damaged zstd data: "));
}

TEST(TraceReader, RefusesWhatCannotBeOpened) {
  const Lines missing = ReadFile("/nonexistent/trace.txt");
  EXPECT_EQ(missing.status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.status.message(), HasSubstr("/nonexistent/trace.txt: cannot be opened"));
  const Lines directory = ReadFile(::testing::TempDir());
  EXPECT_EQ(directory.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(directory.status.message(), HasSubstr("is a directory"));
}

TEST(TraceReader, RefusesAFileThatMayNotBeRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read every file";
  const std::string path = WriteTemp("secret.txt", "one\n");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  EXPECT_EQ(ReadFile(path).status.code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace paddock
