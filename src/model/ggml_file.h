// Reads Whisper models in whisper.cpp's own container: F32, F16 and quantised.
// Keys and tensors get the names of whisper_contents.h; the vocabulary holds
// no special tokens and no merges, which follow from its size and its order.
#ifndef SPECINFER_SRC_MODEL_GGML_FILE_H_
#define SPECINFER_SRC_MODEL_GGML_FILE_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"

namespace specinfer {

// Whether the bytes begin like a Whisper model: other networks' files have the
// same magic number.
bool IsGgmlWhisper(absl::Span<const uint8_t> bytes);

// Errors: INVALID_ARGUMENT; UNIMPLEMENTED (an element type that is not read).
absl::StatusOr<ModelContents> ReadGgmlWhisper(FileMapping file, Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_GGML_FILE_H_
