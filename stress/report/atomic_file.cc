// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/status/statusor.h"
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

// Where a report will be written.
struct Target {
  std::string path;
  mode_t mode = 0;
  bool in_place = false;  // not a regular file: nothing to replace
};

absl::StatusOr<Target> FindTarget(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("a report needs a file name, got \"\"");
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    // As readable as any new file.
    const mode_t mask = umask(0);
    umask(mask);
    return Target{path, 0666 & ~mask, false};
  }
  if (S_ISDIR(info.st_mode)) return Failed("cannot write", path, EISDIR);
  return Target{Resolve(path), info.st_mode & 07777, !S_ISREG(info.st_mode)};
}

// A temporary file beside the target, opened; `name` becomes its own.
absl::StatusOr<int> OpenTemporary(const Target& target, std::string& name) {
  name = target.path + ".XXXXXX";
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return Failed("cannot create a temporary file for", target.path, errno);
  return fd;
}

}  // namespace

absl::Status CheckFileWritable(const std::string& path) {
  const absl::StatusOr<Target> target = FindTarget(path);
  if (!target.ok()) return target.status();
  if (target->in_place) {
    return access(path.c_str(), W_OK) == 0 ? absl::OkStatus() : Failed("cannot write", path, errno);
  }
  std::string temporary;
  const absl::StatusOr<int> fd = OpenTemporary(*target, temporary);
  if (!fd.ok()) return fd.status();
  close(*fd);
  unlink(temporary.c_str());
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  const absl::StatusOr<Target> target = FindTarget(path);
  if (!target.ok()) return target.status();
  if (target->in_place) return WriteInPlace(path, contents);

  std::string temporary;
  const absl::StatusOr<int> fd = OpenTemporary(*target, temporary);
  if (!fd.ok()) return fd.status();
  int error = fchmod(*fd, target->mode) != 0 ? errno : 0;
  if (error == 0) error = WriteAll(*fd, contents);
  if (error == 0 && fsync(*fd) != 0 && errno != EINVAL) error = errno;
  if (close(*fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), target->path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  unlink(temporary.c_str());
  return Failed("cannot write", path, error);
}

}  // namespace paddock
