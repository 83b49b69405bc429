// SPDX-License-Identifier: Apache-2.0
//
// Which machine the benchmarks run on, as far as figures of two runs may be compared.

#ifndef PADDOCK_STRESS_BENCH_MACHINE_NAME_H_
#define PADDOCK_STRESS_BENCH_MACHINE_NAME_H_

#include <string>

namespace paddock::bench {

// "2 CPUs, Intel(R) Xeon(R) Processor"; without a model where the system does not tell.
std::string MachineName();

}  // namespace paddock::bench

#endif  // PADDOCK_STRESS_BENCH_MACHINE_NAME_H_
