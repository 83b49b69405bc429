// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_ARENA_H_
#define PADDOCK_CONCURRENCY_MODEL_ARENA_H_

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// Where memory comes from in a binary that is built with the model backend, whose `operator new`
// and `mmap` this library replaces.
//
// While the code under test runs, from an arena: the same addresses in every execution, nothing is
// used twice within one, and starting over is one assignment. Everything else, and what the model
// itself needs meanwhile (HostVector, HostString), comes from malloc.
//
// Thread safety: none; a model binary has one thread of the operating system.
namespace paddock::model {

class Arena {
 public:
  // Memory of this scope's `new` is from the arena. Nothing allocated in it may be used after the
  // next Reset.
  static void Enter();
  static void Leave();
  static bool IsEntered();
  // Forgets everything that was allocated.
  static void Reset();
  static bool Contains(const void* address);
  // How far into the arena an address lies, which is the same in every process.
  static size_t OffsetOf(const void* address);
};

template <class T>
struct HostAllocator {
  using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name

  HostAllocator() = default;
  template <class U>
  HostAllocator(const HostAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t count) { return static_cast<T*>(std::malloc(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { std::free(memory); }
  friend bool operator==(const HostAllocator&, const HostAllocator&) { return true; }
};

template <class T>
using HostVector = std::vector<T, HostAllocator<T>>;
using HostString = std::basic_string<char, std::char_traits<char>, HostAllocator<char>>;

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_ARENA_H_
