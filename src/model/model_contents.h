// What a reader of one container hands to ModelFile: mapped files, keys and
// tensors, checked but not yet indexed.
#ifndef SPECINFER_SRC_MODEL_MODEL_CONTENTS_H_
#define SPECINFER_SRC_MODEL_MODEL_CONTENTS_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"
#include "src/backend/tensor.h"
#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/base/text.h"
#include "src/model/arena_array.h"
#include "src/model/metadata.h"

namespace specinfer {

// One tensor of a model file. Views into the file.
struct TensorRecord {
  std::string_view name;
  DType dtype = DType::kF32;
  int rank = 0;
  std::array<int64_t, 4> dims = {1, 1, 1,
                                 1};  // fastest first; those past `rank` are 1
  absl::Span<const uint8_t> bytes;    // not aligned in every safetensors file
  bool is_packed = false;  // of a packed model: bytes are in its layout
  uint64_t hash = 0;       // of a packed model: XXH3 of the bytes

  int64_t columns() const { return dims[0]; }  // the length of a row
  int64_t rows() const { return dims[1] * dims[2] * dims[3]; }
};

// Bytes of a packed model that are no tensor.
struct TableRecord {
  std::string_view name;
  absl::Span<const uint8_t> bytes;  // aligned to 64
  uint64_t hash = 0;                // XXH3 of the bytes
};

struct ModelContents {
  explicit ModelContents(Memory& memory)
      : entries(memory), tensors(memory), tables(memory), texts(memory) {}

  std::vector<FileMapping> files;      // those that hold tensors
  std::vector<FileMapping> documents;  // config.json, tokenizer.json
  ArenaArray<MetadataEntry> entries;
  ArenaArray<TensorRecord> tensors;
  PackedFamily packed_family;      // of a packed model; else without name
  ArenaArray<TableRecord> tables;  // of a packed model
  TextPool texts;  // names and values that no file holds as they are
  std::string_view tokenizer_json;
  // What Fingerprint() hashes besides samples of the weights: every byte that
  // says what the tensors mean.
  std::vector<absl::Span<const uint8_t>> headers;
};

// `model "<path>": ` and `parts` as one text: every message about a model file
// begins so.
template <typename... Parts>
std::string ModelMessage(std::string_view path, const Parts&... parts) {
  return Cat("model \"", path, "\": ", parts...);
}

// A name out of a file, fit for a message: quoted, escaped and cut short.
std::string QuoteName(std::string_view name);

// The bytes that `dims` values of `dtype` take, or an error that ends a
// sentence about the tensor: "has a row of 33 values, but Q8_0 comes in blocks
// of 32".
absl::StatusOr<uint64_t> TensorBytes(const TensorRecord& tensor);

// Refuses tensors of one file that share bytes.
absl::Status RefuseOverlaps(std::string_view path,
                            absl::Span<const TensorRecord> tensors,
                            Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_MODEL_CONTENTS_H_
