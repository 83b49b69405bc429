// SPDX-License-Identifier: Apache-2.0
//
// A file that only includes the facade: that alone ties it to its backend.
#include "paddock/concurrency/sync.h"

int PADDOCK_TEST_USER() { return 1; }
