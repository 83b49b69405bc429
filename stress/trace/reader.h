// SPDX-License-Identifier: Apache-2.0
//
// The lines of a recording, plain or zstd-compressed, from a file or from memory.
//
//   absl::StatusOr<TraceReader> reader = TraceReader::Open("run.perf.txt.zst");
//   while (true) {
//     absl::StatusOr<std::optional<std::string_view>> line = reader->Next();
//     if (!line.ok() || !line->has_value()) break;   // an error, or the end
//     Use(reader->line_number(), **line);
//   }
//
// Thread safety: one thread at a time.
// Failure: what is not whole text is refused, with file, line and reason: INVALID_ARGUMENT (empty,
//   binary, another compression, a line over 4 KiB), DATA_LOSS (the last line has no newline, so it
//   may be cut short; a zstd frame damaged or cut short), and the errors of ByteSource.
// Cost: streams; holds one chunk and one line.

#ifndef PADDOCK_STRESS_TRACE_READER_H_
#define PADDOCK_STRESS_TRACE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/stress/trace/byte_source.h"

namespace paddock {

class TraceReader {
 public:
  // Longer lines are taken for something that is not a recording.
  static constexpr size_t kMaxLineBytes = 4096;

  static absl::StatusOr<TraceReader> Open(const std::string& path);
  // `content` (plain or compressed) must outlive the reader; `name` stands for the file in
  // messages.
  static TraceReader FromMemory(std::string_view content, std::string name);

  // The next line without its line end ("\n" or "\r\n"), valid until the next call; none at the
  // end. After an error the same error is returned again.
  absl::StatusOr<std::optional<std::string_view>> Next();

  // Of the line last returned, from 1; 0 before the first.
  uint64_t line_number() const { return line_number_; }
  const std::string& name() const { return name_; }

 private:
  TraceReader(std::unique_ptr<ByteSource> source, std::string name);

  absl::StatusOr<std::optional<std::string_view>> Fail(absl::Status status);
  // Whether `line` is text; sets `status_` if not.
  bool CheckText(std::string_view line);

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string_view chunk_;  // what is left of the source's current chunk
  std::string partial_;     // a line that began in an earlier chunk
  bool partial_done_ = false;
  uint64_t line_number_ = 0;
  absl::Status status_;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_READER_H_
