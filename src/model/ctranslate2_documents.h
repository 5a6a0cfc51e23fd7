// Reads what lies beside a CTranslate2 model.bin: config.json and the
// vocabulary.
#ifndef SPECINFER_SRC_MODEL_CTRANSLATE2_DOCUMENTS_H_
#define SPECINFER_SRC_MODEL_CTRANSLATE2_DOCUMENTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "src/base/file_mapping.h"
#include "src/base/memory.h"
#include "src/model/model_contents.h"

namespace specinfer {

// Takes tokenizer.json into contents.tokenizer_json, or else the keys of
// vocabulary.json or vocabulary.txt, one token for each of `vocabulary_size`.
// `folder` ends with a slash or is empty. Returns the alignment heads of
// config.json: layer, head and so on; empty where it has none.
// Errors: NOT_FOUND (no vocabulary), INVALID_ARGUMENT.
absl::StatusOr<std::vector<uint32_t>> ReadCtranslate2Documents(
    const std::string& folder, uint64_t vocabulary_size,
    const FileReader& reader, Memory& memory, ModelContents& contents);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_CTRANSLATE2_DOCUMENTS_H_
