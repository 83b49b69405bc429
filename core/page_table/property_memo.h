// SPDX-License-Identifier: Apache-2.0
//
// What leaves say, with the last property remembered: neighbours mostly have the same, and to take
// one apart bit by bit costs more than anything else that is done with a leaf.
//
//   PropertyMemo<F> memo;
//   const RawItem raw = memo.RawOf(leaf, level);
//
// Thread safety: none. Cost: a comparison where the property is that of the leaf before.

#ifndef PADDOCK_CORE_PAGE_TABLE_PROPERTY_MEMO_H_
#define PADDOCK_CORE_PAGE_TABLE_PROPERTY_MEMO_H_

#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"
#include "paddock/core/page_table/config.h"

namespace paddock {

template <PagingFormat F>
class PropertyMemo {
 public:
  // Precondition: a leaf.
  RawItem RawOf(Pte leaf, int level) {
    const Pte attributes = F::Attributes(leaf, level);
    if (attributes != attributes_ || level != level_) [[unlikely]] {
      attributes_ = attributes;
      level_ = level;
      property_ = F::Property(leaf, level);
    }
    return RawItem{F::Address(leaf, level), level, property_};
  }

 private:
  int level_ = 0;  // 0: nothing is remembered
  Pte attributes_ = 0;
  PageProperty property_;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_PROPERTY_MEMO_H_
