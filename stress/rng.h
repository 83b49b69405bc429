// SPDX-License-Identifier: Apache-2.0
//
// The randomness of operation streams: the same numbers from the same seed, everywhere.
//
//   StreamRng rng(SeedOf({seed, stream, round}));
//   uint64_t page = rng.Below(1024);
//   if (rng.Chance(8)) { /* one time in eight */ }
//
// SplitMix64 (Steele, Lea, Flood 2014). Thread safety: one thread. Cost: a few instructions.

#ifndef PADDOCK_STRESS_RNG_H_
#define PADDOCK_STRESS_RNG_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace paddock {

constexpr uint64_t MixBits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class StreamRng {
 public:
  explicit constexpr StreamRng(uint64_t seed) : state_(seed) {}

  constexpr uint64_t Next() { return MixBits(state_ += 0x9e3779b97f4a7c15); }
  // Uniform in [0, n), n above 0, to within n / 2^64.
  constexpr uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }
  // Uniform in [low, high].
  constexpr uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  // True one time in `n`.
  constexpr bool Chance(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

// A seed that depends on every part and on their order.
constexpr uint64_t SeedOf(std::initializer_list<uint64_t> parts) {
  uint64_t seed = 0;
  for (const uint64_t part : parts) seed = MixBits(seed + 0x9e3779b97f4a7c15 + MixBits(part));
  return seed;
}

// A part of a seed that depends on every character.
constexpr uint64_t HashName(std::string_view name) {
  uint64_t hash = 0;
  for (const char c : name) hash = MixBits(hash * 31 + static_cast<unsigned char>(c));
  return hash;
}

}  // namespace paddock

#endif  // PADDOCK_STRESS_RNG_H_
