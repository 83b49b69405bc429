// SPDX-License-Identifier: Apache-2.0
//
// A paging format whose every entry access a test can watch, and stop at: the real format's bits,
// and hooks of the calling thread. The code under test is compiled as it is; only the type through
// which it touches entries is another one.
//
//   using F = Watched<x86_64::Format4>;
//   EntryHooks hooks;
//   hooks.after_store = [&](Pte* entry) { ... };        // every store, exchange, successful
//   exchange hooks.after_load = [&](Pte* entry, Pte value) { ... }; hooks.before_exchange =
//   [&](Pte* entry) { ... };    // the last moment for hardware to set a bit ScopedEntryHooks
//   watch(hooks);                      // this thread only

#ifndef PADDOCK_TESTS_SUPPORT_ENTRY_HOOKS_H_
#define PADDOCK_TESTS_SUPPORT_ENTRY_HOOKS_H_

#include <functional>
#include <utility>

#include "paddock/arch/paging_format.h"
#include "paddock/concurrency/sync.h"
#include "paddock/core/page_table/node.h"

namespace paddock {

template <PagingFormat Base>
struct Watched : Base {};

struct EntryHooks {
  std::function<void(Pte* entry)> after_store;
  std::function<void(Pte* entry, Pte value)> after_load;
  std::function<void(Pte* entry)> before_exchange;

  static EntryHooks*& Current() {
    static thread_local EntryHooks* current = nullptr;
    return current;
  }
};

class ScopedEntryHooks {
 public:
  explicit ScopedEntryHooks(EntryHooks& hooks)
      : before_(std::exchange(EntryHooks::Current(), &hooks)) {}
  ~ScopedEntryHooks() { EntryHooks::Current() = before_; }
  ScopedEntryHooks(const ScopedEntryHooks&) = delete;
  ScopedEntryHooks& operator=(const ScopedEntryHooks&) = delete;

 private:
  EntryHooks* before_;
};

// Stands where sync::AtomicRef<Pte> stands for other formats. A hook runs with the hooks switched
// off, so it may look at tables itself.
class WatchedRef {
 public:
  explicit WatchedRef(Pte& entry) : entry_(&entry), ref_(entry) {}

  Pte load(sync::Order order) const {
    const Pte value = ref_.load(order);
    Call(&EntryHooks::after_load, entry_, value);
    return value;
  }
  void store(Pte pte, sync::Order order) const {
    ref_.store(pte, order);
    Call(&EntryHooks::after_store, entry_);
  }
  Pte exchange(Pte pte, sync::Order order) const {
    Call(&EntryHooks::before_exchange, entry_);
    const Pte old = ref_.exchange(pte, order);
    Call(&EntryHooks::after_store, entry_);
    return old;
  }
  bool compare_exchange(Pte& expected, Pte pte, sync::Order success, sync::Order failure) const {
    Call(&EntryHooks::before_exchange, entry_);
    const bool done = ref_.compare_exchange(expected, pte, success, failure);
    if (done) Call(&EntryHooks::after_store, entry_);
    return done;
  }

 private:
  template <typename Hook, typename... Args>
  static void Call(Hook hook, Args... args) {
    EntryHooks* hooks = EntryHooks::Current();
    if (hooks == nullptr || !(hooks->*hook)) return;
    EntryHooks::Current() = nullptr;
    (hooks->*hook)(args...);
    EntryHooks::Current() = hooks;
  }

  Pte* entry_;
  sync::AtomicRef<Pte> ref_;
};

template <PagingFormat Base>
struct EntryAccess<Watched<Base>> {
  using Ref = WatchedRef;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_ENTRY_HOOKS_H_
