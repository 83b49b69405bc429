// SPDX-License-Identifier: Apache-2.0
//
// An array that only grows at its end and never moves its elements; emptied, it keeps its memory.
//
//   ChunkedArray<LoggedOperation> operations;
//   operations.Append() = {...};
//   operations.Clear();  // the next appends allocate nothing
//
// Thread safety: as a standard container. Cost: an append is an index and a bounds check; once per
// kChunk elements, and only on the way to a new maximum, one allocation.

#ifndef PADDOCK_STRESS_ORACLE_CHUNKED_ARRAY_H_
#define PADDOCK_STRESS_ORACLE_CHUNKED_ARRAY_H_

#include <cassert>
#include <cstddef>
#include <memory>
#include <vector>

namespace paddock {

template <typename T, size_t kChunk = 4096>
class ChunkedArray {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // A value-initialised element at the end.
  T& Append() {
    if (size_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<T[]>(kChunk));
    T& element = (*this)[size_++];
    element = T();
    return element;
  }
  void Truncate(size_t size) {
    assert(size <= size_);
    size_ = size;
  }
  void Clear() { size_ = 0; }

  T& operator[](size_t i) { return chunks_[i / kChunk][i % kChunk]; }
  const T& operator[](size_t i) const { return chunks_[i / kChunk][i % kChunk]; }

 private:
  std::vector<std::unique_ptr<T[]>> chunks_;
  size_t size_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_STRESS_ORACLE_CHUNKED_ARRAY_H_
