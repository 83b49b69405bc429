// SPDX-License-Identifier: Apache-2.0
//
// Which cache lines pass from one CPU to another: a directory as a coherence protocol keeps one, fed
// by instrumented code (tools/lines.bzl) instead of by hardware.
//
//   LineRecorder recorder;
//   { RecordingScope scope(recorder, 0); space.Walk(section, va); }   // as CPU 0, then
//   { RecordingScope scope(recorder, 1); space.Walk(section, va); }   // as CPU 1, later
//   EXPECT_EQ(recorder.transfers(), 0u) << recorder.Describe();
//
// A line is transferred when a CPU reads it and another CPU has written it since the reader last
// had it, and when a CPU writes it and another CPU has it. So there are no transfers exactly if no
// line is written by one CPU and touched by another. Caches are taken for infinite: what is evicted
// for want of room costs a miss, but of no other CPU's doing.
//
// Seen is what our own sources do, and what they inline. Not seen: the heap, the C library, and what
// Abseil does not have in headers.
//
// Thread safety: one scope at a time; threads take turns. Cost: some 50 ns for each access.

#ifndef PADDOCK_TESTS_SCALING_LINE_RECORDER_H_
#define PADDOCK_TESTS_SCALING_LINE_RECORDER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace paddock {

enum class Touch : uint8_t { kRead, kWrite };

class LineRecorder {
 public:
  static constexpr uint32_t kMaxCpus = 64;
  static constexpr size_t kLineBytes = 64;

  LineRecorder() = default;
  LineRecorder(const LineRecorder&) = delete;
  LineRecorder& operator=(const LineRecorder&) = delete;

  // `code`, an address in the function that touches it, is for reports.
  void Note(uint32_t cpu, uintptr_t address, size_t bytes, Touch touch, const void* code);

  uint64_t transfers() const { return transfers_; }
  // Lines that were transferred at least once.
  uint64_t shared_lines() const;
  // Accesses that were noted: none means that the code was not instrumented.
  uint64_t touches() const { return touches_; }

  // For each shared line, the busiest first: its address, its transfers, which functions made them
  // and which last wrote.
  std::string Describe() const;

  // Forgets everything: no CPU has any line.
  void Clear();

 private:
  struct Line {
    uint64_t holders = 0;  // a bit for each CPU whose copy is the current one
    uint64_t writers = 0;
    uint64_t transfers = 0;
    const void* last_write = nullptr;
    // How often a function got the line that another one had written last; null: nobody yet.
    struct Pass {
      const void* from;
      const void* to;
      auto operator<=>(const Pass&) const = default;
    };
    std::map<Pass, uint64_t> passes;
  };

  void NoteLine(uint32_t cpu, Line& line, Touch touch, const void* code);

  std::unordered_map<uintptr_t, Line> lines_;  // by number
  uint64_t transfers_ = 0;
  uint64_t touches_ = 0;
};

// While it lives, what instrumented code does on this thread is noted as done by `cpu`, which is
// below LineRecorder::kMaxCpus. Scopes do not nest.
class [[nodiscard]] RecordingScope {
 public:
  RecordingScope(LineRecorder& recorder, uint32_t cpu);
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
};

// Called by instrumented code, through access_hooks.cc.
void NoteAccess(const void* address, size_t bytes, Touch touch, const void* code);

}  // namespace paddock

#endif  // PADDOCK_TESTS_SCALING_LINE_RECORDER_H_
