// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/trace/byte_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "zstd.h"

namespace paddock {
namespace {

constexpr size_t kChunkBytes = size_t{64} * 1024;
// A frame starts with 0xfd2fb528 in little endian (RFC 8878, 3.1.1).
constexpr std::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);

class Memory final : public ByteSource {
 public:
  explicit Memory(std::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<std::string_view> Next() override { return std::exchange(bytes_, {}); }

 private:
  std::string_view bytes_;
};

class File final : public ByteSource {
 public:
  File(FILE* file, std::string name) : file_(file), name_(std::move(name)), buffer_(kChunkBytes) {}
  ~File() override { fclose(file_); }

  absl::StatusOr<std::string_view> Next() override {
    const size_t count = fread(buffer_.data(), 1, buffer_.size(), file_);
    if (count == 0 && ferror(file_)) {
      return absl::UnavailableError(absl::StrCat(name_, ": reading failed: ", strerror(errno)));
    }
    return std::string_view(buffer_.data(), count);
  }

 private:
  FILE* file_;
  std::string name_;
  std::vector<char> buffer_;
};

class Zstd final : public ByteSource {
 public:
  Zstd(std::unique_ptr<ByteSource> input, std::string name)
      : input_(std::move(input)),
        name_(std::move(name)),
        stream_(ZSTD_createDStream()),
        buffer_(ZSTD_DStreamOutSize()) {}
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  absl::StatusOr<std::string_view> Next() override {
    if (!status_.ok()) return status_;
    while (true) {
      if (in_.pos == in_.size && !output_full_) {
        absl::StatusOr<std::string_view> chunk = input_->Next();
        if (!chunk.ok()) return status_ = chunk.status();
        if (chunk->empty()) {
          if (inside_frame_) {
            return status_ = absl::DataLossError(
                       absl::StrCat(name_, ": the zstd data ends in the middle of a frame"));
          }
          return std::string_view();
        }
        in_ = {chunk->data(), chunk->size(), 0};
      }
      ZSTD_outBuffer out = {buffer_.data(), buffer_.size(), 0};
      const size_t hint = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(hint)) {
        return status_ = absl::DataLossError(
                   absl::StrCat(name_, ": damaged zstd data: ", ZSTD_getErrorName(hint)));
      }
      inside_frame_ = hint != 0;
      output_full_ = inside_frame_ && out.pos == out.size;
      if (out.pos > 0) return std::string_view(buffer_.data(), out.pos);
    }
  }

 private:
  std::unique_ptr<ByteSource> input_;
  std::string name_;
  ZSTD_DStream* stream_;
  std::vector<char> buffer_;
  ZSTD_inBuffer in_ = {nullptr, 0, 0};
  bool inside_frame_ = false;
  bool output_full_ = false;  // the decoder may hold more output for the input it has
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenByteSource(const std::string& path) {
  FILE* file = fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  }
  struct stat info;
  if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
    fclose(file);
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a directory, not a recording"));
  }
  char magic[kZstdMagic.size()];
  const size_t count = fread(magic, 1, sizeof(magic), file);
  const bool compressed = std::string_view(magic, count) == kZstdMagic;
  if (fseek(file, 0, SEEK_SET) != 0) {
    const int error = errno;
    fclose(file);
    return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be read again from its start"));
  }
  std::unique_ptr<ByteSource> source = std::make_unique<File>(file, path);
  if (compressed) source = std::make_unique<Zstd>(std::move(source), path);
  return source;
}

std::unique_ptr<ByteSource> MemoryByteSource(std::string_view bytes, std::string name) {
  const bool compressed = bytes.substr(0, kZstdMagic.size()) == kZstdMagic;
  std::unique_ptr<ByteSource> source = std::make_unique<Memory>(bytes);
  if (compressed) source = std::make_unique<Zstd>(std::move(source), std::move(name));
  return source;
}

}  // namespace paddock
