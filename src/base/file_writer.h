// Writes a file that appears whole under its name, or not at all.
#ifndef SPECINFER_SRC_BASE_FILE_WRITER_H_
#define SPECINFER_SRC_BASE_FILE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace specinfer {

// True where both names lead to one file.
bool IsSameFile(const std::string& path, const std::string& other);

class FileWriter {
 public:
  // Begins a file beside `path` under a name of its own.
  // Errors: NOT_FOUND (no such folder), PERMISSION_DENIED, RESOURCE_EXHAUSTED
  // (no room), INVALID_ARGUMENT.
  static absl::StatusOr<FileWriter> Create(const std::string& path);

  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();  // removes what was not committed

  // Errors: RESOURCE_EXHAUSTED (the disk is full), INVALID_ARGUMENT.
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes);

  // Waits until everything is on the disk and gives the file its name; a file
  // that had it is replaced.
  absl::Status Commit();
  // The same without waiting: after a power cut the file may be short.
  absl::Status CommitLazily();

 private:
  FileWriter() = default;
  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_FILE_WRITER_H_
