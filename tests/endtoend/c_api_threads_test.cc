// Several threads, several engines, the host's executor, and the host's
// floating-point settings.
#include <atomic>
#include <thread>

#include "gtest/gtest.h"

#include "tests/base/float_mode.h"
#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

Answer AnswerTo(const ModelOwner& model, std::string_view prompt) {
  const SessionOwner session = CreateSession(model);
  EXPECT_OK(SetPrompt(session, prompt));
  specinfer_generation_config config = AnswerOf(48);
  config.temperature = 0.8f;
  config.want_log_probabilities = 1;
  return Generate(session, config);
}

TEST(CApiThreads, TwoSessionsOnOneModel) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const Answer first = AnswerTo(model, kPrompt);
  const Answer second = AnswerTo(model, "Quite another text.");
  Answer first_again, second_again;

  std::thread one([&] { first_again = AnswerTo(model, kPrompt); });
  std::thread two(
      [&] { second_again = AnswerTo(model, "Quite another text."); });
  one.join();
  two.join();

  EXPECT_EQ(first_again.tokens, first.tokens);
  EXPECT_EQ(second_again.tokens, second.tokens);
  EXPECT_EQ(first_again.log_probabilities, first.log_probabilities);
}

TEST(CApiThreads, TwoEnginesInOneProcess) {
  const EngineOwner engine = CreateEngine();
  specinfer_engine_config config = EngineConfig();
  config.num_threads = 1;
  const EngineOwner other_engine = CreateEngine(config);
  const ModelOwner model = LoadModel(engine);
  const ModelOwner other_model = LoadModel(other_engine);
  Answer first, second;

  std::thread one([&] { first = AnswerTo(model, kPrompt); });
  std::thread two([&] { second = AnswerTo(other_model, kPrompt); });
  one.join();
  two.join();

  EXPECT_FALSE(first.tokens.empty());
  EXPECT_EQ(first.tokens, second.tokens);
  EXPECT_EQ(first.log_probabilities, second.log_probabilities);
}

TEST(CApiThreads, ASecondCallerIsRefused) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const specinfer_generation_config config = AnswerOf(4);

  ASSERT_OK(specinfer_session_generate(
      session.get(), &config,
      [](void* user_data, const specinfer_event*) -> int32_t {
        std::thread([user_data] {
          EXPECT_EQ(specinfer_session_append_text(
                        static_cast<specinfer_session*>(user_data), "a", 1, 0),
                    SPECINFER_FAILED_PRECONDITION);
        }).join();
        return 0;
      },
      session.get()));
}

TEST(CApiThreads, ErrorsBelongToTheirThread) {
  EXPECT_EQ(specinfer_engine_create(nullptr, nullptr),
            SPECINFER_INVALID_ARGUMENT);
  const std::string here = specinfer_last_error();

  std::thread([] {
    EXPECT_STREQ(specinfer_last_error(), "");
    EXPECT_EQ(specinfer_session_truncate(nullptr, 0),
              SPECINFER_INVALID_ARGUMENT);
  }).join();

  EXPECT_EQ(here, specinfer_last_error());
}

TEST(CApiThreads, CancelFromAnotherThread) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model, 0);
  ASSERT_OK(SetPrompt(session, kPrompt));
  std::atomic<bool> is_running{false};
  std::thread canceller([&] {
    while (!is_running) std::this_thread::yield();
    specinfer_session_cancel(session.get());
  });
  // Answers without an end, so that only the cancel can end them; the callback
  // holds the answer until it was sent.
  struct State {
    std::atomic<bool>* is_running;
    std::thread* canceller;
  } state{&is_running, &canceller};
  const specinfer_generation_config config = AnswerOf(0);

  const specinfer_status status = specinfer_session_generate(
      session.get(), &config,
      [](void* user_data, const specinfer_event*) -> int32_t {
        auto* shared = static_cast<State*>(user_data);
        *shared->is_running = true;
        if (shared->canceller->joinable()) shared->canceller->join();
        return 0;
      },
      &state);

  EXPECT_EQ(status, SPECINFER_CANCELLED);
}

TEST(CApiThreads, CancelAtAnyMomentLeavesTheSessionUsable) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const SessionOwner session = CreateSession(model, 256);
  std::atomic<bool> is_stopping{false};
  std::thread canceller([&] {
    while (!is_stopping) {
      specinfer_session_cancel(session.get());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(SetPrompt(session, kPrompt));
    const specinfer_generation_config config = AnswerOf(16);
    const specinfer_status status =
        specinfer_session_generate(session.get(), &config, nullptr, nullptr);
    EXPECT_TRUE(status == SPECINFER_OK || status == SPECINFER_CANCELLED)
        << specinfer_last_error();
  }
  is_stopping = true;
  canceller.join();
  const SessionOwner reference = CreateSession(model, 256);
  ASSERT_OK(SetPrompt(reference, kPrompt));
  ASSERT_OK(SetPrompt(session, kPrompt));

  EXPECT_EQ(Generate(session, AnswerOf(16)).tokens,
            Generate(reference, AnswerOf(16)).tokens);
}

using Task = void (*)(void* task_data, uint32_t index);

void RunInOrder(void* user_data, uint32_t num_tasks, Task task,
                void* task_data) {
  ++*static_cast<int*>(user_data);
  for (uint32_t i = 0; i < num_tasks; ++i) task(task_data, i);
}

void RunBackwardsOnThreads(void* user_data, uint32_t num_tasks, Task task,
                           void* task_data) {
  ++*static_cast<int*>(user_data);
  std::thread half([=] {
    for (uint32_t i = num_tasks; i > num_tasks / 2; --i) task(task_data, i - 1);
  });
  for (uint32_t i = num_tasks / 2; i > 0; --i) task(task_data, i - 1);
  half.join();
}

void RunNothing(void* user_data, uint32_t, Task, void*) {
  ++*static_cast<int*>(user_data);
}

void RunTooMuch(void* user_data, uint32_t num_tasks, Task task,
                void* task_data) {
  ++*static_cast<int*>(user_data);
  for (uint32_t i = 0; i < 2 * num_tasks; ++i) task(task_data, 7);
}

struct HostExecutor {
  const char* name;
  void (*run_tasks)(void* user_data, uint32_t num_tasks, Task task,
                    void* task_data);
  uint32_t num_workers;
};

void PrintTo(const HostExecutor& executor, std::ostream* out) {
  *out << executor.name;
}

class CApiExecutor : public testing::TestWithParam<HostExecutor> {};

TEST_P(CApiExecutor, GivesTheSameText) {
  const Answer expected = AnswerTo(LoadModel(CreateEngine()), kPrompt);
  int num_loops = 0;
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.run_tasks = GetParam().run_tasks;
  config.executor_user_data = &num_loops;
  config.executor_workers = GetParam().num_workers;
  const EngineOwner engine = CreateEngine(config);

  const Answer answer = AnswerTo(LoadModel(engine), kPrompt);

  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(answer.log_probabilities, expected.log_probabilities);
  if (GetParam().num_workers > 1) {
    EXPECT_GT(num_loops, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, CApiExecutor,
    testing::Values(HostExecutor{"OneWorker", &RunInOrder, 1},
                    HostExecutor{"InOrder", &RunInOrder, 4},
                    HostExecutor{"Backwards", &RunBackwardsOnThreads, 2},
                    HostExecutor{"Nothing", &RunNothing, 3},
                    HostExecutor{"TooMuch", &RunTooMuch, 3}),
    [](const auto& test) { return std::string(test.param.name); });

// As a game may have set it.
constexpr uint64_t kHostFloatMode =
    specinfer::testing::kFlushDenormals | specinfer::testing::kRoundTowardZero;

TEST(CApiFloat, HostSettingsChangeNothingAndStay) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const Answer expected = AnswerTo(model, kPrompt);
  Answer answer;
  uint64_t before = 0, after = 0;

  std::thread([&] {
    const specinfer::testing::ScopedFloatMode host(kHostFloatMode);
    before = specinfer::testing::FloatMode();
    const EngineOwner own_engine = CreateEngine();
    answer = AnswerTo(LoadModel(own_engine), kPrompt);
    after = specinfer::testing::FloatMode();
  }).join();

  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(answer.log_probabilities, expected.log_probabilities);
  EXPECT_EQ(after, before);
}

TEST(CApiFloat, HostWorkersWithTheirOwnSettingsChangeNothing) {
  const Answer expected = AnswerTo(LoadModel(CreateEngine()), kPrompt);
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.run_tasks = [](void*, uint32_t num_tasks, Task task, void* task_data) {
    std::thread([=] {
      const specinfer::testing::ScopedFloatMode host(kHostFloatMode);
      for (uint32_t i = 0; i < num_tasks; ++i) task(task_data, i);
    }).join();
  };
  config.executor_workers = 2;
  const EngineOwner engine = CreateEngine(config);

  const Answer answer = AnswerTo(LoadModel(engine), kPrompt);

  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(answer.log_probabilities, expected.log_probabilities);
}

TEST(CApiThreads, ManyThreadsReadOneModel) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        size_t length = 0;
        specinfer_token buffer[128];
        specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
        specinfer_engine_statistics statistics =
            SPECINFER_ENGINE_STATISTICS_INIT;
        EXPECT_OK(specinfer_model_tokenize(model.get(), kPrompt.data(),
                                           kPrompt.size(), 0, buffer, 128,
                                           &length));
        EXPECT_OK(specinfer_model_get_properties(model.get(), &properties));
        EXPECT_OK(specinfer_engine_get_statistics(engine.get(), &statistics));
        EXPECT_OK(specinfer_model_render_chat(model.get(), "[]", 2, nullptr, 0,
                                              0, nullptr, 0, &length));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace specinfer_test
