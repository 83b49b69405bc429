// SPDX-License-Identifier: Apache-2.0
//
// The seed of a random test: TEST_RANDOM_SEED if set, else random; always printed.

#ifndef PADDOCK_TESTS_SUPPORT_RANDOM_SEED_H_
#define PADDOCK_TESTS_SUPPORT_RANDOM_SEED_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace paddock {

inline uint64_t TestSeed() {
  const char* given = std::getenv("TEST_RANDOM_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("seed: TEST_RANDOM_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_RANDOM_SEED_H_
