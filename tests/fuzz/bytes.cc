// SPDX-License-Identifier: Apache-2.0

#include "paddock/tests/fuzz/bytes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "paddock/core/space/configs.h"

namespace paddock::fuzz {
namespace {

constexpr uint64_t k2MiB = uint64_t{1} << 21;
constexpr uint64_t k1GiB = uint64_t{1} << 30;
constexpr uint64_t k512GiB = uint64_t{1} << 39;

// An address is a landmark, some pages from there, and some bytes; a length so many of a unit, of
// which the last goes backwards, and some bytes. There are few of each, so that steps meet.
constexpr std::array<uint64_t, 5> kLandmarks = {0, k2MiB, k1GiB, k512GiB, kUserEnd.value()};
constexpr std::array<int64_t, 16> kOffsets = {0,   1,    2,    3,   -1,  -2,   -3, -510,
                                              511, -511, -512, 512, 513, -513, 4,  1024};
constexpr std::array<uint64_t, 4> kUnits = {kPageSize, k2MiB, k1GiB, ~kPageSize + 1};
constexpr std::array<uint64_t, 16> kCounts = {1, 2,   3,   4,   512, 0,  511, 513,
                                              5, 510, 514, 600, 40,  41, 8,   1023};
// Most are aligned to a page, most others to an access.
constexpr std::array<uint64_t, 8> kBytes = {0, 0, 0, 0, 0, 8, kPageSize - 8, 1};

constexpr std::array<uint32_t, 3> kMapPages = {1, 512, 2};
constexpr std::array<uint32_t, 6> kAreaPages = {1, 2, 5, 40, 512, 600};
constexpr std::array<uint32_t, 3> kGuards = {0, 1, 3};

constexpr PageProperty With(PageProperty property, PageFlags flags, uint8_t software) {
  property.flags |= flags;
  property.software = software;
  return property;
}
// The last two cannot be mapped in a space.
constexpr std::array<PageProperty, 8> kProperties = {
    kReadWriteUser,
    kReadUser,
    kReadExecuteUser,
    kReadWriteKernel,
    With(kReadWriteUser, PageFlags::kAccessed | PageFlags::kDirty, 3),
    PageProperty{kReadUser.flags, CachePolicy::kUncacheable, 0},
    With(kReadWriteUser, PageFlags::kGlobal, 0),
    PageProperty{PageFlags::kWrite | PageFlags::kUser, CachePolicy::kWriteBack, 0},
};
// The last one is refused wherever something is mapped.
constexpr std::array<PropertyEdit, 8> kEdits = {
    PropertyEdit{},
    PropertyEdit{.clear = PageFlags::kWrite},
    PropertyEdit{.set = PageFlags::kWrite},
    PropertyEdit{.set = PageFlags::kExecute, .clear = PageFlags::kWrite},
    PropertyEdit{.clear = PageFlags::kExecute, .software_set = 1},
    PropertyEdit{.clear = PageFlags::kUser},
    PropertyEdit{.set = PageFlags::kUser, .software_clear = 3},
    PropertyEdit{.clear = PageFlags::kRead},
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  void operator()(const char*) {}

  uint64_t Next(int count) {
    uint64_t value = 0;
    for (int i = 0; i < count && !bytes_.empty(); ++i) {
      value |= uint64_t{bytes_.front()} << (8 * i);
      bytes_ = bytes_.subspan(1);
    }
    return value;
  }
  template <typename T, size_t kSize>
  void OneOf(const std::array<T, kSize>& choices, T& value) {
    value = choices[Next(1) % kSize];
  }
  template <typename T>
  void Below(uint32_t count, T& value) {
    value = static_cast<T>(Next(1) % count);
  }
  void Address(uint64_t& value) {
    int64_t pages = 0;
    uint64_t bytes = 0;
    OneOf(kLandmarks, value);
    OneOf(kOffsets, pages);
    OneOf(kBytes, bytes);
    value += static_cast<uint64_t>(pages) * kPageSize + bytes;
  }
  void Length(uint64_t& value) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    OneOf(kUnits, value);
    OneOf(kCounts, count);
    OneOf(kBytes, bytes);
    value = value * count + bytes;
  }
  bool failed() const { return false; }

 private:
  std::span<const uint8_t> bytes_;
};

// The inverse: every function writes what the one of ByteReader would read.
class ByteWriter {
 public:
  void operator()(const char*) {}

  void Put(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  template <typename T, size_t kSize>
  void OneOf(const std::array<T, kSize>& choices, const T& value) {
    const auto found = absl::c_find(choices, value);
    failed_ = failed_ || found == choices.end();
    Put(static_cast<uint64_t>(found - choices.begin()), 1);
  }
  template <typename T>
  void Below(uint32_t count, const T& value) {
    failed_ = failed_ || static_cast<uint32_t>(value) >= count;
    Put(static_cast<uint64_t>(value), 1);
  }
  void Address(uint64_t value) {
    for (const uint64_t landmark : kLandmarks) {
      const auto pages = static_cast<int64_t>(value - landmark) >> kPageBits;
      if (!absl::c_linear_search(kOffsets, pages)) continue;
      OneOf(kLandmarks, landmark);
      OneOf(kOffsets, pages);
      return OneOf(kBytes, value % kPageSize);
    }
    failed_ = true;
  }
  void Length(uint64_t value) {
    const uint64_t bytes = value % kPageSize;
    for (const uint64_t unit : kUnits) {
      for (const uint64_t count : kCounts) {
        if (count * unit != value - bytes) continue;
        OneOf(kUnits, unit);
        OneOf(kCounts, count);
        return OneOf(kBytes, bytes);
      }
    }
    failed_ = true;
  }
  bool failed() const { return failed_; }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
  bool failed_ = false;
};

// What each field may be; `Base` reads it or writes it.
template <typename Base>
class Coder : public Base {
 public:
  using Base::Base;
  using Base::operator();

  template <typename T>
  void operator()(const char* field, T& value) {
    Code(field, value);
  }

 private:
  template <typename T, typename U>
  static constexpr bool kIs = std::is_same_v<std::remove_const_t<T>, U>;

  template <typename T>
  void Code(std::string_view field, T& value) {
    if constexpr (kIs<T, uint32_t>) {
      Number(field, value);
    } else if constexpr (kIs<T, uint64_t>) {
      Base::Length(value);
    } else if constexpr (kIs<T, VirtAddr>) {
      uint64_t address = value.value();
      Base::Address(address);
      if constexpr (!std::is_const_v<T>) value = VirtAddr(address);
    } else if constexpr (kIs<T, VirtRange>) {
      Code(field, value.start);
      uint64_t length = value.end.value() - value.start.value();
      Base::Length(length);
      if constexpr (!std::is_const_v<T>) value.end = VirtAddr(value.start.value() + length);
    } else if constexpr (kIs<T, PageProperty>) {
      Base::OneOf(kProperties, value);
    } else if constexpr (kIs<T, PropertyEdit>) {
      Base::OneOf(kEdits, value);
    } else if constexpr (kIs<T, Wait>) {
      Base::Below(3, value);
    } else if constexpr (kIs<T, AreaFrames>) {
      Base::Below(4, value);
    } else {
      static_assert(kIs<T, CursorKind> || kIs<T, Intent> || kIs<T, Anchor> || kIs<T, AccessKind>);
      Base::Below(2, value);
    }
  }
  template <typename T>
  void Number(std::string_view field, T& value) {
    if (field == "space") return Base::Below(kSpaces, value);
    if (field == "cpu") return Base::Below(kCpus, value);
    if (field == "area" || field == "rest") return Base::Below(kAreas, value);
    if (field == "guard") return Base::OneOf(kGuards, value);
    if (field == "yields") return Base::OneOf(std::array<uint32_t, 1>{1}, value);
    if (field == "map_pages") return Base::OneOf(kMapPages, value);
    Base::OneOf(kAreaPages, value);
  }
};

// MapOp's pages are not those of an area.
template <typename O, typename C>
void CodeFields(O& op, C& coder) {
  if constexpr (std::is_same_v<std::remove_const_t<O>, MapOp>) {
    coder("map_pages", op.pages);
    coder("property", op.property);
  } else {
    VisitFields(op, coder);
  }
}

template <size_t... kIndex>
constexpr auto MakeDefaults(std::index_sequence<kIndex...>) {
  return std::array<Step, sizeof...(kIndex)>{Step(std::in_place_index<kIndex>)...};
}

}  // namespace

Program Decode(std::span<const uint8_t> bytes) {
  static const auto kinds = MakeDefaults(std::make_index_sequence<std::variant_size_v<Step>>());
  Program program;
  while (!bytes.empty() && program.size() < kMaxSteps) {
    const auto record = bytes.first(std::min(bytes.size(), kStepBytes));
    bytes = bytes.subspan(record.size());
    Step step = kinds[record.front() % kinds.size()];
    Coder<ByteReader> coder(record.subspan(1));
    std::visit([&](auto& op) { CodeFields(op, coder); }, step);
    program.push_back(step);
  }
  return program;
}

absl::StatusOr<std::vector<uint8_t>> Encode(const Program& program) {
  std::vector<uint8_t> bytes;
  for (const Step& step : program) {
    Coder<ByteWriter> coder;
    coder.Put(step.index(), 1);
    std::visit([&](const auto& op) { CodeFields(op, coder); }, step);
    if (coder.failed()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no bytes stand for all values of ", Print(step)));
    }
    std::vector<uint8_t> record = coder.Take();
    record.resize(kStepBytes);
    bytes.insert(bytes.end(), record.begin(), record.end());
  }
  if (program.size() > kMaxSteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("a program of ", program.size(), " steps, above ", kMaxSteps));
  }
  return bytes;
}

}  // namespace paddock::fuzz
