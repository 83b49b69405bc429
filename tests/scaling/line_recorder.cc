// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/scaling/line_recorder.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_format.h"

namespace paddock {
namespace {

struct Recording {
  LineRecorder* recorder;
  uint32_t cpu;
};

thread_local Recording recording{};

void Require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "line recorder: %s\n", rule);
  std::abort();
}

std::string FunctionAt(const void* code) {
  if (code == nullptr) return "nobody";
  char name[512];
  // A call may be the last instruction of its function.
  if (absl::Symbolize(static_cast<const char*>(code) - 1, name, sizeof(name))) return name;
  return absl::StrFormat("%p", code);
}

}  // namespace

RecordingScope::RecordingScope(LineRecorder& recorder, uint32_t cpu) {
  Require(recording.recorder == nullptr, "scopes do not nest");
  Require(cpu < LineRecorder::kMaxCpus, "a CPU above the highest");
  recording = {&recorder, cpu};
}

RecordingScope::~RecordingScope() { recording = {}; }

void NoteAccess(const void* address, size_t bytes, Touch touch, const void* code) {
  if (recording.recorder == nullptr || bytes == 0) [[likely]]
    return;
  // Templates of the standard library may be linked as instrumented code compiled them.
  const Recording current = std::exchange(recording, {});
  current.recorder->Note(current.cpu, reinterpret_cast<uintptr_t>(address), bytes, touch, code);
  recording = current;
}

void LineRecorder::Note(uint32_t cpu, uintptr_t address, size_t bytes, Touch touch,
                        const void* code) {
  ++touches_;
  const uintptr_t last = (address + bytes - 1) / kLineBytes;
  for (uintptr_t line = address / kLineBytes; line <= last; ++line) {
    NoteLine(cpu, lines_[line], touch, code);
  }
}

void LineRecorder::NoteLine(uint32_t cpu, Line& line, Touch touch, const void* code) {
  const uint64_t self = uint64_t{1} << cpu;
  const bool moves = touch == Touch::kWrite
                         ? (line.holders & ~self) != 0
                         : (line.holders & self) == 0 && (line.writers & ~self) != 0;
  if (moves) {
    ++transfers_;
    ++line.transfers;
    ++line.passes[{line.last_write, code}];
  }
  if (touch == Touch::kRead) {
    line.holders |= self;
    return;
  }
  line.holders = self;
  line.writers |= self;
  line.last_write = code;
}

uint64_t LineRecorder::shared_lines() const {
  return static_cast<uint64_t>(std::count_if(
      lines_.begin(), lines_.end(), [](const auto& line) { return line.second.transfers != 0; }));
}

std::string LineRecorder::Describe() const {
  constexpr size_t kEnough = 20;
  std::vector<std::pair<uintptr_t, const Line*>> shared;
  for (const auto& [number, line] : lines_) {
    if (line.transfers != 0) shared.emplace_back(number, &line);
  }
  std::sort(shared.begin(), shared.end(), [](const auto& a, const auto& b) {
    return std::pair(b.second->transfers, a.first) < std::pair(a.second->transfers, b.first);
  });
  std::string text;
  for (size_t i = 0; i < std::min(kEnough, shared.size()); ++i) {
    const auto& [number, line] = shared[i];
    absl::StrAppendFormat(&text, "line %#x: %u transfers\n", number * kLineBytes, line->transfers);
    for (const auto& [pass, count] : line->passes) {
      absl::StrAppendFormat(&text, "  %6u to %s, written by %s\n", count, FunctionAt(pass.to),
                            FunctionAt(pass.from));
    }
  }
  if (shared.size() > kEnough) {
    absl::StrAppendFormat(&text, "and %u more lines\n", shared.size() - kEnough);
  }
  return text;
}

void LineRecorder::Clear() {
  lines_.clear();
  transfers_ = 0;
  touches_ = 0;
}

}  // namespace paddock
