// SPDX-License-Identifier: Apache-2.0
//
// The two configurations of a machine: the lower half of each user table, and the kernel's window
// at the top, which every user table shares.

#ifndef PADDOCK_CORE_SPACE_CONFIGS_H_
#define PADDOCK_CORE_SPACE_CONFIGS_H_

#include "paddock/arch/x86_64.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/kernel_config.h"
#include "paddock/core/space/mapped_frames.h"

namespace paddock {

using UserFormat = x86_64::Format4;

using UserPtConfig = FramesConfig<UserFormat, 0, 255>;
// The last 4 TiB, shared by all spaces: the tables right below the root are created with the
// machine and never freed. Cursors leave out the last 512 GiB, where a kernel has its own image.
using KernelPtConfig = KernelConfig<UserFormat, 504, 511, /*LockedEnd=*/uint64_t{511} << 39>;

static_assert(PageTableConfig<UserPtConfig>);
static_assert(PageTableConfig<KernelPtConfig>);
static_assert(KernelPtConfig::kLockedEndBound %
                  Geometry<UserFormat>::EntrySpan(UserFormat::kLevels) ==
              0);

// The first address that is not a user address.
inline constexpr VirtAddr kUserEnd(ManagedOffsets<UserPtConfig>().end);
// The addresses that cursors of the kernel's table may lock.
inline constexpr VirtRange kKernelRange{
    Geometry<UserFormat>::ToVirt(ManagedOffsets<KernelPtConfig>().start),
    Geometry<UserFormat>::ToVirt(LockedEndBound<KernelPtConfig>())};

extern template class PageTable<UserPtConfig>;
extern template class Cursor<UserPtConfig>;
extern template class CursorMut<UserPtConfig>;
extern template class PageTable<KernelPtConfig>;
extern template class Cursor<KernelPtConfig>;
extern template class CursorMut<KernelPtConfig>;

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_CONFIGS_H_
