// Reads packed models: tensors in a backend's own layout, and tables that are
// ready for use. Nothing is copied; what the file says is checked before it is
// believed, in time that does not depend on the size of the tensors.
#ifndef SPECINFER_SRC_MODEL_PACKED_FILE_H_
#define SPECINFER_SRC_MODEL_PACKED_FILE_H_

#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"
#include "src/model/model_file.h"

namespace specinfer {

// The first 64 bytes of a packed model. The header, a FlatBuffer
// (packed_model.fbs), follows at once.
struct PackedPreamble {
  char magic[8];
  uint32_t version;
  uint32_t reserved;      // 0
  uint64_t header_bytes;  // of the FlatBuffer
  uint64_t header_hash;   // XXH3 of the FlatBuffer
  uint64_t file_bytes;    // of the whole file
  uint64_t padding[3];    // 0
};
static_assert(sizeof(PackedPreamble) == 64);
inline constexpr char kPackedMagic[8] = {'S', 'P', 'E', 'C',
                                         'P', 'A', 'C', 'K'};
inline constexpr uint32_t kPackedFileVersion = 1;
inline constexpr uint64_t kPackedAlignment = 64;
inline constexpr uint64_t kMaxPackedHeaderBytes = uint64_t{256} << 20;

bool IsPackedModel(absl::Span<const uint8_t> bytes);

// Errors: INVALID_ARGUMENT, UNIMPLEMENTED (another version), DATA_LOSS (cut or
// damaged), RESOURCE_EXHAUSTED.
absl::StatusOr<ModelContents> ReadPackedModel(FileMapping file, Memory& memory);

// Compares the bytes of every tensor and table with their hashes and returns
// how many there are; 0 for files that keep none. Reads the whole file.
// `progress` gets a fraction after each and returns false to cancel; may be
// empty.
// Errors: DATA_LOSS, naming the first that differs; CANCELLED.
absl::StatusOr<uint64_t> VerifyHashes(
    const ModelFile& file, const std::function<bool(float)>& progress);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_PACKED_FILE_H_
