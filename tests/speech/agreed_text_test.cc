// What two hypotheses in a row agree about.
#include "src/speech/agreed_text.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/speech/tiny_whisper.h"

namespace specinfer {
namespace {

class AgreedTextTest : public ::testing::Test {
 protected:
  void Add(const std::string& text) {
    std::vector<Token> tokens;
    ASSERT_TRUE(model_->tokenizer()
                    .Tokenize(text, /*parse_special=*/false, &tokens)
                    .ok());
    agreed_.Add(tokens, "en");
  }
  std::string Agreed() const {
    std::string text;
    for (const Token token : agreed_.agreed())
      text += model_->tokenizer().TokenBytes(token, false);
    return text;
  }

  const std::shared_ptr<const Model> model_ = LoadTinyWhisper();
  AgreedText agreed_{model_->tokenizer()};
};

TEST_F(AgreedTextTest, AgreesOnNothingAtFirst) {
  Add(" one two three four");
  EXPECT_EQ(Agreed(), "");
}

TEST_F(AgreedTextTest, KeepsWordsThatTwoHypothesesHave) {
  Add(" one two three for");
  Add(" one two three four five");
  EXPECT_EQ(Agreed(), " one two three");
  Add(" one two three four five six");
  EXPECT_EQ(Agreed(), " one two three four");
}

// A word may go on, and so may the last two be misheard alike.
TEST_F(AgreedTextTest, LeavesTheLastWordsOpen) {
  Add(" one two three");
  Add(" one two three");
  EXPECT_EQ(Agreed(), " one");
}

TEST_F(AgreedTextTest, NeverTakesBack) {
  Add(" one two three four");
  Add(" one two three four");
  ASSERT_EQ(Agreed(), " one two");
  Add(" one two");
  EXPECT_EQ(Agreed(), " one two");
  Add(" one two five six seven");
  EXPECT_EQ(Agreed(), " one two");
}

TEST_F(AgreedTextTest, EndsNoWordThatGoesOn) {
  Add(" one two three four five");
  Add(" one twofold three four five");
  EXPECT_EQ(Agreed(), " one");
}

TEST_F(AgreedTextTest, BeginsAnew) {
  Add(" one two three four");
  Add(" one two three four");
  agreed_.Begin();
  EXPECT_EQ(Agreed(), "");
  Add(" one two three four");
  EXPECT_EQ(Agreed(), "");
}

}  // namespace
}  // namespace specinfer
