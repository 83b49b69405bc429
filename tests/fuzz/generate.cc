// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/generate.h"

#include <array>
#include <random>

#include "paddock/core/space/configs.h"

namespace paddock::fuzz {
namespace {

constexpr uint64_t kHuge = uint64_t{1} << 21;
constexpr size_t kLength = 32;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Program Run() {
    while (program_.size() < kLength) {
      switch (Below(8)) {
        case 0:
        case 1:
          Transaction();
          break;
        case 2:
        case 3:
          UseAndChange();
          break;
        case 4:
        case 5:
          Outside();
          break;
        default:
          Area();
      }
    }
    return program_;
  }

 private:
  // The same on every machine, unlike the distributions of the library.
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_() % n); }
  template <typename T, size_t kSize>
  T OneOf(const std::array<T, kSize>& choices) {
    return choices[Below(kSize)];
  }
  uint64_t Pages(uint32_t most) { return (1 + Below(most)) * kPageSize; }

  // Few places, so that steps meet.
  VirtAddr Place() {
    constexpr std::array<uint64_t, 6> kPlaces = {0,
                                                 kHuge - kPageSize,
                                                 kHuge,
                                                 (uint64_t{1} << 30) - kHuge,
                                                 (uint64_t{1} << 39) - kPageSize,
                                                 kUserEnd.value() - kHuge};
    return VirtAddr(OneOf(kPlaces) + (Below(4) == 0 ? kPageSize : 0));
  }

  void Transaction() {
    const VirtAddr start = Place();
    const uint64_t length = Below(2) == 0 ? Pages(4) : kHuge;
    OpenOp open{.space = Below(kSpaces), .range = {start, VirtAddr(start.value() + length)}};
    if (Below(8) == 0) open.kind = CursorKind::kLook;
    if (Below(4) == 0) open.intent = Intent::kNoMap;
    if (Below(4) == 0) open.anchor = Anchor::kLow;
    program_.push_back(open);
    const uint32_t steps = 2 + Below(4);
    for (uint32_t i = 0; i < steps; ++i) Inside(start, length);
    program_.push_back(CloseOp{});
  }

  void Inside(VirtAddr start, uint64_t length) {
    const PropertyEdit edit = Below(2) == 0 ? PropertyEdit{.clear = PageFlags::kWrite}
                                            : PropertyEdit{.set = PageFlags::kWrite};
    const uint64_t part = Below(2) == 0 ? length : kPageSize;
    switch (Below(9)) {
      case 0:
      case 1:
        program_.push_back(MapOp{.pages = length == kHuge && Below(2) == 0 ? 512u : 1u});
        break;
      case 2:
        program_.push_back(UnmapOp{part});
        break;
      case 3:
        program_.push_back(ProtectOp{part, edit});
        break;
      case 4:
        program_.push_back(ProtectNextOp{part, edit});
        break;
      case 5:
        program_.push_back(TakeNextOp{part});
        break;
      case 6:
        program_.push_back(QueryOp{});
        program_.push_back(FindNextOp{part});
        break;
      default:
        program_.push_back(JumpOp{VirtAddr(start.value() + (Below(3) == 0 ? kPageSize : 0))});
    }
  }

  // A page that a CPU has in its TLB is changed, by this CPU or another one, and used again.
  void UseAndChange() {
    const uint32_t space = Below(kSpaces);
    const VirtAddr start = Place();
    const bool huge = start.IsAligned(kHuge) && Below(2) == 0;
    const VirtRange range{start, VirtAddr(start.value() + (huge ? kHuge : kPageSize))};
    const AccessOp access{space, start, Below(2) == 0 ? AccessKind::kLoad : AccessKind::kStore};
    const OpenOp open{.space = space, .range = range};
    program_.insert(program_.end(), {open, MapOp{.pages = huge ? 512u : 1u}, CloseOp{}, access});
    const bool elsewhere = Below(2) == 0;
    if (elsewhere) program_.insert(program_.end(), {ActivateOp{1 - space}, CpuOp{1}});
    program_.push_back(open);
    switch (Below(3)) {
      case 0:
        program_.push_back(UnmapOp{range.size()});
        break;
      case 1:
        program_.push_back(MapOp{});
        break;
      default:
        program_.push_back(ProtectOp{kPageSize, PropertyEdit{.clear = PageFlags::kWrite}});
    }
    program_.push_back(CloseOp{});
    if (elsewhere) program_.push_back(CpuOp{0});
    program_.push_back(AccessOp{space, start, AccessKind::kStore});
  }

  void Outside() {
    const uint32_t space = Below(kSpaces);
    const AccessKind kind = Below(2) == 0 ? AccessKind::kLoad : AccessKind::kStore;
    switch (Below(8)) {
      case 0:
        program_.push_back(CpuOp{Below(kCpus)});
        break;
      case 1:
        program_.push_back(WalkOp{space, Place()});
        break;
      case 2:
        program_.push_back(DestroySpaceOp{space});
        program_.push_back(CreateSpaceOp{space});
        break;
      case 3:
        program_.push_back(IdleOp{});
        program_.push_back(GraceOp{});
        break;
      default:
        program_.push_back(AccessOp{space, Place(), kind});
    }
  }

  void Area() {
    const uint32_t area = Below(kAreas);
    switch (Below(6)) {
      case 0:
        program_.push_back(DestroyAreaOp{area});
        break;
      case 1:
        program_.push_back(SplitAreaOp{area, Below(kAreas), Pages(4)});
        break;
      case 2:
        program_.push_back(KernelAccessOp{Pages(4)});
        break;
      case 3:
        program_.push_back(FlushAreasOp{});
        break;
      default:
        program_.push_back(NewAreaOp{.area = area,
                                     .guard = Below(2),
                                     .pages = OneOf(std::array<uint32_t, 4>{1, 2, 40, 600}),
                                     .frames = static_cast<AreaFrames>(Below(4))});
    }
  }

  std::mt19937_64 random_;
  Program program_;
};

}  // namespace

Program Generate(uint64_t seed) { return Generator(seed).Run(); }

}  // namespace paddock::fuzz
