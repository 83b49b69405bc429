// SPDX-License-Identifier: Apache-2.0

#include "paddock/core/space/configs.h"

namespace paddock {

template class PageTable<UserPtConfig>;
template class Cursor<UserPtConfig>;
template class CursorMut<UserPtConfig>;
template class PageTable<KernelPtConfig>;
template class Cursor<KernelPtConfig>;
template class CursorMut<KernelPtConfig>;

}  // namespace paddock
