// SPDX-License-Identifier: Apache-2.0
//
// One maker per workload. Each keeps to addresses of its own, so that `mixed` can run them side by
// side.

#ifndef PADDOCK_STRESS_WORKLOAD_GENERATORS_H_
#define PADDOCK_STRESS_WORKLOAD_GENERATORS_H_

#include <memory>

#include "paddock/stress/workload/generator.h"

namespace paddock {

std::unique_ptr<Generator> MakeDisjoint(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeOverlap(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeSubtree(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeProtect(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeHuge(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeSpaces(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeTlb(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeIo(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeKvirt(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeRcu(const GeneratorArgs& args);
std::unique_ptr<Generator> MakeMixed(const GeneratorArgs& args);

}  // namespace paddock

#endif  // PADDOCK_STRESS_WORKLOAD_GENERATORS_H_
