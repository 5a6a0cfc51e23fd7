// Reads GGUF, versions 2 and 3, in one file or split into several. Believes
// nothing that it has not checked.
#ifndef SPECINFER_SRC_MODEL_GGUF_FILE_H_
#define SPECINFER_SRC_MODEL_GGUF_FILE_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"

namespace specinfer {

bool IsGguf(absl::Span<const uint8_t> bytes);

// Reads `first` and, when it says that it is the first of several, the others
// beside it.
absl::StatusOr<ModelContents> ReadGguf(FileMapping first,
                                       const FileReader& reader,
                                       Memory& memory);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_GGUF_FILE_H_
