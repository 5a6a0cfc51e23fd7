// Reads safetensors models in the layout of Hugging Face: one file or shards
// with an index, config.json and tokenizer.json beside. Keys and tensors get
// their GGUF names.
#ifndef SPECINFER_SRC_MODEL_SAFETENSORS_FILE_H_
#define SPECINFER_SRC_MODEL_SAFETENSORS_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"

namespace specinfer {

bool IsSafetensors(absl::Span<const uint8_t> bytes);
// Whether the bytes begin like the index of a sharded model.
bool IsSafetensorsIndex(absl::Span<const uint8_t> bytes);

// Reads the model whose safetensors file or index `file` is.
absl::StatusOr<ModelContents> ReadSafetensors(FileMapping file,
                                              const FileReader& reader,
                                              Memory& memory);

// Reads the tensors of one file, which keep their own names: of a network that
// is no model of text. Nothing beside the file is looked for.
absl::StatusOr<ModelContents> ReadSafetensorsAlone(FileMapping file,
                                                   Memory& memory);

// Opens the index in `folder`, or else its model.safetensors.
// Errors: NOT_FOUND where it holds neither.
absl::StatusOr<FileMapping> OpenSafetensorsFolder(const std::string& folder,
                                                  const FileReader& reader,
                                                  Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_SAFETENSORS_FILE_H_
