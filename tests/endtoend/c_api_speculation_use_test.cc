// What speculation refuses, and its memory.
#include <cstddef>
#include <cstdint>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

using CApiSpeculationUse = DraftedTest;

// ---- Wrong use ----

TEST_F(CApiSpeculationUse, RefusesWrongStatistics) {
  const SessionOwner session = CreateSession(model_);
  specinfer_speculation_statistics statistics =
      SPECINFER_SPECULATION_STATISTICS_INIT;
  EXPECT_FAILS(
      specinfer_session_get_speculation_statistics(nullptr, &statistics),
      kInvalid, "session is NULL");
  EXPECT_FAILS(
      specinfer_session_get_speculation_statistics(session.get(), nullptr),
      kInvalid, "out_statistics is NULL");
  statistics.struct_size = 8;
  EXPECT_FAILS(
      specinfer_session_get_speculation_statistics(session.get(), &statistics),
      kInvalid, "SPECINFER_SPECULATION_STATISTICS_INIT");
  EXPECT_FAILS(specinfer_session_set_round_callback(nullptr, nullptr, nullptr),
               kInvalid, "session is NULL");
}

TEST_F(CApiSpeculationUse, RefusesUnknownChoices) {
  const SessionOwner session = CreateDraftedSession(model_, model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  for (const int32_t wrong : {-1, 6, INT32_MAX, INT32_MIN}) {
    specinfer_generation_config config = AnswerOf(4);
    config.strategy = wrong;
    EXPECT_FAILS(specinfer_session_start(session.get(), &config), kInvalid,
                 "config->strategy");
  }
  for (const int32_t wrong : {-1, 3, INT32_MAX}) {
    specinfer_generation_config config = AnswerOf(4);
    config.verifier = wrong;
    EXPECT_FAILS(specinfer_session_start(session.get(), &config), kInvalid,
                 "config->verifier");
  }
  for (const int32_t wrong : {-1, 2, INT32_MAX}) {
    specinfer_generation_config config = AnswerOf(4);
    config.objective = wrong;
    EXPECT_FAILS(specinfer_session_start(session.get(), &config), kInvalid,
                 "config->objective");
  }
  specinfer_generation_config config = AnswerOf(4);
  config.objective = SPECINFER_OBJECTIVE_ENERGY;
  EXPECT_EQ(Generate(session, config).tokens.size(), 4u);
}

TEST_F(CApiSpeculationUse, VerifiesSampledGuessesByRatio) {
  for (const int32_t verifier :
       {SPECINFER_VERIFIER_RATIO, SPECINFER_VERIFIER_WITHOUT_REPLACEMENT}) {
    std::vector<std::vector<specinfer_token>> texts;
    for (int repeat = 0; repeat < 2; ++repeat) {
      const SessionOwner session = CreateDraftedSession(model_, model_);
      ASSERT_OK(SetPrompt(session, kPrompt));
      specinfer_generation_config config = AnswerOf(24);
      config.temperature = 0.9f;
      config.strategy = SPECINFER_STRATEGY_TREE;
      config.verifier = verifier;
      texts.push_back(Generate(session, config).tokens);
      EXPECT_EQ(texts.back().size(), 24u);
      specinfer_speculation_statistics statistics =
          SPECINFER_SPECULATION_STATISTICS_INIT;
      ASSERT_OK(specinfer_session_get_speculation_statistics(session.get(),
                                                             &statistics));
      EXPECT_GT(statistics.num_speculative_rounds, 0u);
      EXPECT_EQ(statistics.strategy, verifier == SPECINFER_VERIFIER_RATIO
                                         ? SPECINFER_STRATEGY_DRAFT
                                         : SPECINFER_STRATEGY_TREE);
    }
    EXPECT_EQ(texts[0], texts[1]);
  }
}

TEST_F(CApiSpeculationUse, LooksNothingUpForVerifiersByRatio) {
  const SessionOwner session = CreateDraftedSession(model_, model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  specinfer_generation_config config = AnswerOf(4);
  config.strategy = SPECINFER_STRATEGY_NGRAM;
  config.verifier = SPECINFER_VERIFIER_RATIO;
  config.temperature = 0.5f;
  EXPECT_FAILS(specinfer_session_start(session.get(), &config), kInvalid,
               "not sampled");
  config.temperature = 0.0f;  // nothing is sampled
  EXPECT_EQ(Generate(session, config).tokens.size(), 4u);
}

TEST_F(CApiSpeculationUse, DraftsTreesOfTheCallersShape) {
  const SessionOwner session = CreateDraftedSession(model_, model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const std::vector<specinfer_token> plain =
      Generate(session, AnswerOf(1)).tokens;
  for (const uint32_t depth : {0u, 2u}) {
    ASSERT_OK(SetPrompt(session, kPrompt));
    specinfer_generation_config config = AnswerOf(200);
    config.strategy = SPECINFER_STRATEGY_TREE;
    config.tree_size = 6;
    config.tree_depth = depth;
    ASSERT_OK(specinfer_session_start(session.get(), &config));
    specinfer_event event = SPECINFER_EVENT_INIT;
    do {
      ASSERT_OK(specinfer_session_step(session.get(), 0, &event));
    } while (event.num_tokens == 0);
    specinfer_speculation_statistics statistics =
        SPECINFER_SPECULATION_STATISTICS_INIT;
    ASSERT_OK(specinfer_session_get_speculation_statistics(session.get(),
                                                           &statistics));
    EXPECT_EQ(statistics.last_tree_nodes, 6u);
    EXPECT_EQ(event.tokens[0].token, plain[0]);
    EXPECT_LE(event.num_tokens, depth == 0 ? 6u : depth + 1);
  }
}

TEST_F(CApiSpeculationUse, DraftStrategiesNeedADraftModel) {
  const SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  for (const int32_t strategy :
       {SPECINFER_STRATEGY_DRAFT, SPECINFER_STRATEGY_TREE}) {
    specinfer_generation_config config = AnswerOf(4);
    config.strategy = strategy;
    EXPECT_FAILS(specinfer_session_start(session.get(), &config),
                 SPECINFER_FAILED_PRECONDITION, "draft model");
  }
  EXPECT_OK(Generate(session, AnswerOf(4)).status);
}

TEST_F(CApiSpeculationUse, RefusesADraftModelOfAnotherEngine) {
  const EngineOwner other = CreateEngine();
  const ModelOwner stranger = LoadModel(other);
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.draft_model = stranger.get();
  specinfer_session* session = nullptr;

  EXPECT_FAILS(specinfer_session_create(model_.get(), &config, &session),
               SPECINFER_FAILED_PRECONDITION, "another engine");

  EXPECT_EQ(session, nullptr);
}

TEST_F(CApiSpeculationUse, TakesFrom1To1024TreeNodes) {
  for (const uint32_t max_tree_nodes : {0u, 1u, 1024u})
    EXPECT_NE(CreateDraftedSession(model_, model_, max_tree_nodes), nullptr);
  for (const uint32_t max_tree_nodes : {1025u, UINT32_MAX}) {
    specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
    config.max_tree_nodes = max_tree_nodes;
    specinfer_session* session = nullptr;
    EXPECT_FAILS(specinfer_session_create(model_.get(), &config, &session),
                 kInvalid, "config->max_tree_nodes");
    EXPECT_EQ(session, nullptr);
  }
}

// What lies behind the struct of an old header is not read.
TEST_F(CApiSpeculationUse, AnOldSessionConfigHasNoDraftModel) {
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.struct_size = offsetof(specinfer_session_config, max_tree_nodes);
  config.max_context_tokens = 256;
  config.max_tree_nodes = UINT32_MAX;
  config.draft_model = reinterpret_cast<const specinfer_model*>(8);
  specinfer_session* created = nullptr;
  ASSERT_OK(specinfer_session_create(model_.get(), &config, &created));
  const SessionOwner session(created);
  ASSERT_OK(SetPrompt(session, kPrompt));
  specinfer_generation_config answer = AnswerOf(4);
  answer.struct_size = offsetof(specinfer_generation_config, verifier);
  answer.verifier = 99;
  answer.objective = 99;

  EXPECT_EQ(Generate(session, answer).tokens.size(), 4u);
}

// ---- Life and memory ----

TEST_F(CApiSpeculationUse, TheSessionKeepsItsDraftModelAlive) {
  const Answer expected = Generate(Prompted(), Drafted(24));
  ModelOwner draft = LoadModel(engine_);
  const SessionOwner session = CreateDraftedSession(model_, draft);
  ASSERT_OK(SetPrompt(session, kPrompt));

  draft.reset();
  model_.reset();
  engine_.reset();

  EXPECT_EQ(Generate(session, Drafted(24)).tokens, expected.tokens);
}

uint64_t UsedBytes(const EngineOwner& engine) {
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  EXPECT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
  return statistics.memory_used_bytes;
}

TEST(CApiSpeculationMemory, ADraftModelThatDoesNotFitIsRefused) {
  uint64_t plain_bytes = 0, drafted_bytes = 0;
  {
    const EngineOwner engine = CreateEngine();
    const ModelOwner model = LoadModel(engine);
    {
      const SessionOwner plain = CreateSession(model);
      plain_bytes = UsedBytes(engine);
    }
    const SessionOwner drafted = CreateDraftedSession(model, model);
    drafted_bytes = UsedBytes(engine);
  }
  ASSERT_GT(drafted_bytes, plain_bytes);
  for (const int percent : {0, 25, 50, 75, 99}) {
    SCOPED_TRACE(percent);
    specinfer_engine_config config = EngineConfig();
    config.memory_budget_bytes =
        plain_bytes + (drafted_bytes - plain_bytes) * percent / 100;
    const EngineOwner engine = CreateEngine(config);
    const ModelOwner model = LoadModel(engine);
    const uint64_t before = UsedBytes(engine);
    specinfer_session_config session_config = SPECINFER_SESSION_CONFIG_INIT;
    session_config.max_context_tokens = 256;
    session_config.draft_model = model.get();
    specinfer_session* session = nullptr;

    EXPECT_EQ(specinfer_session_create(model.get(), &session_config, &session),
              SPECINFER_RESOURCE_EXHAUSTED);

    EXPECT_EQ(session, nullptr);
    EXPECT_EQ(UsedBytes(engine), before);
    EXPECT_NE(CreateSession(model), nullptr);  // without it there is room
  }
}

}  // namespace
}  // namespace specinfer_test
