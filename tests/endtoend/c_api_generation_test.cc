// What an answer is, whichever way it is asked for.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

class CApiGeneration : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { ASSERT_OK(SetPrompt(session_, kPrompt)); }

  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_, TinyModel(GetParam()));
  SessionOwner session_ = CreateSession(model_);

  // Another session with the same prompt.
  SessionOwner Another() {
    SessionOwner session = CreateSession(model_);
    EXPECT_OK(SetPrompt(session, kPrompt));
    return session;
  }
};

specinfer_generation_config Random(uint32_t max_tokens, uint64_t seed) {
  specinfer_generation_config config = AnswerOf(max_tokens);
  config.temperature = 1.0f;
  config.seed = seed;
  return config;
}

TEST_P(CApiGeneration, StopsAtMaxTokensWithOneLastEvent) {
  const size_t num_prompt = GetTokens(session_).size();

  const Answer answer = Generate(session_, AnswerOf(24));

  EXPECT_EQ(answer.tokens.size(), 24u);
  EXPECT_EQ(answer.finish, SPECINFER_FINISH_MAX_TOKENS);
  EXPECT_EQ(answer.num_done, 1);
  const Tokens content = GetTokens(session_);
  ASSERT_EQ(content.size(), num_prompt + 24);
  EXPECT_TRUE(std::equal(answer.tokens.begin(), answer.tokens.end(),
                         content.begin() + num_prompt));
}

TEST_P(CApiGeneration, StepsOfAMicrosecondGiveTheSameAsGenerate) {
  const specinfer_generation_config config = Random(24, 7);
  const Answer whole = Generate(session_, config);
  const SessionOwner stepped = Another();

  ASSERT_OK(specinfer_session_start(stepped.get(), &config));
  const Answer steps = StepUntilDone(stepped, 1);

  EXPECT_EQ(steps.status, SPECINFER_OK);
  EXPECT_EQ(steps.tokens, whole.tokens);
  EXPECT_EQ(steps.text, whole.text);
  EXPECT_EQ(steps.finish, whole.finish);
}

TEST_P(CApiGeneration, StepAfterTheLastEventIsRefused) {
  const specinfer_generation_config config = AnswerOf(4);
  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  StepUntilDone(session_, 0);

  specinfer_event event = SPECINFER_EVENT_INIT;
  EXPECT_EQ(specinfer_session_step(session_.get(), 0, &event),
            SPECINFER_FAILED_PRECONDITION);
}

TEST_P(CApiGeneration, SeedDecidesTheText) {
  const Answer first = Generate(session_, Random(32, 1));

  EXPECT_EQ(Generate(Another(), Random(32, 1)).tokens, first.tokens);
  EXPECT_EQ(Generate(Another(), Random(32, 0)).tokens,
            first.tokens);  // 0 means 1
  EXPECT_NE(Generate(Another(), Random(32, 2)).tokens, first.tokens);
}

TEST_P(CApiGeneration, StreamIsAnotherSequenceOfTheSeed) {
  specinfer_generation_config config = Random(32, 1);
  const Answer first = Generate(session_, config);

  config.stream = 1;

  EXPECT_NE(Generate(Another(), config).tokens, first.tokens);
}

TEST_P(CApiGeneration, PrefillChunkChangesNothing) {
  const Answer expected = Generate(session_, Random(16, 3));
  for (const uint32_t chunk : {1u, 7u, 512u}) {
    specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
    config.max_context_tokens = 256;
    config.prefill_chunk_tokens = chunk;
    specinfer_session* session = nullptr;
    ASSERT_OK(specinfer_session_create(model_.get(), &config, &session));
    const SessionOwner owner(session);
    ASSERT_OK(SetPrompt(owner, kPrompt));

    EXPECT_EQ(Generate(owner, Random(16, 3)).tokens, expected.tokens) << chunk;
  }
}

TEST_P(CApiGeneration, EventsCountThePrefill) {
  const SessionOwner session = CreateSession(model_);
  const Tokens prompt(100, 5);
  ASSERT_OK(specinfer_session_append_tokens(session.get(), prompt.data(),
                                            prompt.size()));
  const specinfer_generation_config config = AnswerOf(2);
  ASSERT_OK(specinfer_session_start(session.get(), &config));

  specinfer_event event = SPECINFER_EVENT_INIT;
  uint32_t before = 0;
  do {
    ASSERT_OK(specinfer_session_step(session.get(), 1, &event));
    EXPECT_GE(event.num_prefilled_tokens, before);
    EXPECT_LE(event.num_prefilled_tokens, event.num_prompt_tokens);
    before = event.num_prefilled_tokens;
  } while (event.state != SPECINFER_STEP_DONE);

  EXPECT_GE(event.num_prompt_tokens, 99u);
  EXPECT_EQ(event.num_prefilled_tokens, event.num_prompt_tokens);
}

TEST_P(CApiGeneration, RegenerateGivesAnotherAnswerInThePlaceOfTheLast) {
  const Answer first = Generate(session_, Random(24, 5));
  const size_t num_tokens = GetTokens(session_).size();
  const specinfer_generation_config config = Random(24, 5);

  ASSERT_OK(specinfer_session_regenerate(session_.get(), &config));
  const Answer second = StepUntilDone(session_, 0);

  EXPECT_NE(second.tokens, first.tokens);
  EXPECT_EQ(GetTokens(session_).size(), num_tokens);
}

TEST_P(CApiGeneration, RegenerateAtTemperatureZeroGivesTheSame) {
  const Answer first = Generate(session_, AnswerOf(16));
  const specinfer_generation_config config = AnswerOf(16);

  ASSERT_OK(specinfer_session_regenerate(session_.get(), &config));

  EXPECT_EQ(StepUntilDone(session_, 0).tokens, first.tokens);
}

TEST_P(CApiGeneration, ForkContinuesLikeTheOriginal) {
  Generate(session_, AnswerOf(8));
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session_.get(), &copy));
  const SessionOwner fork(copy);

  EXPECT_EQ(GetTokens(fork), GetTokens(session_));
  EXPECT_EQ(Generate(fork, AnswerOf(16)).tokens,
            Generate(session_, AnswerOf(16)).tokens);
}

TEST_P(CApiGeneration, ForkDrawsOtherRandomNumbers) {
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session_.get(), &copy));
  const SessionOwner fork(copy);

  EXPECT_NE(Generate(fork, Random(32, 1)).tokens,
            Generate(session_, Random(32, 1)).tokens);
}

TEST_P(CApiGeneration, ForkLeavesTheOriginalAlone) {
  const Answer expected = Generate(Another(), AnswerOf(16));
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session_.get(), &copy));
  {
    const SessionOwner fork(copy);
    const specinfer_token other = 3;
    ASSERT_OK(specinfer_session_append_tokens(fork.get(), &other, 1));
    Generate(fork, AnswerOf(16));
  }

  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens, expected.tokens);
}

TEST_P(CApiGeneration, TruncateTakesTheTextBack) {
  const size_t num_prompt = GetTokens(session_).size();
  const Answer first = Generate(session_, AnswerOf(16));

  ASSERT_OK(specinfer_session_truncate(session_.get(), num_prompt));
  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens, first.tokens);
  ASSERT_OK(specinfer_session_truncate(session_.get(), 0));
  EXPECT_TRUE(GetTokens(session_).empty());
}

TEST_P(CApiGeneration, SetPromptKeepsTheCommonPrefix) {
  Generate(session_, AnswerOf(4));
  const Tokens content = GetTokens(session_);
  Tokens changed = content;
  changed[20] = changed[20] == 9 ? 10 : 9;
  const SessionOwner fresh = CreateSession(model_);
  ASSERT_OK(specinfer_session_append_tokens(fresh.get(), changed.data(),
                                            changed.size()));

  size_t num_kept = 0;
  ASSERT_OK(specinfer_session_set_prompt_tokens(session_.get(), changed.data(),
                                                changed.size(), &num_kept));

  EXPECT_EQ(num_kept, 20u);
  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens,
            Generate(fresh, AnswerOf(16)).tokens);
}

TEST_P(CApiGeneration, ReusedTokensAreNotComputedAgain) {
  Generate(session_, AnswerOf(4));
  const uint64_t num_prefilled = Statistics(session_).num_prefilled_tokens;
  const Tokens content = GetTokens(session_);

  size_t num_kept = 0;
  ASSERT_OK(specinfer_session_set_prompt_tokens(session_.get(), content.data(),
                                                content.size() - 2, &num_kept));
  Generate(session_, AnswerOf(1));

  EXPECT_GE(num_kept, content.size() - 3);
  EXPECT_LE(Statistics(session_).num_prefilled_tokens, num_prefilled + 1);
}

// A piece of an answer that is plain letters, or nothing.
std::string FindLetters(const std::string& text, size_t first, size_t length) {
  for (size_t begin = first; begin + length <= text.size(); ++begin) {
    const auto end = text.begin() + begin + length;
    if (std::all_of(text.begin() + begin, end,
                    [](unsigned char c) { return c > ' ' && c < 127; })) {
      return text.substr(begin, length);
    }
  }
  return "";
}

TEST_P(CApiGeneration, TextEndsBeforeAStopString) {
  const Answer whole = Generate(session_, AnswerOf(64));
  const std::string stop = FindLetters(whole.text, whole.text.size() / 3, 3);
  ASSERT_FALSE(stop.empty()) << whole.text;
  const specinfer_text strings[] = {{"\x01never", 6},
                                    {stop.data(), stop.size()}};
  specinfer_generation_config config = AnswerOf(64);
  config.stop_strings = strings;
  config.num_stop_strings = 2;

  const Answer answer = Generate(Another(), config);

  EXPECT_EQ(answer.finish, SPECINFER_FINISH_STOP_STRING);
  EXPECT_EQ(answer.text, whole.text.substr(0, whole.text.find(stop)));
}

TEST_P(CApiGeneration, TextNeverContainsABannedString) {
  const Answer whole = Generate(session_, AnswerOf(64));
  const std::string banned = FindLetters(whole.text, whole.text.size() / 3, 3);
  ASSERT_FALSE(banned.empty()) << whole.text;
  const specinfer_text strings[] = {{banned.data(), banned.size()}};
  specinfer_generation_config config = AnswerOf(64);
  config.banned_strings = strings;
  config.num_banned_strings = 1;

  const SessionOwner session = Another();
  const size_t num_prompt = GetTokens(session).size();
  const Answer answer = Generate(session, config);

  EXPECT_EQ(answer.text.find(banned), std::string::npos);
  EXPECT_EQ(answer.tokens.size(), 64u);
  EXPECT_EQ(GetTokens(session).size(), num_prompt + 64);
}

TEST_P(CApiGeneration, MinusInfinityBansAToken) {
  const Answer whole = Generate(session_, AnswerOf(32));
  std::vector<specinfer_logit_bias> biases;
  for (const specinfer_token token :
       std::set<specinfer_token>(whole.tokens.begin(), whole.tokens.end())) {
    biases.push_back({token, -std::numeric_limits<float>::infinity()});
  }
  specinfer_generation_config config = AnswerOf(32);
  config.logit_biases = biases.data();
  config.num_logit_biases = biases.size();

  const Answer answer = Generate(Another(), config);

  for (const specinfer_token token : answer.tokens) {
    EXPECT_EQ(std::count(whole.tokens.begin(), whole.tokens.end(), token), 0);
  }
}

TEST_P(CApiGeneration, AGreatBiasForcesAToken) {
  const specinfer_logit_bias bias = {42, 1000.0f};
  specinfer_generation_config config = AnswerOf(8);
  config.logit_biases = &bias;
  config.num_logit_biases = 1;

  EXPECT_EQ(Generate(session_, config).tokens, Tokens(8, 42));
}

TEST_P(CApiGeneration, LogProbabilitiesComeOnlyWhenAskedFor) {
  const Answer answer = Generate(session_, AnswerOf(4));

  for (const float log_probability : answer.log_probabilities)
    EXPECT_EQ(log_probability, 0.0f);
  for (const auto& alternatives : answer.alternatives)
    EXPECT_TRUE(alternatives.empty());
}

TEST_P(CApiGeneration, AlternativesAreOrderedAndNeverMoreThanAll) {
  specinfer_generation_config config = AnswerOf(16);
  config.want_log_probabilities = 1;
  config.num_top_log_probabilities = 5;

  const Answer answer = Generate(session_, config);

  ASSERT_EQ(answer.tokens.size(), 16u);
  for (size_t i = 0; i < answer.tokens.size(); ++i) {
    const auto& alternatives = answer.alternatives[i];
    ASSERT_EQ(alternatives.size(), 5u);
    double sum = 0.0;
    for (size_t k = 0; k < 5; ++k) {
      sum += std::exp(alternatives[k].log_probability);
      if (k > 0) {
        EXPECT_GE(alternatives[k - 1].log_probability,
                  alternatives[k].log_probability);
      }
    }
    EXPECT_GT(sum, 0.0);
    EXPECT_LE(sum, 1.0 + 1e-5);
    EXPECT_LE(answer.log_probabilities[i], 0.0f);
    EXPECT_EQ(answer.tokens[i], alternatives[0].token);
    EXPECT_EQ(answer.log_probabilities[i], alternatives[0].log_probability);
  }
}

TEST_P(CApiGeneration, LogProbabilitiesAreThoseBeforeTemperature) {
  specinfer_generation_config config = Random(16, 4);
  config.want_log_probabilities = 1;
  const Tokens prompt = GetTokens(session_);
  const Answer hot = Generate(session_, config);

  const SessionOwner other = Another();
  std::vector<float> scores(hot.tokens.size());
  ASSERT_OK(specinfer_session_score_tokens(other.get(), hot.tokens.data(),
                                           hot.tokens.size(), scores.data()));

  for (size_t i = 0; i < scores.size(); ++i)
    EXPECT_FLOAT_EQ(scores[i], hot.log_probabilities[i]) << i;
  EXPECT_EQ(GetTokens(other), prompt);
}

TEST_P(CApiGeneration, ScoringLeavesTheContentAndTheNextAnswerAlone) {
  const Answer expected = Generate(Another(), AnswerOf(16));
  const Tokens before = GetTokens(session_);
  const Tokens scored(100, 11);
  std::vector<float> scores(scored.size());

  ASSERT_OK(specinfer_session_score_tokens(session_.get(), scored.data(),
                                           scored.size(), scores.data()));

  EXPECT_EQ(GetTokens(session_), before);
  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens, expected.tokens);
}

TEST_P(CApiGeneration, AnEmptySessionScoresTheFirstTokenAsZero) {
  const SessionOwner session = CreateSession(model_);
  const Tokens scored = {5, 6, 7};
  std::vector<float> scores(3, 99.0f);

  ASSERT_OK(specinfer_session_score_tokens(session.get(), scored.data(), 3,
                                           scores.data()));

  EXPECT_EQ(scores[0], 0.0f);
  EXPECT_LT(scores[1], 0.0f);
  EXPECT_LT(scores[2], 0.0f);
}

TEST_P(CApiGeneration, ScoresOfAllTokensAddUpToOne) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(model_.get(), &properties));
  double sum = 0.0;
  for (uint32_t token = 0; token < properties.vocabulary_size; ++token) {
    const specinfer_token scored = static_cast<specinfer_token>(token);
    float score = 0.0f;
    ASSERT_OK(
        specinfer_session_score_tokens(session_.get(), &scored, 1, &score));
    sum += std::exp(static_cast<double>(score));
  }

  EXPECT_NEAR(sum, 1.0, 1e-4);
}

std::vector<float> Embed(const SessionOwner& session, std::string_view text,
                         int32_t pooling, int32_t normalize) {
  size_t length = 0;
  EXPECT_OK(specinfer_session_embed(session.get(), text.data(), text.size(),
                                    SPECINFER_TEXT_ADD_BOS, pooling, normalize,
                                    nullptr, 0, &length));
  std::vector<float> vectors(length);
  EXPECT_OK(specinfer_session_embed(session.get(), text.data(), text.size(),
                                    SPECINFER_TEXT_ADD_BOS, pooling, normalize,
                                    vectors.data(), vectors.size(), &length));
  EXPECT_EQ(length, vectors.size());
  return vectors;
}

TEST_P(CApiGeneration, PoolsHiddenStates) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(model_.get(), &properties));
  const size_t width = properties.hidden_size;

  const std::vector<float> each =
      Embed(session_, kPrompt, SPECINFER_POOLING_NONE, 0);
  const std::vector<float> mean =
      Embed(session_, kPrompt, SPECINFER_POOLING_MEAN, 0);
  const std::vector<float> last =
      Embed(session_, kPrompt, SPECINFER_POOLING_LAST, 0);

  ASSERT_EQ(mean.size(), width);
  ASSERT_EQ(last.size(), width);
  ASSERT_EQ(each.size() % width, 0u);
  const size_t rows = each.size() / width;
  ASSERT_GT(rows, 4u);
  for (size_t i = 0; i < width; ++i) {
    double sum = 0.0;
    for (size_t row = 0; row < rows; ++row) sum += each[row * width + i];
    EXPECT_NEAR(mean[i], sum / static_cast<double>(rows), 1e-4);
    EXPECT_EQ(last[i], each[(rows - 1) * width + i]);
  }
}

TEST_P(CApiGeneration, NormalizesEachVector) {
  double squares = 0.0;
  for (const float value : Embed(session_, kPrompt, SPECINFER_POOLING_MEAN, 1))
    squares += value * value;

  EXPECT_NEAR(squares, 1.0, 1e-4);
}

TEST_P(CApiGeneration, EmbeddingLeavesTheContentAndTheNextAnswerAlone) {
  const Answer expected = Generate(Another(), AnswerOf(16));
  const Tokens before = GetTokens(session_);

  Embed(session_, "something else entirely", SPECINFER_POOLING_LAST, 1);

  EXPECT_EQ(GetTokens(session_), before);
  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens, expected.tokens);
}

TEST_P(CApiGeneration, ExpectedOutputChangesOnlySpeed) {
  const Answer expected = Generate(Another(), AnswerOf(24));

  ASSERT_OK(specinfer_session_set_expected_output(
      session_.get(), expected.text.data(), expected.text.size()));

  EXPECT_EQ(Generate(session_, AnswerOf(24)).tokens, expected.tokens);
}

TEST_P(CApiGeneration, AFullContextEndsTheAnswer) {
  const SessionOwner session = CreateSession(model_, 64);
  const Tokens prompt(50, 5);
  ASSERT_OK(specinfer_session_append_tokens(session.get(), prompt.data(),
                                            prompt.size()));

  const Answer answer = Generate(session, AnswerOf(0));

  EXPECT_EQ(answer.finish, SPECINFER_FINISH_CONTEXT);
  EXPECT_LE(GetTokens(session).size(), 64u);
  EXPECT_GE(GetTokens(session).size(), 63u);
}

TEST_P(CApiGeneration, AFullContextRefusesMore) {
  const SessionOwner session = CreateSession(model_, 64);
  const Tokens tokens(65, 5);

  EXPECT_EQ(specinfer_session_append_tokens(session.get(), tokens.data(), 65),
            SPECINFER_RESOURCE_EXHAUSTED);
  EXPECT_EQ(specinfer_session_set_prompt_tokens(session.get(), tokens.data(),
                                                65, nullptr),
            SPECINFER_RESOURCE_EXHAUSTED);
  EXPECT_TRUE(GetTokens(session).empty());
  ASSERT_OK(specinfer_session_append_tokens(session.get(), tokens.data(), 40));
  EXPECT_EQ(specinfer_session_append_tokens(session.get(), tokens.data(), 30),
            SPECINFER_RESOURCE_EXHAUSTED);
  EXPECT_EQ(GetTokens(session).size(), 40u);
  EXPECT_OK(Generate(session, AnswerOf(4)).status);
}

// A token that is plain letters.
specinfer_token FindWord(const ModelOwner& model) {
  for (specinfer_token token = 0; token < 512; ++token) {
    char text[32];
    size_t length = 0;
    if (specinfer_model_detokenize(model.get(), &token, 1, 0, text,
                                   sizeof(text), &length) != SPECINFER_OK)
      break;
    const std::string word(text, std::min(length, sizeof(text)));
    if (length == 1 && !FindLetters(word, 0, 1).empty() &&
        std::isalpha(static_cast<unsigned char>(word[0]))) {
      return token;
    }
  }
  ADD_FAILURE() << "no token is a letter";
  return 0;
}

TEST_P(CApiGeneration, AConversationGrowsAndRemembers) {
  const SessionOwner session = CreateSession(model_, 256);
  ASSERT_OK(AppendMessage(session, "system", "Be brief."));
  ASSERT_OK(AppendMessage(session, "user", "Who are you?"));
  const specinfer_logit_bias bias = {FindWord(model_), 1000.0f};
  specinfer_generation_config config = AnswerOf(8);
  config.logit_biases = &bias;
  config.num_logit_biases = 1;
  EXPECT_EQ(Generate(session, config).tokens, Tokens(8, bias.token));
  const Tokens first = GetTokens(session);

  ASSERT_OK(AppendMessage(session, "user", "And now?"));

  const Tokens second = GetTokens(session);
  ASSERT_GT(second.size(), first.size());
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin()));
  EXPECT_OK(Generate(session, AnswerOf(8)).status);
}

TEST_P(CApiGeneration, OldTurnsAreDroppedWholeAndCounted) {
  const SessionOwner session =
      CreateSession(model_, 256, SPECINFER_OVERFLOW_DROP_TURNS);
  ASSERT_OK(AppendMessage(session, "system", "Be brief."));
  for (int turn = 0; turn < 12; ++turn) {
    ASSERT_OK(AppendMessage(
        session, "user",
        "Tell me about turn number " + std::to_string(turn) + ", please."));
    ASSERT_OK(Generate(session, AnswerOf(12)).status);
    ASSERT_LE(GetTokens(session).size(), 256u);
  }

  const specinfer_session_statistics statistics = Statistics(session);
  EXPECT_GT(statistics.num_dropped_turns, 0u);
  EXPECT_GT(statistics.num_dropped_tokens, statistics.num_dropped_turns);
}

TEST_P(CApiGeneration, StartSupersedesAnAnswerInProgress) {
  const specinfer_generation_config config = AnswerOf(64);
  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  specinfer_event event = SPECINFER_EVENT_INIT;
  for (int i = 0; i < 8; ++i)
    ASSERT_OK(specinfer_session_step(session_.get(), 0, &event));

  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  const Answer second = StepUntilDone(session_, 0);

  EXPECT_EQ(second.tokens.size(), 64u);
}

TEST_P(CApiGeneration, QuestionsInTheMiddleOfAnAnswerChangeNothing) {
  const specinfer_generation_config config = Random(32, 9);
  const Answer expected = Generate(Another(), config);
  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  Answer answer;
  specinfer_event event = SPECINFER_EVENT_INIT;
  do {
    ASSERT_OK(specinfer_session_step(session_.get(), 0, &event));
    answer.Add(event);
    const specinfer_token scored[] = {5, 6};
    float scores[2];
    ASSERT_OK(
        specinfer_session_score_tokens(session_.get(), scored, 2, scores));
    Embed(session_, "aside", SPECINFER_POOLING_MEAN, 1);
    Save(session_);
    Statistics(session_);
  } while (answer.num_done == 0 && answer.tokens.size() < 32);

  EXPECT_EQ(answer.tokens, expected.tokens);
}

TEST_P(CApiGeneration, StatisticsCount) {
  Generate(session_, AnswerOf(10));

  const specinfer_session_statistics statistics = Statistics(session_);
  EXPECT_EQ(statistics.num_context_tokens, GetTokens(session_).size());
  EXPECT_EQ(statistics.max_context_tokens, 256u);
  EXPECT_EQ(statistics.num_generated_tokens, 10u);
  EXPECT_GE(statistics.num_rounds, 1u);
  EXPECT_GT(statistics.cache_bytes, 0u);
  EXPECT_GT(statistics.num_cached_tokens, 0u);
}

INSTANTIATE_TEST_SUITE_P(Models, CApiGeneration,
                         testing::Values("tiny-llama.gguf", "tiny-qwen2.gguf",
                                         "tiny-qwen3.gguf", "tiny-gemma3.gguf"),
                         [](const auto& test) {
                           const std::string_view name = test.param;
                           return std::string(
                               name.substr(5, name.find('.') - 5));
                         });

class CApiModel : public testing::Test {
 protected:
  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
};

TEST_F(CApiModel, DescribesItself) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;

  ASSERT_OK(specinfer_model_get_properties(model_.get(), &properties));

  EXPECT_GT(properties.vocabulary_size, 256u);
  EXPECT_GT(properties.hidden_size, 0u);
  EXPECT_GT(properties.num_layers, 0u);
  EXPECT_GT(properties.max_context_tokens, 0u);
  EXPECT_EQ(properties.has_chat_template, 1);
  EXPECT_GT(properties.num_parameters,
            uint64_t{properties.vocabulary_size} * properties.hidden_size);
  EXPECT_GT(properties.file_bytes, 0u);
  EXPECT_GT(properties.weight_bytes, 0u);
}

std::string Metadata(const ModelOwner& model, std::string_view key) {
  size_t length = 0;
  EXPECT_OK(specinfer_model_get_metadata(model.get(), key.data(), key.size(),
                                         nullptr, 0, &length));
  std::string text(length, '\0');
  EXPECT_OK(specinfer_model_get_metadata(model.get(), key.data(), key.size(),
                                         text.data(), length, &length));
  return text;
}

TEST_F(CApiModel, TellsMetadataAsText) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(model_.get(), &properties));

  EXPECT_EQ(Metadata(model_, "general.architecture"), "llama");
  EXPECT_EQ(Metadata(model_, "llama.block_count"),
            std::to_string(properties.num_layers));
  EXPECT_EQ(Metadata(model_, "tokenizer.ggml.tokens"),
            "[" + std::to_string(properties.vocabulary_size) + " strings]");
}

TEST_F(CApiModel, DetokenizesWhatItTokenized) {
  for (const std::string_view text :
       {kPrompt, std::string_view("\xff\xfe broken \xf0\x9f\x98"),
        std::string_view("emoji 😀 ünï\nline"),
        std::string_view("<|im_end|>")}) {
    Tokens tokens(text.size() * 4 + 8);
    size_t num_tokens = 0;
    ASSERT_OK(specinfer_model_tokenize(model_.get(), text.data(), text.size(),
                                       0, tokens.data(), tokens.size(),
                                       &num_tokens));
    ASSERT_LE(num_tokens, tokens.size());
    std::string back(text.size() + 64, '\0');
    size_t length = 0;
    ASSERT_OK(specinfer_model_detokenize(model_.get(), tokens.data(),
                                         num_tokens, 0, back.data(),
                                         back.size(), &length));
    back.resize(length);
    EXPECT_EQ(back, text);
  }
}

TEST_F(CApiModel, RendersAChat) {
  const std::string_view messages = R"([{"role":"user","content":"Hi"}])";
  size_t length = 0;
  ASSERT_OK(specinfer_model_render_chat(model_.get(), messages.data(),
                                        messages.size(), nullptr, 0, 1, nullptr,
                                        0, &length));
  std::string text(length, '\0');
  ASSERT_OK(specinfer_model_render_chat(model_.get(), messages.data(),
                                        messages.size(), nullptr, 0, 1,
                                        text.data(), length, &length));

  EXPECT_NE(text.find("Hi"), std::string::npos);
  EXPECT_NE(text.find("<|im_start|>assistant"), std::string::npos) << text;
}

}  // namespace
}  // namespace specinfer_test
