// Facts about real models: their ids and their texts.
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

struct RealCase {
  const char* name;
  const char* file;
  std::string text;
  std::vector<Token> tokens;
};

class RealTokenizer : public testing::TestWithParam<RealCase> {
 protected:
  void SetUp() override {
    const std::string path =
        std::string(SPECINFER_MODELS) + "/" + GetParam().file;
    if (std::string(SPECINFER_MODELS).empty() ||
        !std::filesystem::exists(path)) {
      GTEST_SKIP() << "no " << GetParam().file << " in SPECINFER_MODELS (\""
                   << SPECINFER_MODELS << "\")";
    }
    auto loaded = TokenizerFromGguf(path);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer_ = *std::move(loaded);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(RealTokenizer, GivesTheKnownTokens) {
  EXPECT_EQ(Tokens(*tokenizer_, GetParam().text), GetParam().tokens);
}

TEST_P(RealTokenizer, GivesTheTextBack) {
  EXPECT_EQ(Bytes(*tokenizer_, Tokens(*tokenizer_, GetParam().text)),
            GetParam().text);
}

TEST_P(RealTokenizer, EndsGenerationSomewhere) {
  EXPECT_TRUE(tokenizer_->IsEndOfGeneration(tokenizer_->eos()));
  for (const Token token : tokenizer_->end_of_generation())
    EXPECT_TRUE(tokenizer_->IsControl(token)) << token;
}

TEST_P(RealTokenizer, TakesRandomBytes) {
  std::mt19937 random(5);
  std::string bytes;
  for (int i = 0; i < 20000; ++i) bytes.push_back(static_cast<char>(random()));

  EXPECT_FALSE(Tokens(*tokenizer_, bytes).empty());
}

// Ids from llama.cpp.
const std::string kText =
    "Hello world! It's 2024, don't PANIC:  \n\n\tfor (int i = 0; i < 10; ++i) "
    "{}\r\n\u65E5\u672C\u8A9E \U0001F600 <|im_end|>";

INSTANTIATE_TEST_SUITE_P(
    Models, RealTokenizer,
    testing::Values(
        RealCase{"SmolLm2",
                 "smollm2-135m-instruct-q4_1.gguf",
                 kText,
                 {19556, 905,   17,  657,   506,  216,  34,  32,    34,   36,
                  28,    1326,  982, 377,   2810, 3020, 42,  256,   1116, 197,
                  1710,  365,   591, 2056,  446,  216,  32,  43,    2056, 2067,
                  216,   33,    32,  43,    1232, 27,   89,  25,    4548, 201,
                  198,   23274, 115, 40993, 179,  120,  248, 40303, 218,  2067,
                  108,   306,   79,  486,   108,  46}},
        RealCase{"Qwen25Coder",
                 "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                 kText,
                 {9707,   1879,  0,     1084, 594,   220,  17, 15,    17,
                  19,     11,    1513,  944,  72281, 1317, 25, 18611, 2023,
                  320,    396,   600,   284,  220,   15,   26, 600,   366,
                  220,    16,    15,    26,   3443,  72,   8,  34141, 101059,
                  102819, 90316, 82639, 318,  6213,  91,   29}},
        RealCase{"Gemma3",
                 "gemma3-270m-q4_k_m.gguf",
                 kText,
                 {9259,   1902,   236888, 1030,   236789, 236751, 236743,
                  236778, 236771, 236778, 236812, 236764, 1537,   236789,
                  236745, 56649,  2011,   236787, 138,    108,    255968,
                  1708,   568,    720,    858,    578,    236743, 236771,
                  236793, 858,    655,    236743, 236770, 236771, 236793,
                  12215,  236747, 236768, 8637,   251,    107,    94951,
                  163543, 655,    236909, 548,    236779, 643,    111038}}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace specinfer
