#include "src/speech/timestamp_rules.h"

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/noise.h"
#include "tests/speech/tiny_speech_vocabulary.h"
#include "tests/speech/whisper_files.h"

namespace specinfer {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int32_t kNumTimestamps = 150;
constexpr int32_t kVocabulary = kTinyTimestampBegin + kNumTimestamps;

SpeechTokens TinyTokens(int32_t vocabulary_size = kVocabulary) {
  const auto tokenizer = TinySpeechTokenizer();
  return *SpeechTokens::Create(*tokenizer, vocabulary_size);
}

double LogSumExp(const std::vector<float>& logits, Token begin, Token end) {
  double sum = 0.0;
  for (Token token = begin; token < end; ++token)
    sum += std::exp(static_cast<double>(logits[static_cast<size_t>(token)]));
  return std::log(sum);
}

// openai/whisper's three filters on a whole row, step by step as decoding.py
// has them. `text` is what was sampled.
void Filter(const SpeechTokens& tokens, const TimestampRuleOptions& options,
            const std::vector<Token>& text, bool has_prefix,
            std::vector<float>* logits) {
  const auto forbid = [&](Token begin, Token end) {
    for (Token token = begin; token < end; ++token)
      (*logits)[static_cast<size_t>(token)] = -kInfinity;
  };
  const Token begin = tokens.timestamp_begin();
  const Token end = tokens.vocabulary_size();
  if (text.empty() && options.suppresses_blank) {
    forbid(' ', ' ' + 1);
    forbid(tokens.end_of_text(), tokens.end_of_text() + 1);
  }
  for (const Token token : tokens.suppressed()) forbid(token, token + 1);
  if (!options.has_timestamps) return;

  forbid(tokens.no_timestamps(), tokens.no_timestamps() + 1);
  if (text.empty() && has_prefix) return;
  const bool last = !text.empty() && text.back() >= begin;
  const bool penultimate = text.size() < 2 || text[text.size() - 2] >= begin;
  if (last && penultimate) forbid(begin, end);
  if (last && !penultimate) forbid(0, tokens.end_of_text());
  for (size_t i = text.size(); i-- > 0;) {
    if (text[i] < begin) continue;
    forbid(begin, last && !penultimate ? text[i] : text[i] + 1);
    break;
  }
  if (text.empty()) {
    forbid(0, begin);
    forbid(tokens.Timestamp(options.max_initial_seconds) + 1, end);
  }
  float max_text = -kInfinity;
  for (Token token = 0; token < begin; ++token)
    max_text = std::max(max_text, (*logits)[static_cast<size_t>(token)]);
  if (LogSumExp(*logits, begin, end) > max_text) forbid(0, begin);
}

Token ArgMax(const std::vector<float>& logits, float inverse_temperature,
             const NoiseKey& noise) {
  Token best = -1;
  float best_score = -kInfinity;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] == -kInfinity) continue;
    const float score = inverse_temperature == 0.0f
                            ? logits[i]
                            : logits[i] * inverse_temperature +
                                  GumbelNoise(noise, static_cast<Token>(i));
    if (score > best_score) {
      best = static_cast<Token>(i);
      best_score = score;
    }
  }
  return best;
}

// What the head would say of `set`.
SpeechAnswer Answer(const std::vector<float>& logits, bool is_there,
                    absl::Span<const uint64_t> set, float inverse_temperature,
                    const NoiseKey& noise) {
  SpeechAnswer answer;
  answer.best.token = answer.drawn.token = -1;
  if (!is_there) return answer;
  std::vector<float> kept = logits;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (((set[i / 64] >> (i % 64)) & 1) == 0) kept[i] = -kInfinity;
  }
  answer.best.token = ArgMax(kept, 0.0f, noise);
  answer.drawn.token = ArgMax(kept, inverse_temperature, noise);
  answer.best.logit = kept[static_cast<size_t>(answer.best.token)];
  answer.drawn.logit = kept[static_cast<size_t>(answer.drawn.token)];
  answer.log_sum_exp = LogSumExp(kept, 0, static_cast<Token>(kept.size()));
  return answer;
}

SpeechChoice Choose(const TimestampRules& rules, const TimestampState& state,
                    const std::vector<float>& logits, float inverse_temperature,
                    const NoiseKey& noise) {
  const AllowedSpeech allowed = rules.Allowed(state);
  return ChooseSpeechToken(
      Answer(logits, allowed.has_text, allowed.text, inverse_temperature,
             noise),
      Answer(logits, allowed.has_timestamps, allowed.timestamps,
             inverse_temperature, noise),
      inverse_temperature, noise);
}

struct RulesCase {
  const char* name;
  bool has_timestamps;
  bool has_prefix;
  bool suppresses_blank;
};

class TimestampRulesOracle : public testing::TestWithParam<RulesCase> {};

TEST_P(TimestampRulesOracle, ChoosesAsFilteredRowsDo) {
  const SpeechTokens tokens = TinyTokens();
  const TimestampRuleOptions options{
      .has_timestamps = GetParam().has_timestamps,
      .suppresses_blank = GetParam().suppresses_blank};
  const TimestampRules rules(tokens, options);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  const auto below = [&](uint32_t end) {
    return static_cast<Token>(random() % end);
  };
  SpeechPrompt prompt;
  prompt.num_prefix = GetParam().has_prefix ? 3 : 0;
  std::set<int> kinds;
  int num_timestamps = 0;

  for (int i = 0; i < 4000; ++i) {
    std::vector<Token> text;
    TimestampState state = rules.Begin(prompt);
    for (Token length = below(7); length > 0; --length) {
      const Token token = below(2) == 0
                              ? below(256)
                              : kTinyTimestampBegin + below(kNumTimestamps);
      text.push_back(token);
      state = rules.Advance(state, token);
    }
    std::vector<float> logits(kVocabulary);
    const float scale = static_cast<float>(1 + below(4));
    for (float& logit : logits) logit = scale * normal(random);
    if (below(3) == 0) logits[static_cast<size_t>(below(257))] += 9.0f;
    const float inverse_temperature =
        below(2) == 0 ? 0.0f : 1.0f / (0.2f * static_cast<float>(1 + below(5)));
    const NoiseKey noise{.seed = random(), .position = i};

    std::vector<float> filtered = logits;
    Filter(tokens, options, text, GetParam().has_prefix, &filtered);
    const Token expected = ArgMax(filtered, inverse_temperature, noise);
    const SpeechChoice choice =
        Choose(rules, state, logits, inverse_temperature, noise);

    ASSERT_EQ(choice.token, expected) << "case " << i;
    ASSERT_NEAR(choice.log_probability,
                filtered[static_cast<size_t>(expected)] -
                    LogSumExp(filtered, 0, kVocabulary),
                1e-4)
        << "case " << i;
    ASSERT_TRUE(rules.MayFollow(state, choice.token));
    kinds.insert(static_cast<int>(state.last));
    num_timestamps += tokens.IsTimestamp(choice.token) ? 1 : 0;
  }

  EXPECT_EQ(kinds.size(), 4u);
  EXPECT_GT(num_timestamps, 400);
  EXPECT_LT(num_timestamps, 3600);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, TimestampRulesOracle,
    testing::Values(RulesCase{"Timestamps", true, false, true},
                    RulesCase{"TimestampsAfterPrefix", true, true, true},
                    RulesCase{"WithBlank", true, true, false},
                    RulesCase{"NoTimestamps", false, false, true},
                    RulesCase{"NoTimestampsWithBlank", false, true, false}),
    [](const auto& test) { return test.param.name; });

// As if they had just been sampled.
TEST(TimestampRules, GoOnFromWhatWasSampled) {
  const SpeechTokens tokens = TinyTokens();
  const TimestampRules rules(tokens, {});
  const Token first = kTinyTimestampBegin + 3, last = kTinyTimestampBegin + 40;
  SpeechPrompt prompt;
  prompt.prefix_is_sampled = true;
  const auto begin = [&](std::vector<Token> sampled) {
    prompt.num_prefix = static_cast<int32_t>(sampled.size());
    prompt.tokens = {tokens.start_of_transcript()};
    prompt.tokens.insert(prompt.tokens.end(), sampled.begin(), sampled.end());
    return rules.Begin(prompt);
  };
  const TimestampState in_text = begin({first, 'a'});
  EXPECT_TRUE(rules.MayFollow(in_text, 'b'));
  EXPECT_TRUE(rules.MayFollow(in_text, tokens.end_of_text()));
  EXPECT_FALSE(rules.MayFollow(in_text, first));
  const TimestampState closed = begin({first, 'a', last});
  EXPECT_FALSE(rules.MayFollow(closed, 'b'));
  EXPECT_TRUE(rules.MayFollow(closed, tokens.end_of_text()));
  EXPECT_TRUE(rules.MayFollow(closed, last));
  EXPECT_FALSE(rules.MayFollow(closed, last - 1));
}

TEST(TimestampRules, SetsOfEveryLastTimestampAreItsFollowers) {
  const SpeechTokens tokens = TinyTokens();
  const TimestampRules rules(tokens, {});
  for (Token last = kTinyTimestampBegin; last < kVocabulary; ++last) {
    TimestampState state = rules.Begin({});
    state = rules.Advance(state, last);
    state = rules.Advance(state, 'a');
    for (Token token = kTinyTimestampBegin; token < kVocabulary; ++token)
      ASSERT_EQ(rules.MayFollow(state, token), token > last);
    state = rules.Advance(state, last);
    for (Token token = kTinyTimestampBegin; token < kVocabulary; ++token)
      ASSERT_EQ(rules.MayFollow(state, token), token >= last);
  }
}

TEST(TimestampRules, NoTimestampFollowsTheLastOne) {
  const TimestampRules rules(TinyTokens(), {});
  TimestampState state = rules.Advance(rules.Begin({}), kVocabulary - 1);
  state = rules.Advance(state, 'a');

  EXPECT_FALSE(rules.Allowed(state).has_timestamps);
  EXPECT_TRUE(rules.Allowed(state).has_text);
}

TEST(TimestampRules, TextIsForbiddenOnlyWhereTimestampsAreLikelier) {
  SpeechAnswer text{.best = {.token = 5, .logit = 2.0f},
                    .drawn = {.token = 5, .logit = 2.0f},
                    .log_sum_exp = 2.5};
  SpeechAnswer timestamps{.best = {.token = 300, .logit = 0.5f},
                          .drawn = {.token = 300, .logit = 0.5f},
                          .log_sum_exp = 2.0};

  const SpeechChoice equal = ChooseSpeechToken(text, timestamps, 0.0f, {});
  timestamps.log_sum_exp = 2.001;
  const SpeechChoice more = ChooseSpeechToken(text, timestamps, 0.0f, {});

  EXPECT_EQ(equal.token, 5);
  EXPECT_NEAR(equal.log_probability,
              2.0 - std::log(std::exp(2.5) + std::exp(2.0)), 1e-12);
  EXPECT_EQ(more.token, 300);
  EXPECT_NEAR(more.log_probability, 0.5 - 2.001, 1e-6);
}

TEST(TimestampRules, NothingIsChosenWhereNothingIsLeft) {
  SpeechAnswer nothing;
  nothing.best.token = nothing.drawn.token = -1;

  EXPECT_EQ(ChooseSpeechToken(nothing, nothing, 1.0f, {}).token, -1);
}

TEST(TimestampRules, KnowRealVocabularies) {
  const auto tokenizer = WhisperTokenizer("whisper-base");
  SPECINFER_SKIP_WITHOUT(tokenizer, "whisper-base");
  const SpeechTokens tokens =
      *SpeechTokens::Create(*tokenizer, kBaseVocabulary);
  const TimestampRules rules(tokens, {});
  TimestampState state = rules.Begin({});

  EXPECT_TRUE(rules.MayFollow(state, 50364));
  EXPECT_TRUE(rules.MayFollow(state, 50414));   // 1.00 s
  EXPECT_FALSE(rules.MayFollow(state, 50415));  // 1.02 s
  state = rules.Advance(state, 50364);
  EXPECT_TRUE(rules.MayFollow(state, 400));
  EXPECT_TRUE(rules.MayFollow(state, 50257));
  EXPECT_FALSE(rules.MayFollow(state, 50258));
  EXPECT_TRUE(rules.MayFollow(state, 50259));  // a language, as the source has
  EXPECT_FALSE(rules.MayFollow(state, 51864));
  state = rules.Advance(rules.Advance(state, 400), 51864);
  EXPECT_TRUE(rules.MayFollow(state, 51864));
  EXPECT_TRUE(rules.MayFollow(state, 50257));
  EXPECT_FALSE(rules.MayFollow(state, 400));
}

}  // namespace
}  // namespace specinfer
