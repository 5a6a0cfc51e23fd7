#include "src/base/file_mapping.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include <sys/mman.h>
#include <sys/stat.h>

namespace specinfer {
namespace {

constexpr size_t kReadBytes = size_t{64} << 20;

absl::Status SystemError(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(
          absl::StrCat("file \"", path, "\": there is no such file"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat("file \"", path, "\": may not be read"));
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(absl::StrCat(
          "file \"", path, "\": the system has no room to open it"));
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "file \"", path, "\": cannot be opened (system error ", error, ")"));
  }
}

struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
};

// The size of the file to be mapped, or why it cannot be.
absl::StatusOr<size_t> RegularFileSize(const std::string& path,
                                       int descriptor) {
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return SystemError(path, errno);
  if (S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", path, "\": is a folder"));
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", path, "\": is not a regular file"));
  }
  if (status.st_size <= 0)
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", path, "\": is empty"));
  return static_cast<size_t>(status.st_size);
}

absl::StatusOr<Block> ReadAll(const std::string& path, const FileReader& reader,
                              Memory& memory) {
  const int64_t num_bytes =
      reader.size(reader.user_data, path.data(), path.size());
  if (num_bytes < 0) {
    return absl::NotFoundError(absl::StrCat(
        "file \"", path, "\": the host's file reader cannot open it"));
  }
  if (num_bytes == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("file \"", path, "\": is empty"));
  SPECINFER_ASSIGN_OR_RETURN(
      Block block, memory.Allocate(static_cast<size_t>(num_bytes),
                                   absl::StrCat("file \"", path, "\"")));
  for (size_t offset = 0; offset < block.size(); offset += kReadBytes) {
    const size_t count = std::min(kReadBytes, block.size() - offset);
    if (reader.read(reader.user_data, path.data(), path.size(), offset,
                    block.data() + offset, count) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "file \"", path, "\": the host's file reader failed at byte ", offset,
          " of ", block.size()));
    }
  }
  return block;
}

}  // namespace

absl::StatusOr<FileMapping> FileMapping::Open(const std::string& path,
                                              const FileReader& reader,
                                              Memory& memory) {
  FileMapping mapping;
  mapping.path_ = path;
  if (reader.size != nullptr && reader.read != nullptr) {
    SPECINFER_ASSIGN_OR_RETURN(mapping.block_, ReadAll(path, reader, memory));
    mapping.data_ = mapping.block_.data();
    mapping.size_ = mapping.block_.size();
    return mapping;
  }
  Descriptor descriptor;
  // Without O_NONBLOCK a pipe's open would wait for its writer.
  descriptor.number = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor.number < 0) return SystemError(path, errno);
  SPECINFER_ASSIGN_OR_RETURN(const size_t num_bytes,
                             RegularFileSize(path, descriptor.number));
  void* data =
      mmap(nullptr, num_bytes, PROT_READ, MAP_PRIVATE, descriptor.number, 0);
  if (data == MAP_FAILED) return SystemError(path, errno);
  mapping.data_ = static_cast<const uint8_t*>(data);
  mapping.size_ = num_bytes;
  mapping.is_mapped_ = true;
  return mapping;
}

FileMapping::FileMapping(FileMapping&& other) noexcept {
  *this = std::move(other);
}

FileMapping& FileMapping::operator=(FileMapping&& other) noexcept {
  if (this == &other) return *this;
  if (is_mapped_) munmap(const_cast<uint8_t*>(data_), size_);
  path_ = std::move(other.path_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  is_mapped_ = std::exchange(other.is_mapped_, false);
  block_ = std::move(other.block_);
  return *this;
}

FileMapping::~FileMapping() {
  if (is_mapped_) munmap(const_cast<uint8_t*>(data_), size_);
}

absl::Status FileMapping::CopyToMemory(Memory& memory) {
  Descriptor descriptor;
  descriptor.number = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor.number < 0) return SystemError(path_, errno);
  SPECINFER_ASSIGN_OR_RETURN(
      Block block,
      memory.Allocate(size_, absl::StrCat("file \"", path_, "\"")));
  for (size_t offset = 0; offset < size_;) {
    const ssize_t count =
        pread(descriptor.number, block.data() + offset,
              std::min(kReadBytes, size_ - offset), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::DataLossError(
          absl::StrCat("file \"", path_, "\": can only be read up to byte ",
                       offset, " of ", size_));
    }
    offset += static_cast<size_t>(count);
  }
  if (is_mapped_) munmap(const_cast<uint8_t*>(data_), size_);
  is_mapped_ = false;
  block_ = std::move(block);
  data_ = block_.data();
  return absl::OkStatus();
}

void FileMapping::Prefetch(size_t offset, size_t num_bytes) const {
  if (!is_mapped_ || offset >= size_) return;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t first = offset / page * page;
  const size_t last = std::min(num_bytes, size_ - offset) + offset;
  madvise(const_cast<uint8_t*>(data_) + first, last - first, MADV_WILLNEED);
}

void FileMapping::Release(size_t offset, size_t num_bytes) const {
  if (!is_mapped_ || offset >= size_) return;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t end = std::min(num_bytes, size_ - offset) + offset;
  const size_t first = (offset + page - 1) / page * page;
  const size_t last = end == size_ ? end : end / page * page;
  if (first >= last) return;
  madvise(const_cast<uint8_t*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace specinfer
