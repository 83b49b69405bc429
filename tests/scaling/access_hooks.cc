// SPDX-License-Identifier: Apache-2.0
//
// What ThreadSanitizer's instrumentation calls in front of, or instead of, accesses to memory, in
// the place of its runtime. Names and signatures are those of compiler-rt's tsan_interface.h.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "paddock/tests/scaling/line_recorder.h"

using paddock::NoteAccess;
using paddock::Touch;

#define PADDOCK_CALLER __builtin_return_address(0)

#define PADDOCK_PLAIN(name, bytes, touch) \
  void name(void* address) { NoteAccess(address, bytes, touch, PADDOCK_CALLER); }

#define PADDOCK_PLAIN_OF(bytes)                                      \
  PADDOCK_PLAIN(__tsan_read##bytes, bytes, Touch::kRead)             \
  PADDOCK_PLAIN(__tsan_write##bytes, bytes, Touch::kWrite)           \
  PADDOCK_PLAIN(__tsan_read_write##bytes, bytes, Touch::kWrite)      \
  PADDOCK_PLAIN(__tsan_unaligned_read##bytes, bytes, Touch::kRead)   \
  PADDOCK_PLAIN(__tsan_unaligned_write##bytes, bytes, Touch::kWrite) \
  PADDOCK_PLAIN(__tsan_unaligned_read_write##bytes, bytes, Touch::kWrite)

// A compare-exchange that fails takes the line as one that succeeds. Orders are taken for the
// strongest.
#define PADDOCK_MODIFY(T, bits, operation)                        \
  T __tsan_atomic##bits##_##operation(T* object, T value, int) {  \
    NoteAccess(object, sizeof(T), Touch::kWrite, PADDOCK_CALLER); \
    return __atomic_##operation(object, value, __ATOMIC_SEQ_CST); \
  }

#define PADDOCK_COMPARE(T, bits, strength, weak)                                                \
  int __tsan_atomic##bits##_compare_exchange_##strength(T* object, T* expected, T desired, int, \
                                                        int) {                                  \
    NoteAccess(object, sizeof(T), Touch::kWrite, PADDOCK_CALLER);                               \
    return __atomic_compare_exchange_n(object, expected, desired, weak, __ATOMIC_SEQ_CST,       \
                                       __ATOMIC_SEQ_CST);                                       \
  }

#define PADDOCK_ATOMIC_OF(T, bits)                                                           \
  T __tsan_atomic##bits##_load(const T* object, int) {                                       \
    NoteAccess(object, sizeof(T), Touch::kRead, PADDOCK_CALLER);                             \
    return __atomic_load_n(object, __ATOMIC_SEQ_CST);                                        \
  }                                                                                          \
  void __tsan_atomic##bits##_store(T* object, T value, int) {                                \
    NoteAccess(object, sizeof(T), Touch::kWrite, PADDOCK_CALLER);                            \
    __atomic_store_n(object, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                          \
  T __tsan_atomic##bits##_exchange(T* object, T value, int) {                                \
    NoteAccess(object, sizeof(T), Touch::kWrite, PADDOCK_CALLER);                            \
    return __atomic_exchange_n(object, value, __ATOMIC_SEQ_CST);                             \
  }                                                                                          \
  PADDOCK_MODIFY(T, bits, fetch_add)                                                         \
  PADDOCK_MODIFY(T, bits, fetch_sub)                                                         \
  PADDOCK_MODIFY(T, bits, fetch_and)                                                         \
  PADDOCK_MODIFY(T, bits, fetch_or)                                                          \
  PADDOCK_MODIFY(T, bits, fetch_xor)                                                         \
  PADDOCK_MODIFY(T, bits, fetch_nand)                                                        \
  PADDOCK_COMPARE(T, bits, strong, false)                                                    \
  PADDOCK_COMPARE(T, bits, weak, true)                                                       \
  T __tsan_atomic##bits##_compare_exchange_val(T* object, T expected, T desired, int, int) { \
    NoteAccess(object, sizeof(T), Touch::kWrite, PADDOCK_CALLER);                            \
    __atomic_compare_exchange_n(object, &expected, desired, false, __ATOMIC_SEQ_CST,         \
                                __ATOMIC_SEQ_CST);                                           \
    return expected;                                                                         \
  }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

PADDOCK_PLAIN_OF(1)
PADDOCK_PLAIN_OF(2)
PADDOCK_PLAIN_OF(4)
PADDOCK_PLAIN_OF(8)
PADDOCK_PLAIN_OF(16)

void __tsan_read_range(void* address, size_t bytes) {
  NoteAccess(address, bytes, Touch::kRead, PADDOCK_CALLER);
}
void __tsan_write_range(void* address, size_t bytes) {
  NoteAccess(address, bytes, Touch::kWrite, PADDOCK_CALLER);
}
void __tsan_vptr_read(void** pointer) {
  NoteAccess(pointer, sizeof(*pointer), Touch::kRead, PADDOCK_CALLER);
}
void __tsan_vptr_update(void** pointer, void*) {
  NoteAccess(pointer, sizeof(*pointer), Touch::kWrite, PADDOCK_CALLER);
}

void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  NoteAccess(from, bytes, Touch::kRead, PADDOCK_CALLER);
  NoteAccess(to, bytes, Touch::kWrite, PADDOCK_CALLER);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  NoteAccess(from, bytes, Touch::kRead, PADDOCK_CALLER);
  NoteAccess(to, bytes, Touch::kWrite, PADDOCK_CALLER);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int byte, size_t bytes) {
  NoteAccess(to, bytes, Touch::kWrite, PADDOCK_CALLER);
  return std::memset(to, byte, bytes);
}

PADDOCK_ATOMIC_OF(uint8_t, 8)
PADDOCK_ATOMIC_OF(uint16_t, 16)
PADDOCK_ATOMIC_OF(uint32_t, 32)
PADDOCK_ATOMIC_OF(uint64_t, 64)

void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

}  // extern "C"
