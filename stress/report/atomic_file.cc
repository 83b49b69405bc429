// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

absl::Status Failed(const char* what, const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat(what, " ", path));
}

// Returns an errno, 0 if all was written.
int WriteAll(int fd, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

absl::Status WriteInPlace(const std::string& path, std::string_view contents) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Failed("cannot open", path, errno);
  const int error = WriteAll(fd, contents);
  const int closed = close(fd) != 0 ? errno : 0;
  if (error != 0 || closed != 0) return Failed("cannot write", path, error != 0 ? error : closed);
  return absl::OkStatus();
}

// Follows a symbolic link, so that the rename replaces its target.
std::string Resolve(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real != nullptr ? real.get() : path;
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  if (path.empty()) return absl::InvalidArgumentError("a report needs a file name, got \"\"");
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return Failed("cannot write", path, EISDIR);
  if (exists && !S_ISREG(info.st_mode)) return WriteInPlace(path, contents);

  const std::string target = exists ? Resolve(path) : path;
  std::string temporary = target + ".XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Failed("cannot create a temporary file for", path, errno);
  // mkostemp gives 0600; a report is as readable as the one it replaces, or as any new file.
  const mode_t mask = umask(0);
  umask(mask);
  int error = fchmod(fd, exists ? info.st_mode & 07777 : 0666 & ~mask) != 0 ? errno : 0;
  if (error == 0) error = WriteAll(fd, contents);
  if (error == 0 && fsync(fd) != 0 && errno != EINVAL) error = errno;
  if (close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  unlink(temporary.c_str());
  return Failed("cannot write", path, error);
}

}  // namespace paddock
