// Small vocabularies for tests, written as a file would hold them.
#ifndef SPECINFER_TESTS_TEXT_TINY_VOCABULARY_H_
#define SPECINFER_TESTS_TEXT_TINY_VOCABULARY_H_

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "src/model/model_file.h"
#include "src/text/detokenizer.h"
#include "src/text/tokenizer.h"
#include "src/text/tokenizer_json.h"
#include "src/text/utf8.h"

namespace specinfer {

inline std::string ReadTestdata(const std::string& name) {
  std::ifstream stream(std::string(SPECINFER_TESTDATA) + "/" + name,
                       std::ios::binary);
  return {std::istreambuf_iterator<char>(stream),
          std::istreambuf_iterator<char>()};
}

inline absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromJson(
    const std::string& json) {
  auto builder = ParseTokenizerJson(json, "model \"test\": ");
  if (!builder.ok()) return builder.status();
  auto vocabulary = (*builder)->Finish();
  if (!vocabulary.ok()) return vocabulary.status();
  return Tokenizer::Create(*std::move(vocabulary));
}

inline absl::StatusOr<std::unique_ptr<Tokenizer>> TokenizerFromGguf(
    const std::string& path) {
  Memory memory(/*budget_bytes=*/0);
  auto file = ModelFile::Open(path, FileReader(), memory);
  if (!file.ok()) return file.status();
  return Tokenizer::Create(**file);
}

inline std::vector<Token> Tokens(const Tokenizer& tokenizer,
                                 std::string_view text,
                                 bool parse_special = false) {
  std::vector<Token> tokens;
  const absl::Status status = tokenizer.Tokenize(text, parse_special, &tokens);
  EXPECT_TRUE(status.ok()) << status;
  return tokens;
}

// The bytes of the tokens, put together without regard to characters.
inline std::string Bytes(const Tokenizer& tokenizer,
                         const std::vector<Token>& tokens) {
  std::string bytes;
  for (const Token token : tokens)
    bytes.append(tokenizer.TokenBytes(token, /*show_special=*/true));
  return bytes;
}

inline bool IsWellFormed(std::string_view text) {
  return WellFormedUtf8Prefix(text) == text.size();
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_TEXT_TINY_VOCABULARY_H_
