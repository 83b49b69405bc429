// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_SHARED_COPY_H_
#define PADDOCK_CONCURRENCY_SHARED_COPY_H_

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "paddock/concurrency/sync.h"

// Copies memory that others may access at the same time: guests, devices, other CPUs' user code.
//
//   CopyShared(to, from, bytes);
//   ZeroShared(to, bytes);
//   uint32_t head = LoadOnce<uint32_t>(ring);    // does not tear, and is one load
//   StoreOnce<uint32_t>(ring, head + 1);
//
// The problem. std::memcpy on bytes that another thread writes is a data race: undefined, whatever
// the machine does. Relaxed atomic operations are defined, but compilers do not join them into wide
// ones: a copy by words reaches a quarter of memcpy's throughput.
//
// So there are two forms with one meaning. On x86-64 the bytes are moved by inline assembly, which
// the language does not look into, with 16-byte moves and, for large blocks, `rep movsb`. Under
// ThreadSanitizer, AddressSanitizer and MemorySanitizer, which cannot look into assembly either,
// and on other processors, they are moved by relaxed atomic loads and stores of the widest words
// whose alignment source and target share.
//
// What is promised: every byte that is stored is one that stood at its source at some moment during
// the call. What is not: bytes are moved in any order and any grouping, a byte may be loaded or
// stored more than once, so a value of several bytes that somebody writes meanwhile may arrive
// mixed (LoadOnce and StoreOnce do not tear), and nothing is ordered against other accesses. If the
// ranges overlap, source bytes may be copied bytes: the target's overlapping part is unspecified.
//
// Thread safety: any thread, any time; the memory must exist. Failure: none. Cost: about that of
// memcpy, around 1 KiB up to twice that (docs/memory-io.md has figures).

namespace paddock {

void CopyShared(std::byte* to, const std::byte* from, size_t bytes);
void ZeroShared(std::byte* to, size_t bytes);

// The integers that one instruction loads or stores.
template <typename T>
concept OnceWord = std::same_as<T, uint8_t> || std::same_as<T, uint16_t> ||
                   std::same_as<T, uint32_t> || std::same_as<T, uint64_t>;

// Precondition, both: the address is a multiple of sizeof(T).
template <OnceWord T>
T LoadOnce(const std::byte* from) {
  auto* const word = reinterpret_cast<T*>(const_cast<std::byte*>(from));
  // order: relaxed; who shares memory with a guest orders it with the guest.
  return sync::AtomicRef<T>(*word).load(sync::relaxed);
}
template <OnceWord T>
void StoreOnce(std::byte* to, T value) {
  // order: relaxed; as in LoadOnce.
  sync::AtomicRef<T>(*reinterpret_cast<T*>(to)).store(value, sync::relaxed);
}

namespace internal {

// The form of relaxed atomic words, in every build: the tests compare it with the other one.
void CopyByWords(std::byte* to, const std::byte* from, size_t bytes);
void ZeroByWords(std::byte* to, size_t bytes);

}  // namespace internal

}  // namespace paddock

#endif  // PADDOCK_CONCURRENCY_SHARED_COPY_H_
