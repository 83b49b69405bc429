// SPDX-License-Identifier: Apache-2.0
//
// What stands in the memory that the workload `io` reads and writes, and where that memory is.
//
//   uint64_t word = MakeWord(space, va, {.writer = 2, .sequence = 17});
//   std::optional<WordSource> source = SourceOf(space, va, word);   // none: nobody wrote that here
//
// Each stream has pages of its own, which only it maps and writes; the streams share some more. A
// word of a shared page says who wrote it, which of his writes it was, and for which address, and
// has a checksum, so that halves of two words are no word. The first word of a page is the stamp of
// its frame (frame_stamps.h), which everybody who writes there writes again.
//
// Thread safety: values.

#ifndef PADDOCK_STRESS_MEMORY_WORDS_H_
#define PADDOCK_STRESS_MEMORY_WORDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "paddock/arch/address.h"
#include "paddock/stress/rng.h"

namespace paddock {

// The fixed spaces that the workload uses: the first has a page-fault handler, the second enforces
// the memory-view discipline.
inline constexpr uint32_t kIoSpaces = 2;
inline constexpr uint32_t kIoHandlerSpace = 0;
inline constexpr uint32_t kIoViewSpace = 1;

inline constexpr uint64_t kIoOwnPages = 8;  // of each stream
inline constexpr uint64_t kIoOwnBytes = kIoOwnPages * kPageSize;
inline constexpr uint64_t kIoOwnStart = 0x0900'0000'0000;
inline constexpr uint64_t kIoSharedStart = 0x0980'0000'0000;
inline constexpr uint64_t kIoSharedPages = 16;
// A read or write is no longer than this.
inline constexpr uint64_t kIoLongest = 4 * kPageSize;
// What is read and written as one value.
using IoValue = std::array<std::byte, 24>;

struct WordSource {
  static constexpr uint32_t kSequenceBits = 21;

  uint32_t writer = 0;    // a stream, below 2^11
  uint32_t sequence = 0;  // modulo 2^21

  friend bool operator==(const WordSource&, const WordSource&) = default;
};
// Of the words that a page is mapped with.
inline constexpr WordSource kInitialWord{.writer = (1u << 11) - 1};

// The upper two bytes of each word at `va`, whoever wrote it.
constexpr uint16_t WordTag(uint32_t space, VirtAddr va) {
  return static_cast<uint16_t>(MixBits(uint64_t{space} << 48 ^ va.value()));
}

// From the top: tag 16, writer 11, sequence 21, checksum 16.
constexpr uint64_t MakeWord(uint32_t space, VirtAddr va, WordSource source) {
  constexpr uint32_t kLow = (1u << WordSource::kSequenceBits) - 1;
  const uint64_t upper = uint64_t{WordTag(space, va)} << 32 |
                         uint64_t{source.writer} << WordSource::kSequenceBits |
                         (source.sequence & kLow);
  return upper << 16 | (MixBits(upper) & 0xffff);
}

constexpr std::optional<WordSource> SourceOf(uint32_t space, VirtAddr va, uint64_t word) {
  const auto middle = static_cast<uint32_t>(word >> 16);
  const WordSource source{middle >> WordSource::kSequenceBits,
                          middle & ((1u << WordSource::kSequenceBits) - 1)};
  if (word != MakeWord(space, va, source)) return std::nullopt;
  return source;
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_MEMORY_WORDS_H_
