// The tokenizer keys of a GGUF file, right or wrong as a test wants them.
#ifndef SPECINFER_TESTS_TEXT_GGUF_VOCABULARY_H_
#define SPECINFER_TESTS_TEXT_GGUF_VOCABULARY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/text/tokenizer.h"
#include "tests/model/gguf_bytes.h"
#include "tests/model/memory_files.h"

namespace specinfer {

class GgufVocabulary {
 public:
  GgufVocabulary& Strings(const std::string& key,
                          const std::vector<std::string>& values) {
    GgufBytes value;
    value.Put<uint32_t>(9).Put<uint32_t>(8).Put<uint64_t>(values.size());
    for (const std::string& text : values) value.Text(text);
    return Set(key, value);
  }
  GgufVocabulary& Ints(const std::string& key,
                       const std::vector<int32_t>& values) {
    return Array(key, 5, values);
  }
  GgufVocabulary& Floats(const std::string& key,
                         const std::vector<float>& values) {
    return Array(key, 6, values);
  }
  GgufVocabulary& Uint(const std::string& key, uint32_t number) {
    return Set(key, GgufBytes().Put<uint32_t>(4).Put<uint32_t>(number));
  }
  GgufVocabulary& Bool(const std::string& key, bool value) {
    return Set(key, GgufBytes().Put<uint32_t>(7).Put<uint8_t>(value));
  }
  GgufVocabulary& String(const std::string& key, const std::string& text) {
    return Set(key, GgufBytes().Put<uint32_t>(8).Text(text));
  }
  GgufVocabulary& Remove(const std::string& key) {
    keys_.erase(key);
    return *this;
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> Load() const {
    GgufBytes gguf;
    gguf.Header(/*num_tensors=*/0, keys_.size() + 1);
    gguf.Key("general.architecture", 8).Text("llama");
    std::string bytes = gguf.bytes();
    for (const auto& [key, value] : keys_)
      bytes += GgufBytes().Text("tokenizer.ggml." + key).bytes() + value;
    MemoryFiles files;
    files.Put("x.gguf", std::move(bytes));
    Memory memory(/*budget_bytes=*/0);
    auto file = ModelFile::Open("x.gguf", files.reader(), memory);
    if (!file.ok()) return file.status();
    return Tokenizer::Create(**file);
  }

 private:
  GgufVocabulary& Set(const std::string& key, const GgufBytes& value) {
    keys_[key] = value.bytes();
    return *this;
  }
  template <typename T>
  GgufVocabulary& Array(const std::string& key, uint32_t type,
                        const std::vector<T>& values) {
    GgufBytes value;
    value.Put<uint32_t>(9).Put<uint32_t>(type).Put<uint64_t>(values.size());
    for (const T number : values) value.Put<T>(number);
    return Set(key, value);
  }

  std::map<std::string, std::string> keys_;  // without "tokenizer.ggml."
};

// Tokens 0 to 6: control, a, b, c, ab, abc, user-defined.
inline GgufVocabulary TinyBytePair() {
  GgufVocabulary vocabulary;
  vocabulary.String("model", "gpt2").String("pre", "gpt-2");
  vocabulary.Strings("tokens", {"<|end|>", "a", "b", "c", "ab", "abc", "<x>"})
      .Ints("token_type", {3, 1, 1, 1, 1, 1, 4});
  vocabulary.Strings("merges", {"a b", "ab c"}).Uint("eos_token_id", 0);
  return vocabulary;
}

// Tokens 0 to 10: unknown, BOS, EOS, two bytes, then normal ones.
inline GgufVocabulary TinySentencePiece() {
  GgufVocabulary vocabulary;
  vocabulary.String("model", "llama");
  vocabulary.Strings(
      "tokens", {"<unk>", "<s>", "</s>", "<0x0A>", "<0x7A>", "\u2581", "a", "b",
                 "\u2581a", "ab", "\u2581ab"});
  vocabulary.Ints("token_type", {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1});
  vocabulary.Floats("scores", {0, 0, 0, 0, 0, -7, -8, -9, -2, -1, -3});
  return vocabulary;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_TEXT_GGUF_VOCABULARY_H_
