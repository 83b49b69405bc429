// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/write_text.h"

#include <cerrno>

namespace paddock {

absl::Status WriteText(const std::string& text, std::FILE* out) {
  errno = 0;
  if (std::fputs(text.c_str(), out) >= 0 && std::fflush(out) == 0) return absl::OkStatus();
  if (errno == EPIPE) return absl::OkStatus();
  return absl::ErrnoToStatus(errno != 0 ? errno : EIO, "cannot write to standard output");
}

}  // namespace paddock
