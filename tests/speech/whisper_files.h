// Tokenizers of real Whisper models, and files beside them.
#ifndef SPECINFER_TESTS_SPEECH_WHISPER_FILES_H_
#define SPECINFER_TESTS_SPEECH_WHISPER_FILES_H_

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "src/speech/speech_tokens.h"
#include "src/text/tokenizer.h"
#include "src/text/tokenizer_json.h"

namespace specinfer {

// Empty where there is no such file.
inline std::string ReadModelFile(const std::string& name) {
  std::ifstream stream(std::string(SPECINFER_MODELS) + "/" + name,
                       std::ios::binary);
  return {std::istreambuf_iterator<char>(stream),
          std::istreambuf_iterator<char>()};
}

// Null where the model is not there.
inline std::unique_ptr<Tokenizer> WhisperTokenizer(const std::string& model) {
  const std::string json = ReadModelFile(model + "/tokenizer.json");
  if (json.empty()) return nullptr;
  auto tokenizer = [&]() -> absl::StatusOr<std::unique_ptr<Tokenizer>> {
    auto builder = ParseTokenizerJson(json, "model \"" + model + "\": ");
    if (!builder.ok()) return builder.status();
    auto vocabulary = (*builder)->Finish();
    if (!vocabulary.ok()) return vocabulary.status();
    return Tokenizer::Create(*std::move(vocabulary));
  }();
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? *std::move(tokenizer) : nullptr;
}

inline constexpr int32_t kBaseVocabulary = 51865;
inline constexpr int32_t kEnglishVocabulary = 51864;

}  // namespace specinfer

#define SPECINFER_SKIP_WITHOUT(tokenizer, model)                             \
  if ((tokenizer) == nullptr)                                                \
  GTEST_SKIP() << "no " << (model) << "/tokenizer.json in SPECINFER_MODELS " \
               << "(\"" << SPECINFER_MODELS << "\")"

#endif  // SPECINFER_TESTS_SPEECH_WHISPER_FILES_H_
