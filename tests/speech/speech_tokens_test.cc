#include "src/speech/speech_tokens.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/speech/speech_prompt.h"
#include "tests/speech/tiny_speech_vocabulary.h"
#include "tests/speech/whisper_files.h"
#include <nlohmann/json.hpp>

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct ModelCase {
  const char* name;
  int32_t vocabulary_size;
};

class RealSpeechTokens : public testing::TestWithParam<ModelCase> {
 protected:
  void SetUp() override {
    tokenizer_ = WhisperTokenizer(GetParam().name);
    SPECINFER_SKIP_WITHOUT(tokenizer_, GetParam().name);
    auto tokens = SpeechTokens::Create(*tokenizer_, GetParam().vocabulary_size);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    tokens_ = std::make_unique<SpeechTokens>(*std::move(tokens));
  }

  std::vector<Token> Config(const char* key) const {
    const auto config = nlohmann::json::parse(
        ReadModelFile(std::string(GetParam().name) + "/config.json"));
    return config[key].get<std::vector<Token>>();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<SpeechTokens> tokens_;
};

// config.json of the CTranslate2 container has what openai/whisper computed.
TEST_P(RealSpeechTokens, SuppressesWhatTheConfigurationSays) {
  const absl::Span<const Token> suppressed = tokens_->suppressed();
  EXPECT_EQ(std::vector<Token>(suppressed.begin(), suppressed.end()),
            Config("suppress_ids"));
  const absl::Span<const Token> first = tokens_->suppressed_first();
  EXPECT_EQ(std::vector<Token>(first.begin(), first.end()),
            Config("suppress_ids_begin"));
}

TEST_P(RealSpeechTokens, HasTheTimestampsOfThirtySeconds) {
  EXPECT_EQ(tokens_->num_timestamps(), 1501);
  EXPECT_EQ(tokens_->Seconds(tokens_->timestamp_begin()), 0.0);
  EXPECT_DOUBLE_EQ(tokens_->Seconds(GetParam().vocabulary_size - 1), 30.0);
  for (Token token = tokens_->timestamp_begin();
       token < GetParam().vocabulary_size; ++token) {
    ASSERT_EQ(tokens_->Timestamp(tokens_->Seconds(token)), token);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, RealSpeechTokens,
    testing::Values(ModelCase{"whisper-base", kBaseVocabulary},
                    ModelCase{"whisper-tiny.en", kEnglishVocabulary}),
    [](const auto& test) {
      return std::string(test.param.vocabulary_size == kBaseVocabulary
                             ? "Base"
                             : "TinyEnglish");
    });

TEST(SpeechTokens, LanguagesAreThoseOfTheConfiguration) {
  const auto tokenizer = WhisperTokenizer("whisper-base");
  SPECINFER_SKIP_WITHOUT(tokenizer, "whisper-base");
  const auto tokens = SpeechTokens::Create(*tokenizer, kBaseVocabulary);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  std::vector<Token> found;
  for (const LanguageToken& language : tokens->languages())
    found.push_back(language.token);
  const auto config =
      nlohmann::json::parse(ReadModelFile("whisper-base/config.json"));

  EXPECT_EQ(found, config["lang_ids"].get<std::vector<Token>>());
  EXPECT_EQ(tokens->FindLanguageToken("de"), 50261);
  EXPECT_EQ(tokens->FindLanguageToken("yue"), -1);
  EXPECT_EQ(tokens->FindTokenLanguage(50357)->name, "sundanese");
  EXPECT_EQ(tokens->FindTokenLanguage(50358), nullptr);
}

TEST(SpeechTokens, EnglishOnlyModelsHaveNoLanguages) {
  const auto tokenizer = WhisperTokenizer("whisper-tiny.en");
  SPECINFER_SKIP_WITHOUT(tokenizer, "whisper-tiny.en");
  const auto tokens = SpeechTokens::Create(*tokenizer, kEnglishVocabulary);
  ASSERT_TRUE(tokens.ok()) << tokens.status();

  EXPECT_FALSE(tokens->is_multilingual());
  EXPECT_EQ(tokens->end_of_text(), 50256);
  EXPECT_EQ(tokens->timestamp_begin(), 50363);
}

TEST(SpeechTokens, RefusesOtherVocabularies) {
  const auto tokenizer = TinySpeechTokenizer();
  Vocabulary vocabulary;
  vocabulary.special_tokens.fill(-1);
  vocabulary.byte_tokens.fill(-1);
  vocabulary.texts.Append("<|endoftext|>");
  vocabulary.kinds.push_back(TokenKind::kControl);
  const auto other = Tokenizer::Create(std::move(vocabulary));
  ASSERT_TRUE(other.ok()) << other.status();

  EXPECT_THAT(
      std::string(SpeechTokens::Create(**other, 1000).status().message()),
      HasSubstr("<|startoftranscript|>"));
  // No room for a timestamp.
  EXPECT_FALSE(SpeechTokens::Create(*tokenizer, kTinyTimestampBegin).ok());
  EXPECT_TRUE(SpeechTokens::Create(*tokenizer, kTinyTimestampBegin + 1).ok());
  EXPECT_FALSE(SpeechTokens::Create(*tokenizer, 0).ok());
}

TEST(SpeechTokens, TimesOutsideBecomeTheNearest) {
  const auto tokens =
      *SpeechTokens::Create(*TinySpeechTokenizer(), kTinyTimestampBegin + 101);

  EXPECT_EQ(tokens.Timestamp(-1.0), kTinyTimestampBegin);
  EXPECT_EQ(tokens.Timestamp(1.009), kTinyTimestampBegin + 50);
  EXPECT_EQ(tokens.Timestamp(1e300), kTinyTimestampBegin + 100);
  EXPECT_EQ(tokens.Timestamp(std::numeric_limits<double>::quiet_NaN()),
            kTinyTimestampBegin);
}

TEST(Languages, AreFoundByCodeAndName) {
  EXPECT_EQ(Languages().size(), 100u);
  EXPECT_EQ(FindLanguage("en")->name, "english");
  EXPECT_EQ(FindLanguage("German")->code, "de");
  EXPECT_EQ(FindLanguage("Mandarin")->code, "zh");
  EXPECT_EQ(FindLanguage("klingon"), nullptr);
  EXPECT_TRUE(IsWrittenWithoutSpaces("yue"));
  EXPECT_FALSE(IsWrittenWithoutSpaces("ko"));
}

// Tokens of the tiny vocabulary.
constexpr Token kStart = 257, kEnglish = 258, kTranslate = 261,
                kTranscribe = 262, kPrevious = 264, kNoTimestamps = 266;

class SpeechPromptOf : public testing::Test {
 protected:
  SpeechPrompt Make(const SpeechPromptOptions& options) {
    return MakeSpeechPrompt(tokens_, options, /*max_positions=*/448);
  }

  const SpeechTokens tokens_ =
      *SpeechTokens::Create(*TinySpeechTokenizer(), kTinyTimestampBegin + 100);
};

TEST_F(SpeechPromptOf, NothingIsTheStart) {
  const SpeechPrompt prompt = Make({});

  EXPECT_THAT(prompt.tokens, ElementsAre(kStart));
  EXPECT_EQ(prompt.start_index, 0);
  EXPECT_EQ(MaxSampledTokens(prompt, 448), 224);
}

TEST_F(SpeechPromptOf, LanguageAndTaskFollowTheStart) {
  EXPECT_THAT(Make({.language = kEnglish, .has_timestamps = false}).tokens,
              ElementsAre(kStart, kEnglish, kTranscribe, kNoTimestamps));
  EXPECT_THAT(
      Make({.language = kEnglish, .task = SpeechTask::kTranslate}).tokens,
      ElementsAre(kStart, kEnglish, kTranslate));
}

TEST_F(SpeechPromptOf, PrefixFollowsATimestampWhereThereAreAny) {
  const std::vector<Token> prefix = {'h', 'i'};
  const SpeechPrompt timed = Make({.language = kEnglish, .prefix = prefix});
  const SpeechPrompt plain =
      Make({.language = kEnglish, .has_timestamps = false, .prefix = prefix});

  EXPECT_THAT(timed.tokens, ElementsAre(kStart, kEnglish, kTranscribe,
                                        kTinyTimestampBegin, 'h', 'i'));
  EXPECT_EQ(timed.num_prefix, 3);
  EXPECT_THAT(plain.tokens, ElementsAre(kStart, kEnglish, kTranscribe,
                                        kNoTimestamps, 'h', 'i'));
  EXPECT_EQ(plain.num_prefix, 2);
  EXPECT_EQ(MaxSampledTokens(plain, 448), 222);
}

// Unlike a prefix, which nobody has sampled.
TEST_F(SpeechPromptOf, WhatWasSampledStandsAsItIs) {
  const std::vector<Token> sampled = {kTinyTimestampBegin + 5, 'h', 'i',
                                      kTinyTimestampBegin + 9};
  const std::vector<Token> hotwords = {'x'};
  const SpeechPrompt prompt = Make({.hotwords = hotwords, .sampled = sampled});

  EXPECT_THAT(prompt.tokens,
              ElementsAre(kPrevious, 'x', kStart, kTinyTimestampBegin + 5, 'h',
                          'i', kTinyTimestampBegin + 9));
  EXPECT_EQ(prompt.num_prefix, 4);
  EXPECT_TRUE(prompt.prefix_is_sampled);
  EXPECT_FALSE(Make({.prefix = sampled}).prefix_is_sampled);
  EXPECT_EQ(MaxSampledTokens(prompt, 448), 220);
}

TEST_F(SpeechPromptOf, HotwordsComeBeforeWhatWasSaid) {
  const std::vector<Token> hotwords = {'x'}, previous = {'a', 'b'},
                           prefix = {'h'};

  const SpeechPrompt prompt =
      Make({.previous = previous, .hotwords = hotwords});
  EXPECT_THAT(prompt.tokens, ElementsAre(kPrevious, 'x', 'a', 'b', kStart));
  EXPECT_EQ(prompt.start_index, 4);
  EXPECT_THAT(Make({.hotwords = hotwords}).tokens,
              ElementsAre(kPrevious, 'x', kStart));
  EXPECT_THAT(Make({.hotwords = hotwords, .prefix = prefix}).tokens,
              ElementsAre(kStart, kTinyTimestampBegin, 'h'));
}

TEST_F(SpeechPromptOf, LongPartsAreCut) {
  std::vector<Token> many(500);
  for (size_t i = 0; i < many.size(); ++i)
    many[i] = static_cast<Token>(i % 251);

  const SpeechPrompt previous = Make({.language = kEnglish, .previous = many});
  EXPECT_EQ(previous.tokens.size(), 1u + 223u + 3u);
  EXPECT_EQ(previous.tokens[1], many[500 - 223]);
  EXPECT_EQ(previous.tokens[223], many[499]);
  EXPECT_EQ(MaxSampledTokens(previous, 448), 448 - 227 + 1);

  const SpeechPrompt hotwords = Make({.hotwords = many});
  EXPECT_EQ(hotwords.tokens.size(), 1u + 223u + 1u);
  EXPECT_EQ(hotwords.tokens[223], many[222]);

  const SpeechPrompt prefix = Make({.has_timestamps = false, .prefix = many});
  EXPECT_EQ(prefix.tokens.size(), 2u + 223u);
  EXPECT_EQ(prefix.tokens.back(), many[222]);
}

TEST_F(SpeechPromptOf, AllPartsTogetherLeaveRoomForText) {
  const std::vector<Token> many(500, 'a');

  const SpeechPrompt prompt =
      Make({.language = kEnglish, .previous = many, .hotwords = many});

  EXPECT_LE(prompt.tokens.size(), 336u);
  EXPECT_GT(prompt.tokens.size(), 330u);
  EXPECT_GE(MaxSampledTokens(prompt, 448), 112);
}

}  // namespace
}  // namespace specinfer
