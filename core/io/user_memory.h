// SPDX-License-Identifier: Apache-2.0
//
// Memory that is reached by translating its addresses: what readers and writers of user memory
// stand on, without knowing what an address space is made of. VmSpace implements it.
//
// How long a translation holds. Lookup goes through the CPU's TLB. A frame that it finds is freed
// only after every CPU on which the space is active has flushed; this CPU does that at its
// interrupt points (Machine::Poll), and only there. So from one interrupt point to the next the
// frame stays what it is, without a counted reference, although others may unmap it meanwhile, or
// map something else: such an access comes before the flush, as on a real processor. Lookup is no
// interrupt point. Resolve may be one, since a page-fault handler may poll: what was looked up
// before must be looked up again. (The races are numbered in memory_window.cc.)

#ifndef PADDOCK_CORE_IO_USER_MEMORY_H_
#define PADDOCK_CORE_IO_USER_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/arch/address.h"
#include "paddock/concurrency/cpu.h"
#include "paddock/core/page_table/access.h"

namespace paddock {

// How often an access may fault in a row, its handler saying each time that it has mapped the page.
inline constexpr int kMaxFaultsPerAccess = 64;

struct UserLookup {
  std::byte* data = nullptr;  // of the byte that was asked for; the rest of its page follows
  WalkFault fault = WalkFault::kNone;  // why there is none
};

class UserMemory {
 public:
  // Where the byte at `va` is, if user code on this CPU may access it so. Sets accessed and dirty
  // bits as the access does. No interrupt point, calls nothing. Precondition: `va` is a user
  // address.
  virtual UserLookup Lookup(const CpuPin& pin, VirtAddr va, Access access) = 0;

  // After a Lookup that found `fault`: lets the page-fault handler see to it, without locks. OK:
  // look again. Else the access fails with this status.
  virtual absl::Status Resolve(const CpuPin& pin, VirtAddr va, Access access, WalkFault fault) = 0;

 protected:
  ~UserMemory() = default;
};

// ABORTED: the access at `va` has faulted kMaxFaultsPerAccess times.
absl::Status FaultsWithoutEnd(VirtAddr va);

// What a registered reader or writer does with its range: read it, or write it (and read it).
enum class ViewKind : uint8_t { kReader, kWriter };

// Is told which parts of a space are being read and written, and may refuse. The seam for a ledger
// that keeps the discipline of the seeds' VmSpaceOwner (seed 003). Thread safety: both functions
// are called from any pinned thread.
class ViewRegistry {
 public:
  // Names the view, or refuses it with the status that the creator of the reader or writer gets.
  virtual absl::StatusOr<uint64_t> BeginView(VirtRange range, ViewKind kind) = 0;
  virtual void EndView(uint64_t view) = 0;

 protected:
  ~ViewRegistry() = default;
};

// A registration, which ends with this object.
class [[nodiscard]] UserView {
 public:
  // Registered nowhere.
  UserView() = default;
  // `registry` must outlive this.
  UserView(ViewRegistry& registry, uint64_t view) : registry_(&registry), view_(view) {}
  UserView(UserView&& other) noexcept
      : registry_(std::exchange(other.registry_, nullptr)), view_(other.view_) {}
  UserView& operator=(UserView&& other) noexcept {
    UserView taken(std::move(other));
    std::swap(registry_, taken.registry_);
    std::swap(view_, taken.view_);
    return *this;
  }
  ~UserView() {
    if (registry_ != nullptr) registry_->EndView(view_);
  }

 private:
  ViewRegistry* registry_ = nullptr;
  uint64_t view_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_CORE_IO_USER_MEMORY_H_
