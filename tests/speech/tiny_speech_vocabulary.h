// A vocabulary in Whisper's order, small enough to enumerate.
#ifndef SPECINFER_TESTS_SPEECH_TINY_SPEECH_VOCABULARY_H_
#define SPECINFER_TESTS_SPEECH_TINY_SPEECH_VOCABULARY_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/text/tokenizer.h"

namespace specinfer {

// 256 bytes; "<|endoftext|>" 256, "<|startoftranscript|>" 257, languages en, zh
// and ja from 258, then translate, transcribe, startoflm, startofprev,
// nospeech, notimestamps (266). Timestamps begin at 267.
inline std::unique_ptr<Tokenizer> TinySpeechTokenizer() {
  Vocabulary vocabulary;
  vocabulary.special_tokens.fill(-1);
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.texts.Append(std::string(1, static_cast<char>(byte)));
    vocabulary.kinds.push_back(TokenKind::kNormal);
    vocabulary.byte_tokens[static_cast<size_t>(byte)] = byte;
  }
  for (const char* name :
       {"<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|ja|>",
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
        "<|nospeech|>", "<|notimestamps|>"}) {
    vocabulary.texts.Append(name);
    vocabulary.kinds.push_back(TokenKind::kControl);
  }
  auto tokenizer = Tokenizer::Create(std::move(vocabulary));
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

inline constexpr Token kTinyTimestampBegin = 267;

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_TINY_SPEECH_VOCABULARY_H_
