// SPDX-License-Identifier: Apache-2.0
//
// Types that may be read from memory that others wrote, and written to memory that others read:
// plain old data, of which every bit pattern is a value. (After the Pod trait of the Asterinas
// memory IO, seed 004.)
//
//   struct Descriptor { uint64_t address; uint32_t length; uint16_t flags; uint16_t next; };
//   template <> inline constexpr bool paddock::kEnablePod<Descriptor> = true;
//   static_assert(paddock::Pod<Descriptor>);
//
// In by themselves: integers, characters, std::byte, float, double, and std::arrays of plain old
// data. Out, because not every pattern is a value: bool, pointers, enumerations, long double; and
// every class, because the language cannot tell what its members mean. Whoever enables a type
// vouches for that: an enumeration, say, whose users expect unknown values.
//
// No padding: bytes of it are indeterminate, so writing them shows another party (a guest) what
// happened to be in this process's memory, and MemorySanitizer reports it. The language knows of a
// type without floating-point members whether it has padding: it has none if objects of equal value
// have equal bytes (std::has_unique_object_representations). With such members that never holds,
// since 0.0 equals -0.0; who enables such a type must look, and say so with kPodWithoutPadding.
//
// Cost: none; everything is known to the compiler.

#ifndef PADDOCK_CORE_IO_POD_H_
#define PADDOCK_CORE_IO_POD_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace paddock {

// Specialise to enable a type.
template <typename T>
inline constexpr bool kEnablePod =
    (std::integral<T> && !std::same_as<T, bool>) || std::same_as<T, float> ||
    std::same_as<T, double> || std::same_as<T, std::byte>;

// Specialise as well for a type with floating-point members, and no padding.
template <typename T>
inline constexpr bool kPodWithoutPadding = std::has_unique_object_representations_v<T> ||
                                           std::same_as<T, float> || std::same_as<T, double>;

template <typename T>
concept Pod = kEnablePod<T> && std::is_object_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
              std::is_trivially_copyable_v<T> && kPodWithoutPadding<T>;

template <typename T, size_t N>
inline constexpr bool kEnablePod<std::array<T, N>> = N > 0 && Pod<T>;
template <typename T, size_t N>
inline constexpr bool kPodWithoutPadding<std::array<T, N>> =
    N > 0 && kPodWithoutPadding<T> && sizeof(std::array<T, N>) == N * sizeof(T);

// Those that one memory access can carry.
template <typename T>
concept PodOnce = Pod<T> && (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);

namespace internal {

template <PodOnce T>
using WordOf =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

}  // namespace internal

static_assert(Pod<std::byte> && PodOnce<long> && PodOnce<double> && Pod<std::array<float, 3>>);
static_assert(!Pod<bool> && !Pod<void*> && !Pod<long double> && !Pod<const int> && !Pod<int&>);
static_assert(!PodOnce<std::array<char, 3>> && !PodOnce<std::array<long, 2>>);

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_POD_H_
