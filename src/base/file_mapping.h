// A file's bytes, mapped read-only or read through the host's hook.
#ifndef SPECINFER_SRC_BASE_FILE_MAPPING_H_
#define SPECINFER_SRC_BASE_FILE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"

namespace specinfer {

// The host's file reader (archives, encrypted assets). `size` returns the
// file's bytes or a negative value when it cannot be opened; `read` fills
// `buffer` from `offset` and returns 0, or non-zero on failure.
struct FileReader {
  int64_t (*size)(void* user_data, const char* path,
                  size_t path_length) = nullptr;
  int32_t (*read)(void* user_data, const char* path, size_t path_length,
                  uint64_t offset, void* buffer, size_t num_bytes) = nullptr;
  void* user_data = nullptr;
};

class FileMapping {
 public:
  // Maps `path`, or reads all of it into `memory` through `reader` when that is
  // set.
  // Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (a folder, an empty
  // file), RESOURCE_EXHAUSTED.
  static absl::StatusOr<FileMapping> Open(const std::string& path,
                                          const FileReader& reader,
                                          Memory& memory);

  FileMapping(FileMapping&& other) noexcept;
  FileMapping& operator=(FileMapping&& other) noexcept;
  ~FileMapping();

  absl::Span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  // True where the bytes are the file's own pages, which whoever shortens the
  // file takes away.
  bool is_mapped() const { return is_mapped_; }

  // Takes the bytes into `memory` instead; what bytes() gave is then void.
  // Errors: RESOURCE_EXHAUSTED; DATA_LOSS, the file got shorter.
  absl::Status CopyToMemory(Memory& memory);

  // Tells the system that [offset, offset + num_bytes) will be read soon.
  void Prefetch(size_t offset, size_t num_bytes) const;

  // Tells the system that [offset, offset + num_bytes) will not be read again
  // soon, so that its pages stop counting as ours. The bytes stay readable.
  void Release(size_t offset, size_t num_bytes) const;

 private:
  FileMapping() = default;
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  bool is_mapped_ = false;
  Block block_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_FILE_MAPPING_H_
