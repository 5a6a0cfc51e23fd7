// Owners that go in any order, and what may happen inside callbacks.
#include <algorithm>
#include <atomic>
#include <functional>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

using OnEvent = std::function<int32_t(const specinfer_event& event)>;

specinfer_status GenerateWith(specinfer_session* session, uint32_t max_tokens,
                              const OnEvent& on_event) {
  const specinfer_generation_config config = AnswerOf(max_tokens);
  return specinfer_session_generate(
      session, &config,
      [](void* user_data, const specinfer_event* event) {
        return (*static_cast<const OnEvent*>(user_data))(*event);
      },
      const_cast<OnEvent*>(&on_event));
}

class CApiLifetime : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(SetPrompt(session_, kPrompt)); }
  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  SessionOwner session_ = CreateSession(model_);
};

TEST_F(CApiLifetime, SessionOutlivesModelAndEngine) {
  const Answer expected = Generate(session_, AnswerOf(8));
  ASSERT_OK(SetPrompt(session_, kPrompt));

  engine_.reset();
  model_.reset();

  EXPECT_EQ(Generate(session_, AnswerOf(8)).tokens, expected.tokens);
}

TEST_F(CApiLifetime, ModelOutlivesEngine) {
  engine_.reset();

  const SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  EXPECT_OK(Generate(session, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, ForkOutlivesTheOriginal) {
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session_.get(), &copy));
  const SessionOwner fork(copy);
  const Answer expected = Generate(session_, AnswerOf(8));

  session_.reset();
  model_.reset();
  engine_.reset();

  EXPECT_EQ(Generate(fork, AnswerOf(8)).tokens, expected.tokens);
}

TEST_F(CApiLifetime, SessionDestroyedInTheMiddleOfAnAnswer) {
  const specinfer_generation_config config = AnswerOf(64);
  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  specinfer_event event = SPECINFER_EVENT_INIT;
  ASSERT_OK(specinfer_session_step(session_.get(), 1, &event));

  session_.reset();
}

TEST_F(CApiLifetime, CallbackEndsTheAnswer) {
  int num_events_with_tokens = 0;
  int num_done = 0;
  int32_t finish = -1;

  EXPECT_OK(GenerateWith(session_.get(), 64, [&](const specinfer_event& event) {
    if (event.state == SPECINFER_STEP_DONE) {
      ++num_done;
      finish = event.finish;
    }
    if (event.num_tokens == 0) return 0;
    return ++num_events_with_tokens == 3 ? 1 : 0;
  }));

  EXPECT_EQ(num_events_with_tokens, 3);
  EXPECT_EQ(num_done, 1);
  EXPECT_EQ(finish, SPECINFER_FINISH_CALLBACK);
  EXPECT_OK(Generate(session_, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, ConstCallsAreLegalInsideACallback) {
  int num_calls = 0;

  EXPECT_OK(GenerateWith(session_.get(), 4, [&](const specinfer_event&) {
    size_t length = 0;
    specinfer_token token = 0;
    specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
    EXPECT_EQ(specinfer_version(), uint32_t{SPECINFER_VERSION});
    EXPECT_NE(specinfer_status_name(0), nullptr);
    EXPECT_NE(specinfer_last_error(), nullptr);
    EXPECT_OK(specinfer_model_get_properties(model_.get(), &properties));
    EXPECT_OK(specinfer_model_tokenize(model_.get(), "abc", 3, 0, nullptr, 0,
                                       &length));
    EXPECT_OK(specinfer_model_detokenize(model_.get(), &token, 1, 0, nullptr, 0,
                                         &length));
    EXPECT_OK(specinfer_model_get_metadata(model_.get(), "general.architecture",
                                           20, nullptr, 0, &length));
    EXPECT_OK(specinfer_model_render_chat(model_.get(), "[]", 2, nullptr, 0, 0,
                                          nullptr, 0, &length));
    ++num_calls;
    return 0;
  }));

  EXPECT_GT(num_calls, 0);
}

TEST_F(CApiLifetime, CallsOnTheCallingSessionAreRefused) {
  int num_calls = 0;

  EXPECT_OK(GenerateWith(session_.get(), 4, [&](const specinfer_event&) {
    specinfer_session* session = session_.get();
    specinfer_event event = SPECINFER_EVENT_INIT;
    specinfer_session* copy = nullptr;
    size_t length = 0;
    EXPECT_FAILS(specinfer_session_append_text(session, "a", 1, 0),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_step(session, 0, &event),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_start(session, nullptr),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_fork(session, &copy),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_truncate(session, 0),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_get_tokens(session, nullptr, 0, &length),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    EXPECT_FAILS(specinfer_session_generate(session, nullptr, nullptr, nullptr),
                 SPECINFER_FAILED_PRECONDITION, "in use");
    ++num_calls;
    return 0;
  }));

  EXPECT_GT(num_calls, 0);
  EXPECT_OK(Generate(session_, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, OtherSessionsMayBeUsedInsideACallback) {
  const SessionOwner other = CreateSession(model_);
  ASSERT_OK(SetPrompt(other, "Another text."));
  const SessionOwner reference = CreateSession(model_);
  ASSERT_OK(SetPrompt(reference, "Another text."));
  const Answer expected = Generate(reference, AnswerOf(6));
  Answer inner;

  EXPECT_OK(GenerateWith(session_.get(), 4, [&](const specinfer_event& event) {
    if (event.state == SPECINFER_STEP_DONE)
      inner = Generate(other, AnswerOf(6));
    return 0;
  }));

  EXPECT_EQ(inner.tokens, expected.tokens);
}

TEST_F(CApiLifetime, CancelInsideACallback) {
  int num_events = 0;

  EXPECT_EQ(GenerateWith(session_.get(), 64,
                         [&](const specinfer_event& event) {
                           if (event.num_tokens > 0 && ++num_events == 2)
                             specinfer_session_cancel(session_.get());
                           return 0;
                         }),
            SPECINFER_CANCELLED);

  EXPECT_EQ(num_events, 2);
  EXPECT_OK(Generate(session_, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, CancelBetweenStepsEndsTheAnswer) {
  const specinfer_generation_config config = AnswerOf(64);
  ASSERT_OK(specinfer_session_start(session_.get(), &config));
  specinfer_event event = SPECINFER_EVENT_INIT;
  ASSERT_OK(specinfer_session_step(session_.get(), 0, &event));

  specinfer_session_cancel(session_.get());

  EXPECT_EQ(specinfer_session_step(session_.get(), 0, &event),
            SPECINFER_CANCELLED);
  EXPECT_EQ(specinfer_session_step(session_.get(), 0, &event),
            SPECINFER_FAILED_PRECONDITION);
  EXPECT_OK(Generate(session_, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, CancelWithoutAnAnswerDoesNothing) {
  const SessionOwner reference = CreateSession(model_);
  ASSERT_OK(SetPrompt(reference, kPrompt));

  specinfer_session_cancel(session_.get());

  EXPECT_EQ(Generate(session_, AnswerOf(8)).tokens,
            Generate(reference, AnswerOf(8)).tokens);
}

TEST_F(CApiLifetime, ACancelledPrefillIsNotLost) {
  const SessionOwner session = CreateSession(model_);
  const Tokens prompt(200, 5);
  ASSERT_OK(specinfer_session_append_tokens(session.get(), prompt.data(),
                                            prompt.size()));
  const specinfer_generation_config config = AnswerOf(4);
  ASSERT_OK(specinfer_session_start(session.get(), &config));
  specinfer_event event = SPECINFER_EVENT_INIT;
  ASSERT_OK(specinfer_session_step(session.get(), 0, &event));
  specinfer_session_cancel(session.get());
  ASSERT_EQ(specinfer_session_step(session.get(), 0, &event),
            SPECINFER_CANCELLED);

  EXPECT_GT(Statistics(session).num_cached_tokens, 0u);
  EXPECT_EQ(GetTokens(session), prompt);
  EXPECT_OK(Generate(session, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, SessionDestroyedByItsOwnCallback) {
  specinfer_session* session = session_.release();
  int num_events = 0;

  EXPECT_EQ(GenerateWith(session, 64,
                         [&](const specinfer_event&) {
                           if (++num_events == 2)
                             specinfer_session_destroy(session);
                           return 0;
                         }),
            SPECINFER_CANCELLED);

  EXPECT_EQ(num_events, 2);
}

TEST_F(CApiLifetime, SessionDestroyedByItsWriteCallback) {
  Generate(session_, AnswerOf(4));
  specinfer_session* session = session_.release();

  EXPECT_NE(specinfer_session_save(
                session,
                [](void* user_data, const void*, size_t) -> int32_t {
                  auto** handle = static_cast<specinfer_session**>(user_data);
                  specinfer_session_destroy(*handle);
                  return 1;
                },
                &session),
            SPECINFER_OK);
}

TEST_F(CApiLifetime, WriteCallbackStopsSaving) {
  EXPECT_EQ(
      specinfer_session_save(
          session_.get(),
          [](void*, const void*, size_t) -> int32_t { return 1; }, nullptr),
      SPECINFER_CANCELLED);
  EXPECT_OK(Generate(session_, AnswerOf(4)).status);
}

TEST_F(CApiLifetime, CallsInsideAWriteCallbackAreRefused) {
  EXPECT_OK(specinfer_session_save(
      session_.get(),
      [](void* user_data, const void*, size_t) -> int32_t {
        EXPECT_EQ(specinfer_session_truncate(
                      static_cast<specinfer_session*>(user_data), 0),
                  SPECINFER_FAILED_PRECONDITION);
        return 0;
      },
      session_.get()));
}

TEST(CApiProgress, NonZeroCancelsLoading) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress = [](void*, float) -> int32_t { return 1; };
  specinfer_model* model = nullptr;

  EXPECT_EQ(specinfer_model_load(engine.get(), path.data(), path.size(),
                                 &config, &model),
            SPECINFER_CANCELLED);
  EXPECT_EQ(model, nullptr);
}

TEST(CApiProgress, RisesFromZeroToOne) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  std::vector<float> fractions;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress_user_data = &fractions;
  config.progress = [](void* user_data, float fraction) -> int32_t {
    static_cast<std::vector<float>*>(user_data)->push_back(fraction);
    return 0;
  };
  specinfer_model* model = nullptr;

  ASSERT_OK(specinfer_model_load(engine.get(), path.data(), path.size(),
                                 &config, &model));

  const ModelOwner owner(model);
  ASSERT_FALSE(fractions.empty());
  EXPECT_GE(fractions.front(), 0.0f);
  EXPECT_EQ(fractions.back(), 1.0f);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
}

TEST(CApiLoad, HandsTheModelOverOnce) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine.get(), path.data(), path.size(),
                                 nullptr, &load));
  const LoadOwner owner(load);
  specinfer_model* model = nullptr;
  float fraction = -1.0f;

  ASSERT_OK(specinfer_load_wait(load, UINT64_MAX, &fraction, &model));
  const ModelOwner loaded(model);
  EXPECT_EQ(fraction, 1.0f);
  specinfer_model* again = nullptr;
  EXPECT_EQ(specinfer_load_wait(load, 0, nullptr, &again),
            SPECINFER_FAILED_PRECONDITION);

  EXPECT_EQ(again, nullptr);
  const SessionOwner session = CreateSession(loaded);
  ASSERT_OK(SetPrompt(session, kPrompt));
  EXPECT_OK(Generate(session, AnswerOf(4)).status);
}

TEST(CApiLoad, TellsTheWaiterWhyItFailed) {
  const EngineOwner engine = CreateEngine();
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine.get(), "/nowhere/x.gguf", 15, nullptr,
                                 &load));
  const LoadOwner owner(load);
  specinfer_model* model = nullptr;

  EXPECT_FAILS(specinfer_load_wait(load, UINT64_MAX, nullptr, &model),
               SPECINFER_NOT_FOUND, "/nowhere/x.gguf");
  EXPECT_FAILS(specinfer_load_wait(load, 0, nullptr, &model),
               SPECINFER_NOT_FOUND, "/nowhere/x.gguf");

  EXPECT_EQ(model, nullptr);
}

// Holds a load at its first progress until told to go on.
struct Gate {
  std::atomic<bool> is_reached{false};
  std::atomic<bool> is_open{false};

  static int32_t Progress(void* user_data, float) {
    auto* gate = static_cast<Gate*>(user_data);
    gate->is_reached = true;
    while (!gate->is_open) {
    }
    return 0;
  }
};

TEST(CApiLoad, LooksWithoutWaiting) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  Gate gate;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress = &Gate::Progress;
  config.progress_user_data = &gate;
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine.get(), path.data(), path.size(),
                                 &config, &load));
  const LoadOwner owner(load);
  specinfer_model* model = nullptr;
  float fraction = -1.0f;

  EXPECT_EQ(specinfer_load_wait(load, 0, &fraction, &model),
            SPECINFER_DEADLINE_EXCEEDED);
  EXPECT_EQ(specinfer_load_wait(load, 1000, &fraction, &model),
            SPECINFER_DEADLINE_EXCEEDED);
  EXPECT_GE(fraction, 0.0f);
  EXPECT_EQ(model, nullptr);
  gate.is_open = true;
  ASSERT_OK(specinfer_load_wait(load, UINT64_MAX, &fraction, &model));
  specinfer_model_destroy(model);
}

TEST(CApiLoad, CancelStopsIt) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  Gate gate;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.progress = &Gate::Progress;
  config.progress_user_data = &gate;
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine.get(), path.data(), path.size(),
                                 &config, &load));
  const LoadOwner owner(load);
  specinfer_model* model = nullptr;
  while (!gate.is_reached) {
  }

  specinfer_load_cancel(load);
  gate.is_open = true;

  EXPECT_EQ(specinfer_load_wait(load, UINT64_MAX, nullptr, &model),
            SPECINFER_CANCELLED);
  EXPECT_EQ(model, nullptr);
}

TEST(CApiLoad, DestroyedWhileLoading) {
  const EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  for (int i = 0; i < 20; ++i) {
    specinfer_load* load = nullptr;
    ASSERT_OK(specinfer_load_start(engine.get(), path.data(), path.size(),
                                   nullptr, &load));
    specinfer_load_destroy(load);
  }
}

TEST(CApiLoad, OutlivesItsEngineHandle) {
  EngineOwner engine = CreateEngine();
  const std::string path = TinyModel();
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine.get(), path.data(), path.size(),
                                 nullptr, &load));
  LoadOwner owner(load);
  engine.reset();
  specinfer_model* model = nullptr;

  ASSERT_OK(specinfer_load_wait(load, UINT64_MAX, nullptr, &model));
  owner.reset();

  specinfer_model_destroy(model);
}

}  // namespace
}  // namespace specinfer_test
