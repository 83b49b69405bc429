// SPDX-License-Identifier: Apache-2.0
//
// A change of page properties as a value: what can be logged, replayed and printed, where a
// function could only be called.
//
//   PropertyEdit edit{.clear = PageFlags::kWrite};
//   PageProperty after = edit.Apply(before);
//
// Thread safety: a value. Cost: a few instructions.

#ifndef PADDOCK_CORE_SPEC_PROPERTY_EDIT_H_
#define PADDOCK_CORE_SPEC_PROPERTY_EDIT_H_

#include <cstdint>

#include "paddock/arch/page_property.h"

namespace paddock {

// Flags and software bits: first `clear`, then `set`. The cache policy stays as it is.
struct PropertyEdit {
  PageFlags set = PageFlags::kNone;
  PageFlags clear = PageFlags::kNone;
  uint8_t software_set = 0;
  uint8_t software_clear = 0;

  constexpr PageProperty Apply(PageProperty property) const {
    property.flags = (property.flags & ~clear) | set;
    property.software = static_cast<uint8_t>((property.software & ~software_clear) | software_set);
    return property;
  }
  constexpr PageProperty operator()(PageProperty property) const { return Apply(property); }

  friend constexpr bool operator==(const PropertyEdit&, const PropertyEdit&) = default;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_SPEC_PROPERTY_EDIT_H_
