// SPDX-License-Identifier: Apache-2.0
#include "paddock/tests/scaling/line_recorder.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "paddock/concurrency/sync.h"

namespace paddock {
namespace {

// Steps return what they read: this thread is all CPUs in turn, and they would share its variables.
template <typename Step>
[[gnu::noinline]] auto As(uint32_t cpu, LineRecorder& recorder, Step step) {
  RecordingScope scope(recorder, cpu);
  return step();
}

struct OneLine {
  alignas(64) sync::Atomic<uint64_t> first;
  sync::Atomic<uint64_t> second;
};
struct OneLineEach {
  alignas(64) sync::Atomic<uint64_t> first;
  alignas(64) sync::Atomic<uint64_t> second;
};

template <typename Counters>
uint64_t TransfersOfCounting(LineRecorder& recorder) {
  Counters counters;
  for (int i = 0; i < 10; ++i) {
    As(0, recorder, [&] { counters.first.fetch_add(1, sync::relaxed); });
    As(1, recorder, [&] { counters.second.fetch_add(1, sync::relaxed); });
  }
  EXPECT_EQ(recorder.touches(), 20u) << "the test is not instrumented";
  return recorder.transfers();
}

TEST(LineRecorder, FalseSharingIsCounted) {
  LineRecorder recorder;
  EXPECT_EQ(TransfersOfCounting<OneLine>(recorder), 19u);  // all but the first
  EXPECT_EQ(recorder.shared_lines(), 1u);
}

[[gnu::noinline]] void WriterOfTheReport(uint64_t& data) { data = 1; }
[[gnu::noinline]] uint64_t ReaderOfTheReport(const uint64_t& data) { return data; }

TEST(LineRecorder, TheReportNamesWhoSharedTheLine) {
  LineRecorder recorder;
  alignas(64) uint64_t data = 0;
  As(0, recorder, [&] { WriterOfTheReport(data); });
  EXPECT_EQ(As(1, recorder, [&] { return ReaderOfTheReport(data); }), 1u);
  const std::string report = recorder.Describe();
  EXPECT_NE(report.find("WriterOfTheReport"), std::string::npos) << report;
  EXPECT_NE(report.find("ReaderOfTheReport"), std::string::npos) << report;
}

TEST(LineRecorder, PaddingEndsIt) {
  LineRecorder recorder;
  EXPECT_EQ(TransfersOfCounting<OneLineEach>(recorder), 0u);
  EXPECT_EQ(recorder.Describe(), "");
}

TEST(LineRecorder, ReadersOfOneLineShareItForFree) {
  LineRecorder recorder;
  alignas(64) const sync::Atomic<uint64_t> word{7};
  for (uint32_t cpu = 0; cpu < 4; ++cpu) {
    EXPECT_EQ(As(cpu, recorder, [&] { return word.load(sync::seq_cst); }), 7u);
  }
  EXPECT_EQ(recorder.transfers(), 0u);
}

TEST(LineRecorder, AReaderGetsALineOncePerWrite) {
  LineRecorder recorder;
  alignas(64) sync::Atomic<uint64_t> word;
  for (uint64_t written = 1; written <= 5; ++written) {
    As(0, recorder, [&] { word.store(written, sync::release); });
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(As(1, recorder, [&] { return word.load(sync::acquire); }), written);
    }
  }
  // Five times to the reader, and four times from it: the first write finds no reader.
  EXPECT_EQ(recorder.transfers(), 9u);
}

TEST(LineRecorder, ACompareExchangeThatFailsTakesTheLine) {
  LineRecorder recorder;
  alignas(64) sync::Atomic<uint32_t> word{1};
  As(0, recorder, [&] { word.store(2, sync::relaxed); });
  EXPECT_FALSE(As(1, recorder, [&] {
    uint32_t expected = 1;
    return word.compare_exchange(expected, 3, sync::seq_cst, sync::seq_cst);
  }));
  EXPECT_EQ(As(0, recorder, [&] { return word.load(sync::relaxed); }), 2u);
  EXPECT_EQ(recorder.transfers(), 2u);
}

TEST(LineRecorder, BulkCopiesTouchEveryLineOfBoth) {
  LineRecorder recorder;
  struct alignas(64) Block {
    unsigned char bytes[640];
  };
  const auto from = std::make_unique<Block>();
  const auto to = std::make_unique<Block>();
  As(0, recorder, [&] { std::memset(from->bytes, 1, sizeof(Block)); });
  As(1, recorder, [&] { std::memcpy(to->bytes, from->bytes, sizeof(Block)); });
  EXPECT_EQ(to->bytes[0], 1);
  As(2, recorder, [&] { std::memset(to->bytes, 2, sizeof(Block)); });
  EXPECT_EQ(to->bytes[639], 2);
  EXPECT_EQ(recorder.shared_lines(), 20u);
  EXPECT_EQ(recorder.transfers(), 20u);
}

TEST(LineRecorder, NothingIsNotedOutsideOfScopesOrKeptByClear) {
  LineRecorder recorder;
  alignas(64) sync::Atomic<uint64_t> word;
  As(0, recorder, [&] { word.store(1, sync::relaxed); });
  word.store(2, sync::relaxed);
  EXPECT_EQ(recorder.touches(), 1u);
  recorder.Clear();
  As(1, recorder, [&] { word.store(3, sync::relaxed); });
  EXPECT_EQ(recorder.transfers(), 0u);
}

}  // namespace
}  // namespace paddock
