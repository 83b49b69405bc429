// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

bool IsText(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

// What a binary file most likely is, for the message.
std::string_view GuessBinary(std::string_view start) {
  if (start.starts_with("PERFILE2")) {
    return " (a perf.data file: turn it into text with perf script first)";
  }
  if (start.starts_with("\x1f\x8b")) return " (gzip: only plain text and zstd are read)";
  if (start.starts_with("\xfd"
                        "7zXZ"))
    return " (xz: only plain text and zstd are read)";
  return "";
}

}  // namespace

TraceReader::TraceReader(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

absl::StatusOr<TraceReader> TraceReader::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<ByteSource>> source = OpenByteSource(path);
  if (!source.ok()) return source.status();
  return TraceReader(*std::move(source), path);
}

TraceReader TraceReader::FromMemory(std::string_view content, std::string name) {
  std::unique_ptr<ByteSource> source = MemoryByteSource(content, name);
  return TraceReader(std::move(source), std::move(name));
}

absl::StatusOr<std::optional<std::string_view>> TraceReader::Fail(absl::Status status) {
  return status_ = std::move(status);
}

bool TraceReader::CheckText(std::string_view line) {
  const auto bad = std::find_if_not(line.begin(), line.end(), IsText);
  if (bad == line.end()) return true;
  status_ = absl::InvalidArgumentError(
      absl::StrFormat("%s:%d: not text: byte 0x%02x at column %d%s", name_, line_number_,
                      static_cast<unsigned char>(*bad), bad - line.begin() + 1,
                      std::string(line_number_ == 1 ? GuessBinary(line) : "")));
  return false;
}

absl::StatusOr<std::optional<std::string_view>> TraceReader::Next() {
  if (!status_.ok()) return status_;
  if (std::exchange(partial_done_, false)) partial_.clear();
  while (true) {
    if (chunk_.empty()) {
      absl::StatusOr<std::string_view> chunk = source_->Next();
      if (!chunk.ok()) return Fail(chunk.status());
      chunk_ = *chunk;
    }
    if (chunk_.empty()) break;
    const size_t newline = chunk_.find('\n');
    const std::string_view head = chunk_.substr(0, newline);
    if (partial_.size() + head.size() > kMaxLineBytes) {
      ++line_number_;
      partial_ += head.substr(0, kMaxLineBytes - partial_.size());
      if (!CheckText(partial_)) return status_;
      return Fail(absl::InvalidArgumentError(absl::StrCat(
          name_, ":", line_number_, ": a line of more than ", kMaxLineBytes, " bytes")));
    }
    if (newline == std::string_view::npos) {
      partial_ += head;
      chunk_ = {};
      continue;
    }
    chunk_.remove_prefix(newline + 1);
    ++line_number_;
    std::string_view line = head;
    if (!partial_.empty()) {
      partial_ += head;
      line = partial_;
      partial_done_ = true;
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!CheckText(line)) return status_;
    return line;
  }
  if (!partial_.empty()) {
    ++line_number_;
    if (!CheckText(partial_)) return status_;
    return Fail(absl::DataLossError(absl::StrCat(
        name_, ":", line_number_, ": the last line has no newline: the recording is cut short")));
  }
  if (line_number_ == 0) return Fail(absl::InvalidArgumentError(absl::StrCat(name_, ": is empty")));
  return std::nullopt;
}

}  // namespace paddock
