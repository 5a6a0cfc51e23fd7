// The special tokens of Whisper's vocabularies.
#ifndef SPECINFER_SRC_TEXT_WHISPER_TOKENS_H_
#define SPECINFER_SRC_TEXT_WHISPER_TOKENS_H_

#include "absl/status/status.h"

#include "src/model/model_file.h"
#include "src/text/vocabulary_builder.h"

namespace specinfer {

// Adds the tokens up to whisper.vocab_size that the file's vocabulary leaves
// out, under the names that OpenAI's whisper/tokenizer.py gives them: a ggml
// file has none of the special ones, many a tokenizer.json no time stamps. Then
// makes every "<|...|>" a control token.
// A vocabulary of another size than OpenAI's three gets unused tokens.
// Errors: INVALID_ARGUMENT.
absl::Status AddWhisperTokens(const ModelFile& file,
                              VocabularyBuilder& builder);

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_WHISPER_TOKENS_H_
