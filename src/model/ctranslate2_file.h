// Reads Whisper models in CTranslate2's container, version 6: model.bin with
// the vocabulary and config.json beside it. Keys and tensors get the names of
// whisper_contents.h; stacked weights become one tensor for each part.
#ifndef SPECINFER_SRC_MODEL_CTRANSLATE2_FILE_H_
#define SPECINFER_SRC_MODEL_CTRANSLATE2_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"

namespace specinfer {

// Whether the bytes begin like a model.bin, of whatever version.
bool IsCtranslate2(absl::Span<const uint8_t> bytes);

// Reads the model whose model.bin `file` is.
// Errors: INVALID_ARGUMENT; UNIMPLEMENTED (another version, another network,
// quantised weights); NOT_FOUND (no vocabulary beside it).
absl::StatusOr<ModelContents> ReadCtranslate2(FileMapping file,
                                              const FileReader& reader,
                                              Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_CTRANSLATE2_FILE_H_
