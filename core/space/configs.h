// SPDX-License-Identifier: Apache-2.0
//
// The two configurations of a machine: the lower half of each user table, and the kernel's window
// at the top, which every user table shares.

#ifndef PADDOCK_CORE_SPACE_CONFIGS_H_
#define PADDOCK_CORE_SPACE_CONFIGS_H_

#include "paddock/arch/x86_64.h"
#include "paddock/core/page_table/config.h"
#include "paddock/core/page_table/page_table.h"
#include "paddock/core/space/mapped_frames.h"

namespace paddock {

using UserFormat = x86_64::Format4;

using UserPtConfig = FramesConfig<UserFormat, 0, 255, TableRole::kSpace>;
// The last 4 TiB. The tables right below the root are created with the machine and never freed.
using KernelPtConfig = FramesConfig<UserFormat, 504, 511, TableRole::kShared>;

static_assert(PageTableConfig<UserPtConfig>);
static_assert(PageTableConfig<KernelPtConfig>);

// The first address that is not a user address.
inline constexpr VirtAddr kUserEnd(ManagedOffsets<UserPtConfig>().end);

extern template class PageTable<UserPtConfig>;
extern template class Cursor<UserPtConfig>;
extern template class CursorMut<UserPtConfig>;
extern template class PageTable<KernelPtConfig>;
extern template class Cursor<KernelPtConfig>;
extern template class CursorMut<KernelPtConfig>;

}  // namespace paddock

#endif  // PADDOCK_CORE_SPACE_CONFIGS_H_
