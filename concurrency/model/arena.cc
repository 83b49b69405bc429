// SPDX-License-Identifier: Apache-2.0
#include "paddock/concurrency/model/arena.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

namespace paddock::model {
namespace {

constexpr size_t kArenaBytes = size_t{1} << 30;  // reserved, touched as far as it is used
constexpr size_t kLeastAlignment = 16;

struct Space {
  std::byte* base = nullptr;
  size_t used = 0;
  bool entered = false;
};
constinit Space space;

[[noreturn]] void OutOfArena() {
  std::fputs("model: an execution allocates more than the arena holds\n", stderr);
  std::abort();
}

void MapArena() {
  void* const wanted = reinterpret_cast<void*>(uintptr_t{0x2000'0000'0000});
  void* const got = mmap(wanted, kArenaBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) OutOfArena();
  space.base = static_cast<std::byte*>(got);
}

void* Allocate(size_t bytes, size_t alignment) {
  if (!space.entered) {
    void* memory = alignment <= kLeastAlignment
                       ? std::malloc(std::max<size_t>(bytes, 1))
                       : std::aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
    if (memory == nullptr) std::abort();
    return memory;
  }
  alignment = std::max(alignment, kLeastAlignment);
  const size_t start = (space.used + alignment - 1) & ~(alignment - 1);
  if (bytes > kArenaBytes - start) OutOfArena();
  space.used = start + bytes;
  return space.base + start;
}

void Free(void* memory) {
  if (!Arena::Contains(memory)) std::free(memory);
}

}  // namespace

void Arena::Enter() {
  if (space.base == nullptr) MapArena();
  space.entered = true;
}
void Arena::Leave() { space.entered = false; }
bool Arena::IsEntered() { return space.entered; }
void Arena::Reset() { space.used = 0; }
bool Arena::Contains(const void* address) {
  const auto* byte = static_cast<const std::byte*>(address);
  return space.base != nullptr && byte >= space.base && byte < space.base + kArenaBytes;
}
size_t Arena::OffsetOf(const void* address) {
  return static_cast<size_t>(static_cast<const std::byte*>(address) - space.base);
}

}  // namespace paddock::model

// Anonymous memory of the code under test comes from the arena too, so that it has the same address
// in every execution, and none is left over of those that are cut short.
extern "C" void* mmap(void* address, size_t bytes, int protection, int flags, int fd,
                      off_t offset) noexcept {
  using paddock::model::Arena;
  constexpr size_t kPage = 4096;
  if (Arena::IsEntered() && address == nullptr && (flags & MAP_ANONYMOUS) != 0) {
    return std::memset(paddock::model::Allocate(bytes, kPage), 0, bytes);
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, bytes, protection, flags, fd, offset));
}
extern "C" int munmap(void* address, size_t bytes) noexcept {
  if (paddock::model::Arena::Contains(address)) return 0;
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}

void* operator new(size_t bytes) { return paddock::model::Allocate(bytes, 1); }
void* operator new[](size_t bytes) { return paddock::model::Allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return paddock::model::Allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return paddock::model::Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { paddock::model::Free(memory); }
void operator delete[](void* memory) noexcept { paddock::model::Free(memory); }
void operator delete(void* memory, size_t) noexcept { paddock::model::Free(memory); }
void operator delete[](void* memory, size_t) noexcept { paddock::model::Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { paddock::model::Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { paddock::model::Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  paddock::model::Free(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  paddock::model::Free(memory);
}
