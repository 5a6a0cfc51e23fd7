#include "src/base/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include <sys/stat.h>

namespace specinfer {
namespace {

constexpr int kMaxNames = 100;
// What one call writes at most, so that a signal is never far away.
constexpr size_t kMaxWriteBytes = size_t{16} << 20;

absl::Status SystemError(const std::string& path, int error) {
  const std::string file = absl::StrCat("file \"", path, "\": ");
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(
          absl::StrCat(file, "its folder does not exist"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(
          absl::StrCat(file, "may not be written"));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat(file, "the disk has no room for it"));
    case EISDIR:
      return absl::InvalidArgumentError(absl::StrCat(file, "is a folder"));
    default:
      return absl::InvalidArgumentError(
          absl::StrCat(file, "cannot be written (system error ", error, ")"));
  }
}

// A name belongs to its folder: that, too, has to reach the disk.
void SyncFolder(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

bool IsSameFile(const std::string& path, const std::string& other) {
  struct stat first = {};
  struct stat second = {};
  if (stat(path.c_str(), &first) != 0 || stat(other.c_str(), &second) != 0)
    return path == other;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

absl::StatusOr<FileWriter> FileWriter::Create(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return SystemError(path, EISDIR);
  FileWriter writer;
  writer.path_ = path;
  for (int number = 0; number < kMaxNames; ++number) {
    std::string temporary =
        absl::StrCat(path, ".", getpid(), "-", number, ".part");
    writer.descriptor_ =
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer.descriptor_ >= 0) {
      writer.temporary_path_ = std::move(temporary);
      return writer;
    }
    if (errno != EEXIST) break;
  }
  return SystemError(path, errno);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, std::string())),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

absl::Status FileWriter::WriteAt(uint64_t offset,
                                 absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(descriptor_, bytes.data(),
                                 std::min(bytes.size(), kMaxWriteBytes),
                                 static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return SystemError(path_, count < 0 ? errno : ENOSPC);
    offset += static_cast<uint64_t>(count);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status FileWriter::Commit() {
  if (fsync(descriptor_) != 0) return SystemError(path_, errno);
  SPECINFER_RETURN_IF_ERROR(CommitLazily());
  SyncFolder(path_);
  return absl::OkStatus();
}

absl::Status FileWriter::CommitLazily() {
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0) return SystemError(path_, errno);
  if (rename(temporary_path_.c_str(), path_.c_str()) != 0)
    return SystemError(path_, errno);
  temporary_path_.clear();
  return absl::OkStatus();
}

}  // namespace specinfer
