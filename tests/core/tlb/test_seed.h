// SPDX-License-Identifier: Apache-2.0

#ifndef PADDOCK_TESTS_CORE_TLB_TEST_SEED_H_
#define PADDOCK_TESTS_CORE_TLB_TEST_SEED_H_

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace paddock {

// TEST_RANDOM_SEED from the environment, or a fresh one; printed, so that a failure can be
// repeated.
inline uint64_t TestSeed() {
  const char* given = std::getenv("TEST_RANDOM_SEED");
  const uint64_t seed = given != nullptr
                            ? std::strtoull(given, nullptr, 0)
                            : (uint64_t{std::random_device()()} << 32) | std::random_device()();
  std::printf("TEST_RANDOM_SEED=%" PRIu64 "\n", seed);
  return seed;
}

}  // namespace paddock

#endif  // PADDOCK_TESTS_CORE_TLB_TEST_SEED_H_
