// Reads Hugging Face's tokenizer.json: byte-level BPE, and SentencePiece models
// written as BPE.
#ifndef SPECINFER_SRC_TEXT_TOKENIZER_JSON_H_
#define SPECINFER_SRC_TEXT_TOKENIZER_JSON_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "src/text/vocabulary_builder.h"

namespace specinfer {

// All that the text says, ready for the special tokens that only other files
// name. `where` begins every error. The NFC normaliser of some models is
// accepted and not applied: text is tokenized as it was typed.
// Errors: INVALID_ARGUMENT (broken), UNIMPLEMENTED (naming the part that this
// library does not have).
absl::StatusOr<std::unique_ptr<VocabularyBuilder>> ParseTokenizerJson(
    std::string_view text, const std::string& where);

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_TOKENIZER_JSON_H_
