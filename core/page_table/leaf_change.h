// SPDX-License-Identifier: Apache-2.0
//
// A change of properties, applied to leaf after leaf of one table.
//
//   LeafChange<F> change(function);
//   const Pte changed = change.Apply(leaf, level);       // the same frame, another property
//   if (change.flush() == FlushNeed::kRequired) ...      // of the leaf applied to last
//
// Neighbouring leaves mostly have the same property, and the function is pure: what it made of one
// leaf is kept, and serves every leaf that differs in its address only.
//
// Thread safety: one thread. Cost: a few instructions for a leaf like the one before; else the
// function, a decoding and an encoding.

#ifndef PADDOCK_CORE_PAGE_TABLE_LEAF_CHANGE_H_
#define PADDOCK_CORE_PAGE_TABLE_LEAF_CHANGE_H_

#include <cstdint>
#include <type_traits>

#include "absl/base/attributes.h"
#include "absl/functional/function_ref.h"
#include "paddock/arch/page_property.h"
#include "paddock/arch/paging_format.h"

namespace paddock {

template <PagingFormat F>
class LeafChange {
 public:
  using Function = absl::FunctionRef<PageProperty(PageProperty)>;

  explicit LeafChange(Function function) : function_(function) {}
  // Applied to `leaf`.
  template <typename Level>
  ABSL_ATTRIBUTE_ALWAYS_INLINE LeafChange(Function function, Pte leaf, Level level)
      : function_(function) {
    Remember(leaf, level);
  }

  // Whether the last leaf that was applied to had the attributes of this one: what is said of that
  // one holds for this one.
  bool Knows(Pte leaf, int level) const {
    return F::Attributes(leaf, level) == attributes_ && level == level_;
  }
  // Meaningless if error() is not kNone.
  Pte Apply(Pte leaf, int level) {
    if (!Knows(leaf, level)) [[unlikely]]
      RememberOther(leaf, level);
    return leaf ^ difference_;
  }

  // Of the leaf that was applied to last: the bits in which the result differs, why the format
  // cannot express it, its property, the software bits in which that differs, whether it may
  // replace the leaf while other CPUs walk, and what flush it needs then.
  Pte difference() const { return difference_; }
  EncodeError error() const { return error_; }
  PageProperty property() const { return property_; }
  uint8_t software_changed() const { return software_changed_; }
  bool is_safe_live() const { return is_safe_live_; }
  FlushNeed flush() const { return flush_; }

 private:
  ABSL_ATTRIBUTE_NOINLINE void RememberOther(Pte leaf, int level) {
    // Base pages are the usual case, and with a constant level half of an encoding falls away.
    if (level == 1) return Remember(leaf, std::integral_constant<int, 1>());
    Remember(leaf, level);
  }
  template <typename Level>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Remember(Pte leaf, Level level) {
    level_ = level;
    attributes_ = F::Attributes(leaf, level);
    const PageProperty before = F::Property(leaf, level);
    property_ = function_(before);
    software_changed_ = static_cast<uint8_t>(before.software ^ property_.software);
    const EncodeResult encoded = F::WithProperty(leaf, property_, level);
    error_ = encoded.error;
    if (!encoded.ok()) return;
    difference_ = leaf ^ encoded.pte;
    is_safe_live_ = F::IsSafeLiveChange(leaf, encoded.pte, level);
    flush_ = F::FlushFor(leaf, encoded.pte, level);
  }

  const Function function_;
  int level_ = 0;  // 0: nothing is remembered
  Pte attributes_ = 0;
  Pte difference_ = 0;
  PageProperty property_;
  uint8_t software_changed_ = 0;
  EncodeError error_ = EncodeError::kNone;
  bool is_safe_live_ = true;
  FlushNeed flush_ = FlushNeed::kNone;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_PAGE_TABLE_LEAF_CHANGE_H_
