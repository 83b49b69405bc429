// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>

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

// Where a report will be written.
struct Target {
  std::string path;
  std::optional<mode_t> mode;  // of the file that is replaced
  bool in_place = false;       // not a regular file: nothing to replace
  int stream = -1;             // a standard stream that goes to the same file
};

// Follows symbolic links, also to a file that does not exist yet, so that it is the last one's
// target that the rename makes or replaces.
absl::StatusOr<std::string> Resolve(const std::string& path) {
  constexpr int kMostLinks = 40;  // as Linux
  std::filesystem::path at = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code no_link;
    const std::filesystem::path next = std::filesystem::read_symlink(at, no_link);
    if (no_link) return at.string();
    at = at.parent_path() / next;
  }
  return Failed("cannot write", path, ELOOP);
}

// The standard stream that writes to this file, or -1. It would go on writing to what a rename had
// replaced, or over what is written beside it.
int StreamTo(const struct stat& file) {
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat info;
    if (fstat(stream, &info) == 0 && info.st_dev == file.st_dev && info.st_ino == file.st_ino) {
      return stream;
    }
  }
  return -1;
}

absl::StatusOr<Target> FindTarget(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("a report needs a file name, got \"\"");
  Target target;
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) return Failed("cannot write", path, errno);
  if (exists) {
    if (S_ISDIR(info.st_mode)) return Failed("cannot write", path, EISDIR);
    target.mode = info.st_mode & 07777;
    target.in_place = !S_ISREG(info.st_mode);
    target.stream = StreamTo(info);
  }
  absl::StatusOr<std::string> resolved = Resolve(path);
  if (!resolved.ok()) return resolved.status();
  target.path = *std::move(resolved);
  return target;
}

// Writes behind what the stream has written so far, and before what it will write.
absl::Status WriteToStream(int stream, const std::string& path, std::string_view contents) {
  std::fflush(stream == STDOUT_FILENO ? stdout : stderr);
  const int error = WriteAll(stream, contents);
  return error == 0 ? absl::OkStatus() : Failed("cannot write", path, error);
}

absl::Status WriteInPlace(const std::string& path, std::string_view contents) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return Failed("cannot open", path, errno);
  const int error = WriteAll(fd, contents);
  const int closed = close(fd) != 0 ? errno : 0;
  if (error != 0 || closed != 0) return Failed("cannot write", path, error != 0 ? error : closed);
  return absl::OkStatus();
}

// A new file beside the target, opened; `name` becomes its own. What replaces nothing is as
// readable as any new file.
absl::StatusOr<int> OpenTemporary(const Target& target, std::string& name) {
  static std::atomic<uint64_t> used{0};
  int fd = -1;
  do {
    name = absl::StrCat(target.path, ".", getpid(), ".", used.fetch_add(1));
    fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, target.mode ? 0600 : 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd < 0) return Failed("cannot create a temporary file for", target.path, errno);
  return fd;
}

}  // namespace

absl::Status CheckFileWritable(const std::string& path) {
  const absl::StatusOr<Target> target = FindTarget(path);
  if (!target.ok()) return target.status();
  if (target->in_place || target->stream >= 0) {
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
  if (target->stream >= 0) return WriteToStream(target->stream, path, contents);
  if (target->in_place) return WriteInPlace(path, contents);

  std::string temporary;
  const absl::StatusOr<int> fd = OpenTemporary(*target, temporary);
  if (!fd.ok()) return fd.status();
  int error = target->mode && fchmod(*fd, *target->mode) != 0 ? errno : 0;
  if (error == 0) error = WriteAll(*fd, contents);
  if (error == 0 && fsync(*fd) != 0 && errno != EINVAL) error = errno;
  if (close(*fd) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary.c_str(), target->path.c_str()) != 0) error = errno;
  if (error == 0) return absl::OkStatus();
  unlink(temporary.c_str());
  return Failed("cannot write", path, error);
}

}  // namespace paddock
