// SPDX-License-Identifier: Apache-2.0
//
// Bytes of a file or of memory, decompressed on the way if they are zstd.
//
//   auto source = OpenByteSource("run.perf.txt.zst");   // or MemoryByteSource(bytes, "name")
//   absl::StatusOr<std::string_view> chunk = (*source)->Next();   // empty at the end
//
// Thread safety: one thread at a time.
// Failure: every error names the source and the reason: NOT_FOUND or PERMISSION_DENIED (cannot be
//   opened), UNAVAILABLE (reading failed), DATA_LOSS (a zstd frame that is damaged or cut short).
// Cost: one buffer of 64 KiB, or zstd's window (at most 128 MiB, frames that need more are
//   refused) while decompressing.

#ifndef PADDOCK_STRESS_TRACE_BYTE_SOURCE_H_
#define PADDOCK_STRESS_TRACE_BYTE_SOURCE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace paddock {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // The next bytes, valid until the next call; empty once all were given. After an error the same
  // error is returned again.
  virtual absl::StatusOr<std::string_view> Next() = 0;
};

// Opens a plain or zstd-compressed file; which of the two is decided by its first four bytes.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path);

// The same for bytes in memory, which must outlive the source. `name` is for messages.
std::unique_ptr<ByteSource> MemoryByteSource(std::string_view bytes, std::string name);

}  // namespace paddock

#endif  // PADDOCK_STRESS_TRACE_BYTE_SOURCE_H_
