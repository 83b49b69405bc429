// SPDX-License-Identifier: Apache-2.0
//
// Maps a page into a space, writes to it as user code would, protects it, and unmaps it again.
//
//   bazel run --config=opt //examples:first_steps

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "paddock/core/frame/frame.h"
#include "paddock/core/frame/untyped.h"
#include "paddock/core/space/machine.h"
#include "paddock/core/space/mapped_frames.h"
#include "paddock/core/space/vm_space.h"

namespace {

using namespace paddock;  // NOLINT(google-build-using-namespace)

constexpr VirtRange kPage{VirtAddr(0x40'0000), VirtAddr(0x40'1000)};

absl::Status MapPage(Machine& machine, VmSpace& space, const CpuPin& pin) {
  auto frame = machine.frames().Allocate(Untyped{}, Zeroing::kZero);
  if (!frame.ok()) return frame.status();
  auto cursor = space.OpenCursorMut(pin, kPage);  // locks the page
  if (!cursor.ok()) return cursor.status();
  return cursor->Map(MappedFrames(*std::move(frame), kReadWriteUser));
}

absl::Status MakeReadOnly(VmSpace& space, const CpuPin& pin) {
  auto cursor = space.OpenCursorMut(pin, kPage, {.intent = Intent::kNoMap});
  if (!cursor.ok()) return cursor.status();
  auto pages = cursor->Protect(kPage.size(), [](PageProperty property) {
    property.flags = property.flags & ~PageFlags::kWrite;
    return property;
  });
  cursor->flusher().Sync();  // no CPU writes through an old TLB entry after this
  return pages.status();
}

absl::Status Run() {
  auto machine = Machine::Create({.cpus = 1, .memory_bytes = uint64_t{16} << 20});
  if (!machine.ok()) return machine.status();
  auto pin = (*machine)->Pin(CpuId{0});  // this thread is CPU 0 from here on
  if (!pin.ok()) return pin.status();
  auto space = VmSpace::Create(**machine, *pin);
  if (!space.ok()) return space.status();
  (*space)->Activate(*pin);

  if (auto mapped = MapPage(**machine, **space, *pin); !mapped.ok()) return mapped;
  if (auto stored = (*space)->Store(*pin, kPage.start, 42); !stored.ok()) return stored.status();
  auto loaded = (*space)->Load(*pin, kPage.start);
  if (!loaded.ok()) return loaded.status();
  std::printf("loaded %llu from frame %#llx\n", static_cast<unsigned long long>(loaded->value),
              static_cast<unsigned long long>(loaded->frame.value()));

  if (auto changed = MakeReadOnly(**space, *pin); !changed.ok()) return changed;
  auto refused = (*space)->Store(*pin, kPage.start, 43);
  std::printf("storing again: %s\n", refused.status().ToString().c_str());
  if (refused.ok()) return absl::InternalError("a read-only page was written");

  auto cursor = (*space)->OpenCursorMut(*pin, kPage, {.intent = Intent::kNoMap});
  if (!cursor.ok()) return cursor.status();
  auto removed = cursor->Unmap(kPage.size());
  if (!removed.ok()) return removed.status();
  std::printf("unmapped %llu page, %llu dirty\n", static_cast<unsigned long long>(removed->pages),
              static_cast<unsigned long long>(removed->dirty_pages));
  (*machine)->DeactivateSpace(*pin);
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
