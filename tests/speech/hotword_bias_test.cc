// Which tokens get a bonus, against a search through all hotwords, and what a
// hotword that breaks takes back.
#include "src/speech/hotword_bias.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/speech/hotword_trial.h"
#include "tests/speech/speech_models.h"
#include "tests/speech/tiny_speech_vocabulary.h"

namespace specinfer {
namespace {

constexpr float kBonus = 2.5f;

// Every byte is a token.
class HotwordBiasTest : public testing::Test {
 protected:
  HotwordBias Make(std::string_view hotwords) {
    auto bias = HotwordBias::Create(tokens_, *tokenizer_, hotwords, kBonus);
    EXPECT_TRUE(bias.ok()) << bias.status();
    return *std::move(bias);
  }

  static HotwordState After(const HotwordBias& bias, std::string_view text) {
    HotwordState state;
    for (const char c : text)
      state = bias.Advance(state, static_cast<unsigned char>(c));
    return state;
  }

  // What gets a bonus after `text`.
  static std::string Lifted(const HotwordBias& bias, std::string_view text) {
    std::vector<Adjustment> scratch;
    std::string lifted;
    for (const Adjustment& bonus : bias.Bonuses(After(bias, text), &scratch)) {
      EXPECT_EQ(bonus.bias, kBonus);
      EXPECT_EQ(bonus.repetition, 1.0f);
      lifted.push_back(static_cast<char>(bonus.token));
    }
    EXPECT_TRUE(std::is_sorted(lifted.begin(), lifted.end()));
    return lifted;
  }

  std::unique_ptr<Tokenizer> tokenizer_ = TinySpeechTokenizer();
  SpeechTokens tokens_ =
      *SpeechTokens::Create(*tokenizer_, tokenizer_->vocabulary_size() + 1501);
};

TEST_F(HotwordBiasTest, LiftsWhatBeginsOrContinuesAHotword) {
  const HotwordBias bias = Make("elinor");
  EXPECT_EQ(Lifted(bias, ""), "Ee");
  EXPECT_EQ(Lifted(bias, "e"), "l");
  EXPECT_EQ(Lifted(bias, "El"), "i");
  EXPECT_EQ(Lifted(bias, "ElX"), "");
  EXPECT_EQ(Lifted(bias, "elinor"), "");
  EXPECT_EQ(Lifted(bias, "so "), "Ee");
  EXPECT_EQ(Lifted(bias, "so-"), "Ee");
  EXPECT_EQ(Lifted(bias, "so"), "");  // within a word none begins
  EXPECT_EQ(Lifted(bias, "soe"), "");
}

TEST_F(HotwordBiasTest, ReadsPhrasesOrWords) {
  EXPECT_EQ(Lifted(Make("ab cd"), ""), "ACac");
  EXPECT_EQ(Lifted(Make(" ab cd,,ef;\n"), ""), "AEae");
  EXPECT_EQ(Lifted(Make("ab cd,"), "ab"), " ");
  EXPECT_EQ(Lifted(Make("ab\ncd"), ""), "ACac");
  EXPECT_EQ(Lifted(Make(" , ;"), ""), "");
  EXPECT_EQ(Lifted(Make("Ab"), ""), "A");  // capitals stay
}

TEST_F(HotwordBiasTest, BeginsAnywhereInScriptsWithoutSpaces) {
  const std::string tokyo = "\u6771\u4EAC";
  const HotwordBias bias = Make(tokyo);
  EXPECT_EQ(Lifted(bias, "\u3042"), tokyo.substr(0, 1));
  EXPECT_EQ(Lifted(bias, "\u3042" + tokyo.substr(0, 3)),
            tokyo.substr(3, 1) + tokyo.substr(0, 1));
  const std::string accented = "\u00E9t\u00E9";
  EXPECT_EQ(Lifted(Make(accented), "\u00E9"), "t");
  EXPECT_EQ(Lifted(Make(accented), "x"), "");
}

TEST_F(HotwordBiasTest, AnythingButAWordBreaksIt) {
  const HotwordBias bias = Make("elinor");
  const HotwordState state =
      bias.Advance(After(bias, "eli"), tokens_.Timestamp(2.0));
  EXPECT_EQ(bias.NumBegun(state), 0);
  EXPECT_TRUE(state.is_between_words);
  EXPECT_FALSE(bias.IsWord(tokens_.end_of_text()));
}

// By their definition, for all overlaps.
TEST_F(HotwordBiasTest, FindsWhatASearchFinds) {
  std::mt19937 random(3);
  const auto make = [&](size_t max_length) {
    std::string text;
    for (size_t n = random() % (max_length + 1); n > 0; --n)
      text.push_back("AB- "[random() % 4]);
    return text;
  };
  int num_overlaps = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> hotwords;
    std::string list;
    for (int n = 0; n < 4; ++n) {
      std::string word = "A" + make(5) + "B";
      list += word + ",";
      hotwords.push_back(std::move(word));
    }
    const std::string text = make(4) + hotwords[0].substr(0, 1 + random() % 6);
    std::set<std::string> begun;
    std::set<char> expected;
    size_t longest_begun = 0, longest_whole = 0;
    for (size_t begin = 0; begin <= text.size(); ++begin) {
      const char before = begin == 0 ? ' ' : text[begin - 1];
      if (before == 'A' || before == 'B') continue;
      const std::string rest = text.substr(begin);
      for (const std::string& word : hotwords) {
        if (word.compare(0, rest.size(), rest) != 0) continue;
        if (rest.size() < word.size()) expected.insert(word[rest.size()]);
        if (rest.empty()) continue;
        begun.insert(rest);
        longest_begun = std::max(longest_begun, rest.size());
        if (rest == word) longest_whole = std::max(longest_whole, rest.size());
      }
    }
    if (begun.size() > HotwordState::kMaxMatches) continue;
    num_overlaps += begun.size() > 1;

    const HotwordBias bias = Make(list);
    const HotwordState state = After(bias, text);
    ASSERT_EQ(Lifted(bias, text), std::string(expected.begin(), expected.end()))
        << list << " after " << text;
    ASSERT_EQ(bias.NumBegun(state), static_cast<int32_t>(longest_begun));
    ASSERT_EQ(bias.NumWhole(state), static_cast<int32_t>(longest_whole));
  }
  EXPECT_GT(num_overlaps, 30);
}

TEST(HotwordBias, KnowsAWordWithItsSpaceByWhispersVocabulary) {
  const auto model = LoadSpeechModel("whisper-base");
  if (model == nullptr) GTEST_SKIP() << "no whisper-base";
  const Tokenizer& tokenizer = model->tokenizer();
  const SpeechTokens tokens =
      *SpeechTokens::Create(tokenizer, model->architecture().vocabulary_size);
  const auto bias =
      HotwordBias::Create(tokens, tokenizer, "Kubernetes, Nguyen", kBonus);
  ASSERT_TRUE(bias.ok()) << bias.status();
  for (const char* text : {"the Kubernetes", "Kubernetes", "\"Kubernetes",
                           " and Mr. Nguyen", "the-Nguyen"}) {
    std::vector<Token> said;
    ASSERT_TRUE(tokenizer.TokenizeContinuation(text, &said).ok());
    HotwordState state;
    for (const Token token : said) state = bias->Advance(state, token);
    EXPECT_GT(bias->NumWhole(state), 0) << text;
  }
}

class HotwordTrialTest : public HotwordBiasTest {
 protected:
  // Accepts `text`, of which capital letters are chosen by a bonus; returns
  // where the text goes back to from its last token, -1: it goes on.
  int64_t Accept(std::string_view text) {
    bool goes_back = false;
    int64_t position = -1;
    for (const char c : text) {
      EXPECT_FALSE(goes_back) << text;
      position = position_++;
      goes_back = trial_.Accept(c, c >= 'A' && c <= 'Z', &position);
    }
    if (goes_back) position_ = position;
    return goes_back ? position : -1;
  }

  std::string LiftedNow() {
    std::vector<Adjustment> scratch;
    scratch.reserve(trial_.bias()->max_bonuses());
    std::string lifted;
    for (const Adjustment& bonus : trial_.Bonuses({}, position_, &scratch))
      lifted.push_back(static_cast<char>(bonus.token));
    return lifted;
  }

  HotwordTrial trial_;
  int64_t position_ = 100;
};

TEST_F(HotwordTrialTest, KeepsWhatBecomesWhole) {
  const HotwordBias bias = Make("XYZ");
  trial_.Begin(&bias, {});
  EXPECT_EQ(Accept("so XYZ and"), -1);
  EXPECT_FALSE(trial_.is_on());
}

TEST_F(HotwordTrialTest, TakesBackWhatBreaksAndTriesOthers) {
  const HotwordBias bias = Make("XYZ, YaB, XaX");
  trial_.Begin(&bias, {});
  EXPECT_EQ(LiftedNow(), "XY");
  EXPECT_EQ(Accept("Xb"), 100);
  EXPECT_EQ(LiftedNow(), "Y");
  EXPECT_EQ(Accept("Ya-"), 100);
  EXPECT_EQ(LiftedNow(), "");
  EXPECT_EQ(Accept("s "), -1);
  EXPECT_EQ(LiftedNow(), "XY");
  EXPECT_EQ(Accept("XY"), -1);
  EXPECT_TRUE(trial_.is_on());
  int64_t position = position_;
  EXPECT_TRUE(trial_.Accept(tokens_.end_of_text(), false, &position));
  EXPECT_EQ(position, 102);
}

// Only from where a bonus chose: what the model said by itself stays.
TEST_F(HotwordTrialTest, GoesBackToTheFirstBonus) {
  const HotwordBias bias = Make("abXdY");
  trial_.Begin(&bias, {});
  EXPECT_EQ(Accept("abXdx"), 102);
  EXPECT_EQ(LiftedNow(), "");
  EXPECT_EQ(Accept("c"), -1);
}

TEST_F(HotwordTrialTest, ALongerHotwordTakesNoWholeOneBack) {
  const HotwordBias bias = Make("Xa, XaYz");
  trial_.Begin(&bias, {});
  EXPECT_EQ(Accept("XaYo"), 102);
  EXPECT_EQ(LiftedNow(), "");
}

TEST_F(HotwordTrialTest, GoesOnFromWhatWasSaid) {
  const HotwordBias bias = Make("abX");
  const std::vector<Token> said = {'a', 'b'};
  trial_.Begin(&bias, said);
  EXPECT_EQ(LiftedNow(), "X");
  trial_.Begin(nullptr, said);
  EXPECT_EQ(Accept("ab"), -1);
}

}  // namespace
}  // namespace specinfer
