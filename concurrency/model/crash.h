// SPDX-License-Identifier: Apache-2.0
#ifndef PADDOCK_CONCURRENCY_MODEL_CRASH_H_
#define PADDOCK_CONCURRENCY_MODEL_CRASH_H_

namespace paddock::model {

// From here on a fatal signal inside an execution (an access to memory that is not mapped, an
// abort) fails that execution instead of ending the process. Outside of executions signals do what
// they did.
void CatchCrashes();

}  // namespace paddock::model

#endif  // PADDOCK_CONCURRENCY_MODEL_CRASH_H_
