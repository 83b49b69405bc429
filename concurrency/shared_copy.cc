// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/shared_copy.h"

#include <algorithm>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || \
    __has_feature(memory_sanitizer)
#define PADDOCK_COPY_BY_WORDS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
#define PADDOCK_COPY_BY_WORDS 1
#endif

namespace paddock {
namespace internal {
namespace {

// How far `address` lies from the next multiple of `align`.
size_t ToAlign(const std::byte* address, size_t align) {
  return -reinterpret_cast<uintptr_t>(address) & (align - 1);
}

template <OnceWord Word>
size_t CopyWholeWords(std::byte* to, const std::byte* from, size_t bytes) {
  size_t done = 0;
  for (; bytes - done >= sizeof(Word); done += sizeof(Word)) {
    StoreOnce<Word>(to + done, LoadOnce<Word>(from + done));
  }
  return done;
}

// Precondition: the addresses are as far from a multiple of sizeof(Word) as each other.
template <OnceWord Word>
void CopyAs(std::byte* to, const std::byte* from, size_t bytes) {
  const size_t head = std::min(ToAlign(to, sizeof(Word)), bytes);
  size_t done = CopyWholeWords<uint8_t>(to, from, head);
  done += CopyWholeWords<Word>(to + done, from + done, bytes - done);
  CopyWholeWords<uint8_t>(to + done, from + done, bytes - done);
}

}  // namespace

void CopyByWords(std::byte* to, const std::byte* from, size_t bytes) {
  const uintptr_t apart = reinterpret_cast<uintptr_t>(to) ^ reinterpret_cast<uintptr_t>(from);
  if (apart % 8 == 0) return CopyAs<uint64_t>(to, from, bytes);
  if (apart % 4 == 0) return CopyAs<uint32_t>(to, from, bytes);
  if (apart % 2 == 0) return CopyAs<uint16_t>(to, from, bytes);
  CopyAs<uint8_t>(to, from, bytes);
}

void ZeroByWords(std::byte* to, size_t bytes) {
  const size_t head = std::min(ToAlign(to, sizeof(uint64_t)), bytes);
  size_t done = 0;
  for (; done < head; ++done) StoreOnce<uint8_t>(to + done, 0);
  for (; bytes - done >= sizeof(uint64_t); done += sizeof(uint64_t)) {
    StoreOnce<uint64_t>(to + done, 0);
  }
  for (; done < bytes; ++done) StoreOnce<uint8_t>(to + done, 0);
}

}  // namespace internal

#if defined(PADDOCK_COPY_BY_WORDS)

void CopyShared(std::byte* to, const std::byte* from, size_t bytes) {
  internal::CopyByWords(to, from, bytes);
}
void ZeroShared(std::byte* to, size_t bytes) { internal::ZeroByWords(to, bytes); }

#else

namespace {

// From this size on the processor's own copy loop is the faster one.
constexpr size_t kStringMove = 1024;
constexpr size_t kBlock = 64;

// Each of these loads everything before it stores anything, from both ends of the range: the
// middle may be moved twice.

void CopyUpTo3(std::byte* to, const std::byte* from, size_t bytes) {
  if (bytes == 0) return;
  uint32_t first, middle, last;
  asm volatile(
      "movzbl (%[from]), %[first]\n\t"
      "movzbl (%[from],%[half]), %[middle]\n\t"
      "movzbl -1(%[from],%[bytes]), %[last]\n\t"
      "movb %b[first], (%[to])\n\t"
      "movb %b[middle], (%[to],%[half])\n\t"
      "movb %b[last], -1(%[to],%[bytes])"
      : [first] "=&q"(first), [middle] "=&q"(middle), [last] "=&q"(last)
      : [to] "r"(to), [from] "r"(from), [bytes] "r"(bytes), [half] "r"(bytes / 2)
      : "memory");
}

void Copy4To7(std::byte* to, const std::byte* from, size_t bytes) {
  uint32_t first, last;
  asm volatile(
      "movl (%[from]), %[first]\n\t"
      "movl -4(%[from],%[bytes]), %[last]\n\t"
      "movl %[first], (%[to])\n\t"
      "movl %[last], -4(%[to],%[bytes])"
      : [first] "=&r"(first), [last] "=&r"(last)
      : [to] "r"(to), [from] "r"(from), [bytes] "r"(bytes)
      : "memory");
}

void Copy8To15(std::byte* to, const std::byte* from, size_t bytes) {
  uint64_t first, last;
  asm volatile(
      "movq (%[from]), %[first]\n\t"
      "movq -8(%[from],%[bytes]), %[last]\n\t"
      "movq %[first], (%[to])\n\t"
      "movq %[last], -8(%[to],%[bytes])"
      : [first] "=&r"(first), [last] "=&r"(last)
      : [to] "r"(to), [from] "r"(from), [bytes] "r"(bytes)
      : "memory");
}

void Copy16To31(std::byte* to, const std::byte* from, size_t bytes) {
  asm volatile(
      "movdqu (%[from]), %%xmm0\n\t"
      "movdqu -16(%[from],%[bytes]), %%xmm1\n\t"
      "movdqu %%xmm0, (%[to])\n\t"
      "movdqu %%xmm1, -16(%[to],%[bytes])" ::[to] "r"(to),
      [from] "r"(from), [bytes] "r"(bytes)
      : "memory", "xmm0", "xmm1");
}

void Copy32To64(std::byte* to, const std::byte* from, size_t bytes) {
  asm volatile(
      "movdqu (%[from]), %%xmm0\n\t"
      "movdqu 16(%[from]), %%xmm1\n\t"
      "movdqu -32(%[from],%[bytes]), %%xmm2\n\t"
      "movdqu -16(%[from],%[bytes]), %%xmm3\n\t"
      "movdqu %%xmm0, (%[to])\n\t"
      "movdqu %%xmm1, 16(%[to])\n\t"
      "movdqu %%xmm2, -32(%[to],%[bytes])\n\t"
      "movdqu %%xmm3, -16(%[to],%[bytes])" ::[to] "r"(to),
      [from] "r"(from), [bytes] "r"(bytes)
      : "memory", "xmm0", "xmm1", "xmm2", "xmm3");
}

// Precondition: blocks > 0.
void CopyBlocks(std::byte* to, const std::byte* from, size_t blocks) {
  asm volatile(
      "1:\n\t"
      "movdqu (%[from]), %%xmm0\n\t"
      "movdqu 16(%[from]), %%xmm1\n\t"
      "movdqu 32(%[from]), %%xmm2\n\t"
      "movdqu 48(%[from]), %%xmm3\n\t"
      "movdqu %%xmm0, (%[to])\n\t"
      "movdqu %%xmm1, 16(%[to])\n\t"
      "movdqu %%xmm2, 32(%[to])\n\t"
      "movdqu %%xmm3, 48(%[to])\n\t"
      "addq $64, %[from]\n\t"
      "addq $64, %[to]\n\t"
      "decq %[blocks]\n\t"
      "jnz 1b"
      : [to] "+r"(to), [from] "+r"(from), [blocks] "+r"(blocks)
      :
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3");
}

void MoveString(std::byte* to, const std::byte* from, size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void ZeroString(std::byte* to, size_t bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(0) : "memory");
}

}  // namespace

void CopyShared(std::byte* to, const std::byte* from, size_t bytes) {
  if (bytes < 4) return CopyUpTo3(to, from, bytes);
  if (bytes < 8) return Copy4To7(to, from, bytes);
  if (bytes < 16) return Copy8To15(to, from, bytes);
  if (bytes < 32) return Copy16To31(to, from, bytes);
  if (bytes <= kBlock) return Copy32To64(to, from, bytes);
  if (bytes >= kStringMove) return MoveString(to, from, bytes);
  CopyBlocks(to, from, (bytes - 1) / kBlock);
  Copy32To64(to + bytes - kBlock, from + bytes - kBlock, kBlock);
}

void ZeroShared(std::byte* to, size_t bytes) {
  alignas(kBlock) static constexpr std::byte kZeros[kStringMove] = {};
  if (bytes < kStringMove) return CopyShared(to, kZeros, bytes);
  ZeroString(to, bytes);
}

#endif

}  // namespace paddock
