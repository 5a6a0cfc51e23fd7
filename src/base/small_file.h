// Small files that are read and written whole.
#ifndef SPECINFER_SRC_BASE_SMALL_FILE_H_
#define SPECINFER_SRC_BASE_SMALL_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace specinfer {

// Whoever may write there may leave anything under that name: a pipe does not
// make it wait, nor a large file allocate.
// Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (not a regular file,
// longer than `max_bytes`, cannot be read).
absl::StatusOr<std::string> ReadSmallFile(const std::string& path,
                                          size_t max_bytes);

// Readers see the file whole, as it was or as it is now; after a power cut it
// may be short, because nobody waits for the disk.
// Errors: as FileWriter's.
absl::Status WriteSmallFile(const std::string& path, std::string_view text);

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_SMALL_FILE_H_
