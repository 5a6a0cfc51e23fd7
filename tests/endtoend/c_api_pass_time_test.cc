// What plans believe of passes, and that it outlives an engine.
#include <filesystem>
#include <string>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

namespace fs = std::filesystem;

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

specinfer_pass_time TimeOf(const ModelOwner& model,
                           int32_t kind = SPECINFER_PASS_TARGET,
                           uint32_t num_rows = 1) {
  specinfer_pass_time time = SPECINFER_PASS_TIME_INIT;
  EXPECT_OK(
      specinfer_model_get_pass_time(model.get(), kind, num_rows, 64, &time));
  return time;
}

TEST(CApiPassTime, IsAGuessAtFirst) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);

  for (const int32_t kind : {SPECINFER_PASS_TARGET, SPECINFER_PASS_DRAFT,
                             SPECINFER_PASS_EARLY_EXIT}) {
    const specinfer_pass_time time = TimeOf(model, kind);
    EXPECT_EQ(time.num_passes, 0u);
    EXPECT_EQ(time.is_kept, 0);
    EXPECT_GT(time.seconds, 0);
    EXPECT_GT(TimeOf(model, kind, 64).seconds, time.seconds);
  }
}

TEST(CApiPassTime, IsLearntFromRounds) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));

  Generate(session);

  EXPECT_EQ(TimeOf(model).num_passes, Statistics(session).num_rounds);
  EXPECT_EQ(TimeOf(model, SPECINFER_PASS_DRAFT).num_passes, 0u);
}

TEST(CApiPassTime, IsLearntFromMeasuredPassesLikeARounds) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  specinfer_pass pass = SPECINFER_PASS_INIT;

  ASSERT_OK(specinfer_session_measure_pass(session.get(), 8, 4, &pass));
  EXPECT_EQ(TimeOf(model).num_passes, 0u);
  ASSERT_OK(specinfer_session_measure_pass(session.get(), 8, 8, &pass));

  EXPECT_EQ(TimeOf(model).num_passes, 1u);
}

TEST(CApiPassTime, OutlivesTheEngineInItsCacheDirectory) {
  const std::string folder = testing::TempDir() + "/pass_time";
  fs::remove_all(folder);
  fs::create_directory(folder);
  specinfer_engine_config config = EngineConfig();
  config.cache_directory = folder.c_str();
  Tokens first;
  {
    const EngineOwner engine = CreateEngine(config);
    const ModelOwner model = LoadModel(engine);
    const SessionOwner session = CreateSession(model);
    ASSERT_OK(SetPrompt(session, kPrompt));
    first = Generate(session, AnswerOf(40)).tokens;
  }

  const EngineOwner engine = CreateEngine(config);
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));

  EXPECT_NE(TimeOf(model).is_kept, 0);
  EXPECT_EQ(TimeOf(model).num_passes, 0u);
  EXPECT_EQ(Generate(session, AnswerOf(40)).tokens, first);
  fs::remove_all(folder);
}

TEST(CApiPassTime, RefusesWhatIsNoPass) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner owner = LoadModel(engine);
  const specinfer_model* model = owner.get();
  specinfer_pass_time time = SPECINFER_PASS_TIME_INIT;

  EXPECT_FAILS(specinfer_model_get_pass_time(nullptr, 0, 1, 0, &time), kInvalid,
               "model");
  EXPECT_FAILS(specinfer_model_get_pass_time(model, 0, 1, 0, nullptr), kInvalid,
               "out_time");
  for (const int32_t kind : {-1, 3}) {
    EXPECT_FAILS(specinfer_model_get_pass_time(model, kind, 1, 0, &time),
                 kInvalid, "kind");
  }
  for (const uint32_t num_rows : {0u, (1u << 20) + 1, 0xffffffffu}) {
    EXPECT_FAILS(specinfer_model_get_pass_time(model, 0, num_rows, 0, &time),
                 kInvalid, "num_rows");
  }
  EXPECT_FAILS(
      specinfer_model_get_pass_time(model, 0, 1, (1u << 30) + 1, &time),
      kInvalid, "num_context_tokens");
  EXPECT_EQ(time.seconds, 0);
  time.struct_size = 4;
  EXPECT_FAILS(specinfer_model_get_pass_time(model, 0, 1, 0, &time), kInvalid,
               "SPECINFER_PASS_TIME_INIT");
}

}  // namespace
}  // namespace specinfer_test
