#include "src/base/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "src/base/file_writer.h"
#include "src/base/status_macros.h"
#include <sys/stat.h>

namespace specinfer {
namespace {

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

absl::Status SystemError(const std::string& path, int error) {
  const std::string file = absl::StrCat("file \"", path, "\": ");
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(absl::StrCat(file, "there is no such file"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(file, "may not be read"));
    default:
      return absl::InvalidArgumentError(
          absl::StrCat(file, "cannot be read (system error ", error, ")"));
  }
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const std::string& path,
                                          size_t max_bytes) {
  const Descriptor file = {
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) return SystemError(path, errno);
  struct stat status = {};
  if (fstat(file.number, &status) != 0) return SystemError(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", path, "\": is not a regular file"));
  }
  // It may grow meanwhile: what counts is what is read.
  std::string text(max_bytes + 1, '\0');
  size_t num_bytes = 0;
  while (num_bytes < text.size()) {
    const ssize_t count =
        read(file.number, text.data() + num_bytes, text.size() - num_bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(path, errno);
    if (count == 0) break;
    num_bytes += static_cast<size_t>(count);
  }
  if (num_bytes > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "file \"", path, "\": is longer than ", max_bytes, " bytes"));
  }
  text.resize(num_bytes);
  return text;
}

absl::Status WriteSmallFile(const std::string& path, std::string_view text) {
  SPECINFER_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Create(path));
  SPECINFER_RETURN_IF_ERROR(writer.WriteAt(
      0, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  return writer.CommitLazily();
}

}  // namespace specinfer
