// Threads, their priority and the duty cycle, changed while answers are
// written.
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

specinfer_engine_statistics GetEngineStatistics(const EngineOwner& engine) {
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  EXPECT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
  return statistics;
}

EngineOwner EngineOfThreads(uint32_t num_threads) {
  specinfer_engine_config config = EngineConfig();
  config.num_threads = num_threads;
  return CreateEngine(config);
}

Answer AnswerTo(const ModelOwner& model, std::string_view prompt,
                uint32_t num_tokens = 48) {
  const SessionOwner session = CreateSession(model);
  EXPECT_OK(SetPrompt(session, prompt));
  specinfer_generation_config config = AnswerOf(num_tokens);
  config.temperature = 0.8f;
  config.want_log_probabilities = 1;
  return Generate(session, config);
}

TEST(CApiEngineSettings, StatisticsSayWhatIsSet) {
  const EngineOwner engine = EngineOfThreads(4);
  const specinfer_engine_statistics before = GetEngineStatistics(engine);
  EXPECT_EQ(before.num_threads, 4u);
  EXPECT_GE(before.max_threads, 4u);
  EXPECT_EQ(before.priority, SPECINFER_PRIORITY_NORMAL);
  EXPECT_EQ(before.duty_cycle, 1.0f);

  ASSERT_OK(specinfer_engine_set_num_threads(engine.get(), 3));
  ASSERT_OK(
      specinfer_engine_set_priority(engine.get(), SPECINFER_PRIORITY_LOW));
  ASSERT_OK(specinfer_engine_set_duty_cycle(engine.get(), 0.5f));

  const specinfer_engine_statistics after = GetEngineStatistics(engine);
  EXPECT_EQ(after.num_threads, 3u);
  EXPECT_EQ(after.max_threads, before.max_threads);
  EXPECT_EQ(after.priority, SPECINFER_PRIORITY_LOW);
  EXPECT_EQ(after.duty_cycle, 0.5f);
}

TEST(CApiEngineSettings, RefuseWhatIsNoSetting) {
  const EngineOwner engine = EngineOfThreads(2);
  const uint32_t max_threads = GetEngineStatistics(engine).max_threads;

  EXPECT_FAILS(specinfer_engine_set_num_threads(engine.get(), 0), kInvalid,
               "num_threads is 0");
  for (const uint32_t num_threads : {max_threads + 1, UINT32_MAX}) {
    EXPECT_FAILS(specinfer_engine_set_num_threads(engine.get(), num_threads),
                 kInvalid, "num_threads");
  }
  for (const int32_t priority : {-1, 4, INT32_MAX, INT32_MIN}) {
    EXPECT_FAILS(specinfer_engine_set_priority(engine.get(), priority),
                 kInvalid, "SPECINFER_PRIORITY_");
  }
  for (const float fraction :
       {0.0f, -1.0f, 0.009f, 1.001f, INFINITY, -INFINITY, NAN}) {
    EXPECT_FAILS(specinfer_engine_set_duty_cycle(engine.get(), fraction),
                 kInvalid, "fraction");
  }
  EXPECT_EQ(GetEngineStatistics(engine).num_threads, 2u);
  EXPECT_EQ(GetEngineStatistics(engine).duty_cycle, 1.0f);
}

TEST(CApiEngineSettings, RefuseNull) {
  EXPECT_FAILS(specinfer_engine_set_num_threads(nullptr, 1), kInvalid,
               "engine");
  EXPECT_FAILS(
      specinfer_engine_set_priority(nullptr, SPECINFER_PRIORITY_NORMAL),
      kInvalid, "engine");
  EXPECT_FAILS(specinfer_engine_set_duty_cycle(nullptr, 1.0f), kInvalid,
               "engine");
}

TEST(CApiEngineSettings, OfTheHostsThreadsAreTheHosts) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.run_tasks = [](void*, uint32_t num_tasks,
                        void (*task)(void* task_data, uint32_t index),
                        void* task_data) {
    for (uint32_t i = 0; i < num_tasks; ++i) task(task_data, i);
  };
  config.executor_workers = 2;
  const EngineOwner engine = CreateEngine(config);

  EXPECT_FAILS(specinfer_engine_set_num_threads(engine.get(), 1),
               SPECINFER_FAILED_PRECONDITION, "run_tasks");
  EXPECT_FAILS(
      specinfer_engine_set_priority(engine.get(), SPECINFER_PRIORITY_LOW),
      SPECINFER_FAILED_PRECONDITION, "run_tasks");
  EXPECT_OK(specinfer_engine_set_duty_cycle(engine.get(), 0.5f));
  const Answer expected = AnswerTo(LoadModel(CreateEngine()), kPrompt);
  EXPECT_EQ(AnswerTo(LoadModel(engine), kPrompt).tokens, expected.tokens);
}

TEST(CApiEngineSettings, ChangeNoTextWhileAnotherThreadChangesThemAll) {
  const EngineOwner engine = EngineOfThreads(4);
  const ModelOwner model = LoadModel(engine);
  const Answer expected = AnswerTo(model, kPrompt, 120);
  std::atomic<bool> is_stopping{false};
  std::thread changer([&] {
    uint32_t random = 12345;
    const auto next = [&](uint32_t limit) {
      random = random * 1664525 + 1013904223;
      return (random >> 16) % limit;
    };
    while (!is_stopping) {
      EXPECT_OK(specinfer_engine_set_num_threads(engine.get(), 1 + next(4)));
      EXPECT_OK(specinfer_engine_set_priority(
          engine.get(),
          next(2) == 0 ? SPECINFER_PRIORITY_LOW : SPECINFER_PRIORITY_NORMAL));
      EXPECT_OK(specinfer_engine_set_duty_cycle(
          engine.get(), 0.3f + 0.1f * static_cast<float>(next(8))));
      std::this_thread::sleep_for(std::chrono::microseconds(next(2000)));
    }
  });

  for (int i = 0; i < 10; ++i) {
    const Answer answer = AnswerTo(model, kPrompt, 120);
    EXPECT_EQ(answer.tokens, expected.tokens);
    EXPECT_EQ(answer.log_probabilities, expected.log_probabilities);
  }
  is_stopping = true;
  changer.join();
}

TEST(CApiEngineSettings, MayBeChangedInsideACallback) {
  const EngineOwner engine = EngineOfThreads(3);
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const specinfer_generation_config config = AnswerOf(12);

  ASSERT_OK(specinfer_session_generate(
      session.get(), &config,
      [](void* user_data, const specinfer_event* event) -> int32_t {
        auto* called = static_cast<specinfer_engine*>(user_data);
        EXPECT_OK(specinfer_engine_set_num_threads(
            called, 1 + static_cast<uint32_t>(event->num_tokens % 3)));
        EXPECT_OK(
            specinfer_engine_set_priority(called, SPECINFER_PRIORITY_NORMAL));
        EXPECT_OK(specinfer_engine_set_duty_cycle(called, 0.9f));
        return 0;
      },
      engine.get()));
}

// A pause that lasts far longer than the test waits: only the cancel ends it.
TEST(CApiEngineSettings, CancelEndsAPause) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model, 0);
  ASSERT_OK(SetPrompt(session, kPrompt));
  ASSERT_OK(specinfer_engine_set_duty_cycle(engine.get(), 0.01f));
  const specinfer_generation_config config = AnswerOf(0);
  std::atomic<bool> has_returned{false};
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    while (!has_returned) {
      specinfer_session_cancel(session.get());
      std::this_thread::yield();
    }
  });

  EXPECT_EQ(
      specinfer_session_generate(session.get(), &config, nullptr, nullptr),
      SPECINFER_CANCELLED);
  has_returned = true;
  canceller.join();
}

TEST(CApiEngineSettings, StepsThatMeetPausesGiveTheSameText) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const Answer expected = AnswerTo(model, kPrompt, 64);
  ASSERT_OK(specinfer_engine_set_duty_cycle(engine.get(), 0.01f));
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));
  specinfer_generation_config config = AnswerOf(64);
  config.temperature = 0.8f;
  config.want_log_probabilities = 1;

  ASSERT_OK(specinfer_session_start(session.get(), &config));
  Answer answer;
  specinfer_event event = SPECINFER_EVENT_INIT;
  do {
    ASSERT_OK(specinfer_session_step(session.get(), 200, &event));
    answer.Add(event);
  } while (event.state != SPECINFER_STEP_DONE);

  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(answer.log_probabilities, expected.log_probabilities);
}

}  // namespace
}  // namespace specinfer_test
