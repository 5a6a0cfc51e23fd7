// Round callbacks, and cancels in the middle of speculative rounds.
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

using CApiRoundCallback = DraftedTest;

TEST_F(CApiRoundCallback, TheSessionIsBusyInsideARoundCallback) {
  const SessionOwner session = Prompted();
  ASSERT_OK(specinfer_session_set_round_callback(
      session.get(),
      [](void* user_data, const specinfer_round*) {
        auto* busy = static_cast<specinfer_session*>(user_data);
        specinfer_speculation_statistics statistics =
            SPECINFER_SPECULATION_STATISTICS_INIT;
        EXPECT_EQ(
            specinfer_session_get_speculation_statistics(busy, &statistics),
            SPECINFER_FAILED_PRECONDITION);
        EXPECT_EQ(specinfer_session_set_round_callback(busy, nullptr, nullptr),
                  SPECINFER_FAILED_PRECONDITION);
        EXPECT_EQ(specinfer_session_set_corpus(busy, nullptr, 0),
                  SPECINFER_FAILED_PRECONDITION);
      },
      session.get()));

  EXPECT_EQ(Generate(session, Drafted(8)).tokens.size(), 8u);
}

// Destroys the session in the second round.
struct Destroyer {
  static void OnRound(void* user_data, const specinfer_round*) {
    auto* self = static_cast<Destroyer*>(user_data);
    if (++self->num_rounds == 2) self->session.reset();
  }
  SessionOwner session;
  int num_rounds = 0;
};

TEST_F(CApiRoundCallback, GenerateEndsWhenARoundDestroysTheSession) {
  Destroyer destroyer{Prompted()};
  specinfer_session* session = destroyer.session.get();
  ASSERT_OK(specinfer_session_set_round_callback(session, Destroyer::OnRound,
                                                 &destroyer));
  const specinfer_generation_config config = Drafted(64);

  EXPECT_FAILS(specinfer_session_generate(session, &config, nullptr, nullptr),
               SPECINFER_CANCELLED, "destroyed");

  EXPECT_EQ(destroyer.num_rounds, 2);
}

// An event would point into what is gone.
TEST_F(CApiRoundCallback, StepGivesNoEventWhenARoundDestroysTheSession) {
  Destroyer destroyer{Prompted()};
  specinfer_session* session = destroyer.session.get();
  ASSERT_OK(specinfer_session_set_round_callback(session, Destroyer::OnRound,
                                                 &destroyer));
  const specinfer_generation_config config = Drafted(64);
  ASSERT_OK(specinfer_session_start(session, &config));
  specinfer_event event = SPECINFER_EVENT_INIT;
  specinfer_status status = SPECINFER_OK;
  while (status == SPECINFER_OK && destroyer.num_rounds < 2) {
    event = SPECINFER_EVENT_INIT;
    status = specinfer_session_step(session, 0, &event);
  }

  EXPECT_EQ(status, SPECINFER_CANCELLED);
  EXPECT_EQ(event.num_tokens, 0u);
  EXPECT_EQ(event.text_length, 0u);
}

TEST_F(CApiRoundCallback, CancelInARoundCallbackEndsTheAnswerThere) {
  struct Canceller {
    specinfer_session* session;
    int num_rounds;
  };
  const SessionOwner session = Prompted();
  Canceller canceller = {session.get(), 0};
  ASSERT_OK(specinfer_session_set_round_callback(
      session.get(),
      [](void* user_data, const specinfer_round*) {
        auto* self = static_cast<Canceller*>(user_data);
        if (++self->num_rounds == 2)
          std::thread([self] {
            specinfer_session_cancel(self->session);
          }).join();
      },
      &canceller));
  const specinfer_generation_config config = Drafted(150);

  EXPECT_EQ(
      specinfer_session_generate(session.get(), &config, nullptr, nullptr),
      SPECINFER_CANCELLED);

  EXPECT_EQ(canceller.num_rounds, 2);
}

// Another thread cancels while the work of a draft or of a check goes on.
TEST(CApiSpeculationCancel, IsHeardWithinARound) {
  struct Host {
    specinfer_session* session = nullptr;
    int num_rounds = 0;
    int num_loops_left = -1;  // until the cancel, once there were two rounds
    int num_rounds_at_cancel = -1;
  };
  for (const int num_loops : {0, 1, 2, 5, 9, 14, 20}) {
    SCOPED_TRACE(num_loops);
    Host host;
    specinfer_engine_config config = EngineConfig();
    config.executor_user_data = &host;
    config.executor_workers = 2;
    config.run_tasks = [](void* user_data, uint32_t num_tasks,
                          void (*task)(void*, uint32_t), void* task_data) {
      auto* self = static_cast<Host*>(user_data);
      if (self->num_rounds >= 2 && self->num_loops_left-- == 0) {
        self->num_rounds_at_cancel = self->num_rounds;
        std::thread([self] { specinfer_session_cancel(self->session); }).join();
      }
      for (uint32_t i = 0; i < num_tasks; ++i) task(task_data, i);
    };
    const EngineOwner engine = CreateEngine(config);
    const ModelOwner model = LoadModel(engine);
    const SessionOwner session = CreateDraftedSession(model, model);
    ASSERT_OK(SetPrompt(session, kPrompt));
    host.session = session.get();
    host.num_loops_left = num_loops;
    ASSERT_OK(specinfer_session_set_round_callback(
        session.get(),
        [](void* user_data, const specinfer_round*) {
          ++static_cast<Host*>(user_data)->num_rounds;
        },
        &host));
    const specinfer_generation_config answer = Drafted(150);

    EXPECT_EQ(
        specinfer_session_generate(session.get(), &answer, nullptr, nullptr),
        SPECINFER_CANCELLED);

    ASSERT_GE(host.num_rounds_at_cancel, 2);
    EXPECT_LE(host.num_rounds, host.num_rounds_at_cancel + 1);
    EXPECT_OK(Generate(session, Drafted(4)).status);
  }
}

}  // namespace
}  // namespace specinfer_test
