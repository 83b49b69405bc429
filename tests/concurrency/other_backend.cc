// SPDX-License-Identifier: Apache-2.0
#include "paddock/tests/concurrency/other_backend.h"

extern "C" {
extern const int paddock_has_one_sync_backend;
const int paddock_has_one_sync_backend = 1;
}

namespace paddock::sync {
inline namespace other_backend {

const BackendAnchor kBackendAnchor = {"other"};

}  // namespace other_backend
}  // namespace paddock::sync
