// Our tokens against those of Hugging Face's tokenizers
// (testdata/make_tokenizer_golden.py).
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "src/text/tokenizer.h"
#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

class TokenizerGolden : public testing::TestWithParam<std::string> {};

absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& file) {
  if (file.ends_with(".gguf"))
    return TokenizerFromGguf(std::string(SPECINFER_TESTDATA) + "/" + file);
  return TokenizerFromJson(ReadTestdata(file));
}

TEST_P(TokenizerGolden, GivesTheReferenceTokens) {
  const nlohmann::json golden =
      nlohmann::json::parse(ReadTestdata("tokenizer/golden.json"));
  const auto tokenizer = Load(GetParam());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto is_this = [](const nlohmann::json& item) {
    return item["file"] == GetParam();
  };
  const auto found =
      std::find_if(golden["cases"].begin(), golden["cases"].end(), is_this);
  ASSERT_NE(found, golden["cases"].end());

  for (size_t i = 0; i < golden["texts"].size(); ++i) {
    const std::string text = golden["texts"][i];
    const std::vector<Token> expected = (*found)["ids"][i];
    EXPECT_EQ(Tokens(**tokenizer, text, /*parse_special=*/true), expected)
        << "text " << i << ": " << text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, TokenizerGolden,
    testing::Values("tokenizer/gpt2.json", "tokenizer/smollm.json",
                    "tokenizer/llama3.json", "tokenizer/qwen2.json",
                    "tokenizer/qwen35.json", "tokenizer/characters.json",
                    "tokenizer/characters-prefix.json", "tiny-llama.gguf",
                    "tiny-qwen2.gguf", "tiny-llama3.gguf"),
    [](const auto& param) {
      std::string name = param.param;
      std::erase_if(
          name, [](char c) { return !isalnum(static_cast<unsigned char>(c)); });
      return name;
    });

}  // namespace
}  // namespace specinfer
