// SPDX-License-Identifier: Apache-2.0
//
// What a mapping allows and how it is cached, without any format's bits. A format encodes a
// property or says why it cannot; what it encodes it decodes to the same value.
//
//   PageProperty property = kReadWriteUser;
//   property.flags |= PageFlags::kGlobal;
//   property.cache = CachePolicy::kUncacheable;
//   if (HasAll(property.flags, PageFlags::kRead | PageFlags::kWrite)) ...
//   puts(Describe(property).c_str());  // "rw-ug-- uc sw=00"
//
// Thread safety: values. Cost: three bytes; everything is constexpr.

#ifndef PADDOCK_ARCH_PAGE_PROPERTY_H_
#define PADDOCK_ARCH_PAGE_PROPERTY_H_

#include <cstdint>

namespace paddock {

// Without kUser only the kernel may use the mapping; with it both may. kGlobal: valid in every
// address space, survives a switch of them. kAccessed and kDirty: hardware sets them at any time.
enum class PageFlags : uint8_t {
  kNone = 0,
  kRead = 1,
  kWrite = 2,
  kExecute = 4,
  kUser = 8,
  kGlobal = 16,
  kAccessed = 32,
  kDirty = 64,
};

inline constexpr PageFlags kAllPageFlags = static_cast<PageFlags>(0x7f);

constexpr PageFlags operator|(PageFlags a, PageFlags b) {
  return static_cast<PageFlags>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}
constexpr PageFlags operator&(PageFlags a, PageFlags b) {
  return static_cast<PageFlags>(static_cast<uint8_t>(a) & static_cast<uint8_t>(b));
}
// The flags of kAllPageFlags that are not in `a`.
constexpr PageFlags operator~(PageFlags a) {
  return static_cast<PageFlags>(~static_cast<uint8_t>(a) & static_cast<uint8_t>(kAllPageFlags));
}
constexpr PageFlags& operator|=(PageFlags& a, PageFlags b) { return a = a | b; }
constexpr PageFlags& operator&=(PageFlags& a, PageFlags b) { return a = a & b; }

// Whether every flag, or at least one flag, of `wanted` is in `flags`.
constexpr bool HasAll(PageFlags flags, PageFlags wanted) { return (flags & wanted) == wanted; }
constexpr bool HasAny(PageFlags flags, PageFlags wanted) {
  return (flags & wanted) != PageFlags::kNone;
}

enum class CachePolicy : uint8_t {
  kWriteBack,
  kWriteThrough,
  kUncacheable,
  kWriteCombining,
  kWriteProtected,
};

inline constexpr int kCachePolicyCount = 5;

struct PageProperty {
  PageFlags flags = PageFlags::kNone;
  CachePolicy cache = CachePolicy::kWriteBack;
  // Bits that hardware ignores and the user of the table owns. A format may carry fewer than eight.
  uint8_t software = 0;

  friend constexpr bool operator==(const PageProperty&, const PageProperty&) = default;
};

// The usual properties: write-back, not global, not yet accessed.
inline constexpr PageProperty kReadKernel{PageFlags::kRead};
inline constexpr PageProperty kReadWriteKernel{PageFlags::kRead | PageFlags::kWrite};
inline constexpr PageProperty kReadExecuteKernel{PageFlags::kRead | PageFlags::kExecute};
inline constexpr PageProperty kReadWriteExecuteKernel{PageFlags::kRead | PageFlags::kWrite |
                                                      PageFlags::kExecute};
inline constexpr PageProperty kReadUser{kReadKernel.flags | PageFlags::kUser};
inline constexpr PageProperty kReadWriteUser{kReadWriteKernel.flags | PageFlags::kUser};
inline constexpr PageProperty kReadExecuteUser{kReadExecuteKernel.flags | PageFlags::kUser};
inline constexpr PageProperty kReadWriteExecuteUser{kReadWriteExecuteKernel.flags |
                                                    PageFlags::kUser};

// A property as text, held by value: no allocation, usable where a message is built in a crash
// path.
class PagePropertyText {
 public:
  constexpr explicit PagePropertyText(const PageProperty& property) {
    int at = 0;
    for (int bit = 0; bit < 7; ++bit) {
      const auto flag = static_cast<PageFlags>(1 << bit);
      text_[at++] = HasAny(property.flags, flag) ? "rwxugad"[bit] : '-';
    }
    text_[at++] = ' ';
    const auto policy = static_cast<uint8_t>(property.cache);
    const int column = 2 * (policy < kCachePolicyCount ? policy : kCachePolicyCount);
    text_[at++] = "wbwtucwcwp??"[column];
    text_[at++] = "wbwtucwcwp??"[column + 1];
    for (const char* c = " sw="; *c != 0; ++c) text_[at++] = *c;
    text_[at++] = "0123456789abcdef"[property.software >> 4];
    text_[at++] = "0123456789abcdef"[property.software & 15];
  }

  // Null-terminated; lives as long as this object.
  constexpr const char* c_str() const { return text_; }

 private:
  char text_[17] = {};
};

// For example "rw-u-ad wb sw=00": flags in the order of PageFlags, cache policy, software bits.
constexpr PagePropertyText Describe(const PageProperty& property) {
  return PagePropertyText(property);
}

static_assert(sizeof(PageProperty) == 3);

}  // namespace paddock

#endif  // PADDOCK_ARCH_PAGE_PROPERTY_H_
