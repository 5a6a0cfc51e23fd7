// What is chosen where hotwords get bonuses, against rows that are filtered,
// lifted and compared one token at a time.
#include "src/speech/speech_chooser.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/noise.h"
#include "tests/speech/tiny_speech_vocabulary.h"

namespace specinfer {
namespace {

constexpr int32_t kNumTimestamps = 100;
constexpr int32_t kVocabulary = kTinyTimestampBegin + kNumTimestamps;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Answers as the head does.
void Answer(const HeadQuery& query, std::vector<float> logits) {
  for (const Adjustment& adjustment : query.adjustments)
    logits[static_cast<size_t>(adjustment.token)] += adjustment.bias;
  Candidate best{.token = -1}, drawn{.token = -1};
  float best_score = -kInfinity;
  double sum = 0.0;
  for (Token token = 0; token < kVocabulary; ++token) {
    if (((query.allowed[static_cast<size_t>(token / 64)] >> (token % 64)) &
         1) == 0)
      continue;
    const float logit = logits[static_cast<size_t>(token)];
    sum += std::exp(static_cast<double>(logit));
    if (best.token < 0 || logit > best.logit) best = {token, logit};
    const float score =
        logit * query.inverse_temperature + GumbelNoise(query.noise, token);
    if (drawn.token < 0 || score > best_score) {
      drawn = {token, logit};
      best_score = score;
    }
  }
  query.top[0] = best;
  if (query.arg_max != nullptr) *query.arg_max = drawn;
  *query.log_sum_exp = std::log(sum);
}

class SpeechChooserTest : public testing::Test {
 protected:
  // The chosen token after `path`, and ln p of it where it is accepted.
  Token Choose(SpeechChooser& chooser, const std::vector<Token>& path,
               const std::vector<float>& logits) {
    std::vector<HeadQuery> queries;
    chooser.Ask({.index = 0, .row = 0, .position = 9, .path = path}, &queries);
    EXPECT_LE(queries.size(), size_t{TokenChooser::kMaxQuestions});
    for (const HeadQuery& query : queries) Answer(query, logits);
    return chooser.Choose(0);
  }

  std::unique_ptr<Tokenizer> tokenizer_ = TinySpeechTokenizer();
  SpeechTokens tokens_ = *SpeechTokens::Create(*tokenizer_, kVocabulary);
};

class HotwordChoice : public SpeechChooserTest,
                      public testing::WithParamInterface<float> {};

TEST_P(HotwordChoice, LiftsHotwordsAmongWordsAlone) {
  const float temperature = GetParam();
  constexpr float kBonus = 3.0f;
  const TimestampRules rules(tokens_, {});
  const HotwordBias hotwords =
      *HotwordBias::Create(tokens_, *tokenizer_, "abc, axe, Zed", kBonus);
  SpeechChooser plain(1), chooser(1);
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  std::vector<Adjustment> scratch;
  scratch.reserve(hotwords.max_bonuses());
  int num_lifted = 0, num_ends = 0;

  for (uint64_t i = 0; i < 4000; ++i) {
    const SpeechSampling sampling = {.temperature = temperature, .seed = i};
    std::vector<Token> path = {kTinyTimestampBegin};
    for (size_t n = random() % 4; n > 0; --n)
      path.push_back("abx Z-"[random() % 6]);
    std::vector<float> logits(kVocabulary);
    for (float& logit : logits) logit = 2.0f * normal(random) - 4.0f;
    for (const char c : {'a', 'b', 'c', 'x', 'Z', 'q', '.'})
      logits[static_cast<size_t>(c)] += 6.0f;
    if (i % 3 == 0) logits[static_cast<size_t>(tokens_.end_of_text())] += 11.0f;
    plain.Begin(rules, {}, sampling, nullptr, {});
    chooser.Begin(rules, {}, sampling, &hotwords, {});
    const Token unbiased = Choose(plain, path, logits);
    const Token chosen = Choose(chooser, path, logits);

    // By definition.
    TimestampState state;
    HotwordState heard;
    for (const Token token : path) {
      state = rules.Advance(state, token);
      heard = hotwords.Advance(heard, token);
    }
    Token expected = unbiased;
    if (hotwords.IsWord(unbiased)) {
      std::vector<float> lifted = logits;
      for (const Adjustment& bonus : hotwords.Bonuses(heard, &scratch))
        lifted[static_cast<size_t>(bonus.token)] += kBonus;
      const auto score = [&](Token token) {
        const float logit = lifted[static_cast<size_t>(token)];
        if (temperature == 0.0f) return logit;
        return logit / temperature +
               GumbelNoise({.seed = i, .position = 9}, token);
      };
      for (Token token = 0; token < tokens_.end_of_text(); ++token) {
        if (rules.MayFollow(state, token) && score(token) > score(expected))
          expected = token;
      }
    }
    ASSERT_EQ(chosen, expected) << i;
    num_lifted += chosen != unbiased;
    num_ends += !hotwords.IsWord(unbiased);

    // Judged without the bonus.
    size_t num_kept = 0;
    plain.Accept(0, unbiased, &num_kept);
    chooser.Accept(0, chosen, &num_kept);
    if (chooser.log_probability() == 0.0) continue;  // taken back
    EXPECT_NEAR(chooser.log_probability() - plain.log_probability(),
                logits[static_cast<size_t>(chosen)] -
                    logits[static_cast<size_t>(unbiased)],
                1e-4)
        << i;
  }
  EXPECT_GT(num_lifted, 200);
  EXPECT_GT(num_ends, 200);
}

INSTANTIATE_TEST_SUITE_P(Temperatures, HotwordChoice,
                         testing::Values(0.0f, 0.4f, 1.0f));

TEST_F(SpeechChooserTest, GoesBackWithItsLogProbability) {
  const TimestampRules rules(tokens_, {.has_timestamps = false});
  const HotwordBias hotwords =
      *HotwordBias::Create(tokens_, *tokenizer_, "xyz", 3.0f);
  SpeechChooser chooser(1);
  chooser.Begin(rules, {}, {}, &hotwords, {});
  std::vector<float> logits(kVocabulary, -9.0f);
  logits['a'] = 2.0f;
  logits['x'] = 0.0f;
  size_t num_kept = 0;
  ASSERT_EQ(Choose(chooser, {}, logits), 'x');
  ASSERT_FALSE(chooser.Accept(0, 'x', &num_kept));
  EXPECT_LT(chooser.log_probability(), -2.0);
  ASSERT_EQ(Choose(chooser, {}, logits), 'a');
  ASSERT_TRUE(chooser.Accept(0, 'a', &num_kept));
  EXPECT_EQ(num_kept, 9u);
  EXPECT_EQ(chooser.log_probability(), 0.0);
  EXPECT_EQ(Choose(chooser, {}, logits), 'a');  // it had its chance here
}

}  // namespace
}  // namespace specinfer
