// What passes cost, how long they take, what the machine does at best: plain
// numbers, and a session that stays as it was.
#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

class CApiMeasure : public testing::Test {
 protected:
  specinfer_pass Plan(uint32_t num_context_tokens, uint32_t num_rows,
                      uint32_t num_answer_rows) {
    specinfer_pass pass = SPECINFER_PASS_INIT;
    EXPECT_OK(specinfer_session_plan_pass(session_.get(), num_context_tokens,
                                          num_rows, num_answer_rows, &pass));
    return pass;
  }
  specinfer_pass Measure(uint32_t num_rows, uint32_t num_answer_rows) {
    specinfer_pass pass = SPECINFER_PASS_INIT;
    EXPECT_OK(specinfer_session_measure_pass(session_.get(), num_rows,
                                             num_answer_rows, &pass));
    return pass;
  }

  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  SessionOwner session_ = CreateSession(model_);
};

// ---- The machine ----

TEST_F(CApiMeasure, RatesArePositiveAndFinite) {
  specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;

  ASSERT_OK(specinfer_model_measure(model_.get(), &rates));

  EXPECT_EQ(rates.num_threads, 2u);
  for (const double rate :
       {rates.read_bytes_per_second, rates.int8_products_per_second,
        rates.float_products_per_second}) {
    EXPECT_TRUE(std::isfinite(rate));
    EXPECT_GT(rate, 1e6);  // slower than any machine, even under valgrind
    EXPECT_LT(rate, 1e15);
  }
}

TEST_F(CApiMeasure, RatesOfEveryBackendArePositive) {
  for (const char* backend :
       {"cpu-reference", "cpu-avx2", "cpu-avx512", "cpu-amx", "cpu-neon"}) {
    specinfer_engine_config config = EngineConfig();
    config.backend = backend;
    specinfer_engine* engine = nullptr;
    const specinfer_status status = specinfer_engine_create(&config, &engine);
    if (status == SPECINFER_NOT_FOUND) continue;
    ASSERT_EQ(status, SPECINFER_OK) << specinfer_last_error();
    const EngineOwner owner(engine);
    const ModelOwner model = LoadModel(owner);
    specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;

    ASSERT_OK(specinfer_model_measure(model.get(), &rates));

    EXPECT_GT(rates.read_bytes_per_second, 0) << backend;
    EXPECT_GT(rates.int8_products_per_second, 0) << backend;
    EXPECT_GT(rates.float_products_per_second, 0) << backend;
  }
}

TEST_F(CApiMeasure, RatesRunOnTheHostsExecutor) {
  std::atomic<int> num_calls{0};
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.executor_workers = 3;
  config.executor_user_data = &num_calls;
  config.run_tasks = [](void* user_data, uint32_t num_tasks,
                        void (*task)(void*, uint32_t), void* task_data) {
    static_cast<std::atomic<int>*>(user_data)->fetch_add(1);
    for (uint32_t i = 0; i < num_tasks; ++i) task(task_data, i);
  };
  const EngineOwner engine = CreateEngine(config);
  const ModelOwner model = LoadModel(engine);
  specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;
  num_calls = 0;

  ASSERT_OK(specinfer_model_measure(model.get(), &rates));

  EXPECT_GT(num_calls.load(), 0);
  EXPECT_EQ(rates.num_threads, 3u);
  EXPECT_GT(rates.int8_products_per_second, 0);
}

TEST_F(CApiMeasure, MeasuringTheMachineRefusesNullAndSizes) {
  specinfer_machine_rates rates = SPECINFER_MACHINE_RATES_INIT;
  EXPECT_FAILS(specinfer_model_measure(nullptr, &rates), kInvalid, "model");
  EXPECT_FAILS(specinfer_model_measure(model_.get(), nullptr), kInvalid,
               "out_rates");
  rates.struct_size = 4;
  EXPECT_FAILS(specinfer_model_measure(model_.get(), &rates), kInvalid,
               "SPECINFER_MACHINE_RATES_INIT");
  EXPECT_EQ(rates.read_bytes_per_second, 0);
}

// ---- What a pass costs ----

TEST_F(CApiMeasure, PlannedPassSaysWhatWasAsked) {
  const specinfer_pass pass = Plan(100, 8, 3);

  EXPECT_EQ(pass.num_context_tokens, 100u);
  EXPECT_EQ(pass.num_rows, 8u);
  EXPECT_EQ(pass.num_answer_rows, 3u);
  EXPECT_EQ(pass.seconds, 0);
}

TEST_F(CApiMeasure, RowsMultiplyProductsAndNotTheReadingOfWeights) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(model_.get(), &properties));

  const specinfer_pass one = Plan(64, 1, 1);
  const specinfer_pass eight = Plan(64, 8, 8);

  const uint64_t one_products = one.int8_products + one.float_products;
  const uint64_t eight_products = eight.int8_products + eight.float_products;
  EXPECT_GE(eight_products, 8 * one_products);  // later rows see more
  EXPECT_LT(eight_products, 9 * one_products);
  EXPECT_LT(eight.read_bytes, 2 * one.read_bytes);
  EXPECT_GT(one.read_bytes, properties.weight_bytes / 2);
}

TEST_F(CApiMeasure, ContextCostsTheCachesBytes) {
  specinfer_model_memory memory = SPECINFER_MODEL_MEMORY_INIT;
  const std::string path = TinyModel();
  ASSERT_OK(specinfer_model_plan(engine_.get(), path.data(), path.size(), 256,
                                 &memory));

  const uint64_t num_bytes =
      Plan(200, 1, 1).read_bytes - Plan(100, 1, 1).read_bytes;

  EXPECT_EQ(num_bytes, 100 * memory.cache_bytes_per_token);
}

TEST_F(CApiMeasure, WithoutAnswersTheHeadIsNotRead) {
  EXPECT_LT(Plan(64, 8, 0).read_bytes, Plan(64, 8, 1).read_bytes);
}

TEST_F(CApiMeasure, PlanRefusesNullSizesAndShapes) {
  specinfer_pass pass = SPECINFER_PASS_INIT;
  specinfer_session* session = session_.get();
  EXPECT_FAILS(specinfer_session_plan_pass(nullptr, 0, 1, 1, &pass), kInvalid,
               "session");
  EXPECT_FAILS(specinfer_session_plan_pass(session, 0, 1, 1, nullptr), kInvalid,
               "out_pass");
  EXPECT_FAILS(specinfer_session_plan_pass(session, 0, 0, 0, &pass), kInvalid,
               "num_rows");
  EXPECT_FAILS(specinfer_session_plan_pass(session, 0, UINT32_MAX, 1, &pass),
               kInvalid, "num_rows");
  EXPECT_FAILS(specinfer_session_plan_pass(session, UINT32_MAX, 1, 1, &pass),
               kInvalid, "num_context_tokens");
  EXPECT_FAILS(specinfer_session_plan_pass(session, INT32_MAX, 1, 1, &pass),
               kInvalid, "num_context_tokens");
  EXPECT_FAILS(specinfer_session_plan_pass(session, 0, 2, 3, &pass), kInvalid,
               "num_answer_rows");
  EXPECT_EQ(pass.read_bytes, 0u);
  pass.struct_size = 8;
  EXPECT_FAILS(specinfer_session_plan_pass(session, 0, 1, 1, &pass), kInvalid,
               "SPECINFER_PASS_INIT");
}

// ---- How long a pass takes ----

TEST_F(CApiMeasure, MeasuredPassHasATimeAndItsCost) {
  ASSERT_OK(SetPrompt(session_, kPrompt));
  const size_t num_tokens = GetTokens(session_).size();

  const specinfer_pass pass = Measure(8, 8);

  EXPECT_EQ(pass.num_context_tokens, num_tokens - 1);
  EXPECT_GT(pass.seconds, 0);
  EXPECT_LT(pass.seconds, 60);
  const specinfer_pass planned = Plan(pass.num_context_tokens, 8, 8);
  EXPECT_EQ(pass.read_bytes, planned.read_bytes);
  EXPECT_EQ(pass.int8_products, planned.int8_products);
  EXPECT_EQ(pass.float_products, planned.float_products);
}

TEST_F(CApiMeasure, AnEmptySessionCanBeMeasured) {
  const specinfer_pass pass = Measure(4, 4);

  EXPECT_EQ(pass.num_context_tokens, 0u);
  EXPECT_GT(pass.seconds, 0);
  EXPECT_TRUE(GetTokens(session_).empty());
}

TEST_F(CApiMeasure, RowsReachBeyondAFullContext) {
  const SessionOwner session = CreateSession(model_, 64);
  const Tokens content(64, 5);
  ASSERT_OK(specinfer_session_append_tokens(session.get(), content.data(),
                                            content.size()));
  specinfer_pass pass = SPECINFER_PASS_INIT;

  ASSERT_OK(specinfer_session_measure_pass(session.get(), 64, 64, &pass));

  EXPECT_EQ(pass.num_context_tokens, 63u);
}

TEST_F(CApiMeasure, TextIsTheSameWithMeasurementsInBetween) {
  ASSERT_OK(SetPrompt(session_, kPrompt));
  const Answer expected = Generate(session_);
  const SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const specinfer_generation_config config = AnswerOf(24);
  ASSERT_OK(specinfer_session_start(session.get(), &config));

  Answer answer;
  while (answer.num_done == 0) {
    specinfer_pass pass = SPECINFER_PASS_INIT;
    ASSERT_OK(specinfer_session_measure_pass(session.get(), 16, 3, &pass));
    specinfer_event event = SPECINFER_EVENT_INIT;
    // Stops in the middle of passes, which the measurement then abandons; the
    // second call finishes a round.
    ASSERT_OK(specinfer_session_step(session.get(), 1, &event));
    answer.Add(event);
    if (event.state == SPECINFER_STEP_DONE) break;
    ASSERT_OK(specinfer_session_step(session.get(), 0, &event));
    answer.Add(event);
  }

  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(GetTokens(session), GetTokens(session_));
}

TEST_F(CApiMeasure, AWindowKeepsItsKeys) {
  const ModelOwner model = LoadModel(engine_, TinyModel("tiny-gemma3.gguf"));
  const SessionOwner session = CreateSession(model);
  const SessionOwner untouched = CreateSession(model);
  Tokens content;
  for (specinfer_token i = 0; i < 200; ++i) content.push_back(5 + i % 100);
  for (const SessionOwner* each : {&session, &untouched}) {
    ASSERT_OK(specinfer_session_append_tokens(each->get(), content.data(),
                                              content.size()));
  }
  for (int i = 0; i < 3; ++i) {
    specinfer_pass pass = SPECINFER_PASS_INIT;
    ASSERT_OK(specinfer_session_measure_pass(session.get(), 128, 128, &pass));
  }
  const uint64_t num_prefilled = Statistics(session).num_prefilled_tokens;

  EXPECT_EQ(num_prefilled, content.size() - 1);  // once, not each time
  EXPECT_EQ(Generate(session).tokens, Generate(untouched).tokens);
}

TEST_F(CApiMeasure, MeasureRefusesNullSizesAndShapes) {
  specinfer_pass pass = SPECINFER_PASS_INIT;
  specinfer_session* session = session_.get();
  EXPECT_FAILS(specinfer_session_measure_pass(nullptr, 1, 1, &pass), kInvalid,
               "session");
  EXPECT_FAILS(specinfer_session_measure_pass(session, 1, 1, nullptr), kInvalid,
               "out_pass");
  EXPECT_FAILS(specinfer_session_measure_pass(session, 0, 0, &pass), kInvalid,
               "num_rows");
  EXPECT_FAILS(specinfer_session_measure_pass(session, 513, 1, &pass), kInvalid,
               "num_rows");
  EXPECT_FAILS(specinfer_session_measure_pass(session, UINT32_MAX, 1, &pass),
               kInvalid, "num_rows");
  EXPECT_FAILS(specinfer_session_measure_pass(session, 2, 3, &pass), kInvalid,
               "num_answer_rows");
  EXPECT_EQ(pass.num_rows, 0u);
  pass.struct_size = 8;
  EXPECT_FAILS(specinfer_session_measure_pass(session, 1, 1, &pass), kInvalid,
               "SPECINFER_PASS_INIT");
}

TEST_F(CApiMeasure, CancelEndsAMeasurementAndNothingElse) {
  ASSERT_OK(SetPrompt(session_, kPrompt));
  const Tokens content = GetTokens(session_);
  std::atomic<bool> is_stopping{false};
  std::thread canceller([&] {
    while (!is_stopping) {
      specinfer_session_cancel(session_.get());
      std::this_thread::yield();
    }
  });

  bool was_cancelled = false;
  for (int i = 0; i < 100000 && !was_cancelled; ++i) {
    specinfer_pass pass = SPECINFER_PASS_INIT;
    const specinfer_status status =
        specinfer_session_measure_pass(session_.get(), 128, 128, &pass);
    was_cancelled = status == SPECINFER_CANCELLED;
    if (was_cancelled) {
      EXPECT_EQ(pass.num_rows, 0u);  // untouched on failure
    } else {
      ASSERT_EQ(status, SPECINFER_OK) << specinfer_last_error();
    }
  }
  is_stopping = true;
  canceller.join();

  EXPECT_TRUE(was_cancelled);
  EXPECT_EQ(GetTokens(session_), content);
  const SessionOwner untouched = CreateSession(model_);
  ASSERT_OK(SetPrompt(untouched, kPrompt));
  EXPECT_EQ(Generate(session_).tokens, Generate(untouched).tokens);
}

}  // namespace
}  // namespace specinfer_test
