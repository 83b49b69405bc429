// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_TESTS_CONCURRENCY_OTHER_BACKEND_H_
#define PADDOCK_TESTS_CONCURRENCY_OTHER_BACKEND_H_

// The least that sync.h takes for a backend: only its name differs from the real one.
namespace paddock::sync {
inline namespace other_backend {

struct BackendAnchor {
  char name[16];
};
extern const BackendAnchor kBackendAnchor;

}  // namespace other_backend
}  // namespace paddock::sync

#endif  // PADDOCK_TESTS_CONCURRENCY_OTHER_BACKEND_H_
