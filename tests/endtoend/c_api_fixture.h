// Owners and shorthands for tests that see the library only through
// its public C headers.
#ifndef SPECINFER_TESTS_ENDTOEND_C_API_FIXTURE_H_
#define SPECINFER_TESTS_ENDTOEND_C_API_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

#include "include/specinfer.h"
#include "include/specinfer/speculation.h"

// The call returns `code` and leaves a text with `part` in it.
#define EXPECT_FAILS(call, code, part)                        \
  do {                                                        \
    EXPECT_EQ((call), (code)) << specinfer_last_error();      \
    EXPECT_NE(std::string(specinfer_last_error()).find(part), \
              std::string::npos)                              \
        << specinfer_last_error();                            \
  } while (false)

#define EXPECT_OK(call) \
  EXPECT_EQ((call), SPECINFER_OK) << specinfer_last_error()
#define ASSERT_OK(call) \
  ASSERT_EQ((call), SPECINFER_OK) << specinfer_last_error()

namespace specinfer_test {

struct Destroy {
  void operator()(specinfer_engine* engine) const {
    specinfer_engine_destroy(engine);
  }
  void operator()(specinfer_model* model) const {
    specinfer_model_destroy(model);
  }
  void operator()(specinfer_load* load) const { specinfer_load_destroy(load); }
  void operator()(specinfer_session* session) const {
    specinfer_session_destroy(session);
  }
  void operator()(specinfer_corpus* corpus) const {
    specinfer_corpus_destroy(corpus);
  }
};
using EngineOwner = std::unique_ptr<specinfer_engine, Destroy>;
using ModelOwner = std::unique_ptr<specinfer_model, Destroy>;
using LoadOwner = std::unique_ptr<specinfer_load, Destroy>;
using SessionOwner = std::unique_ptr<specinfer_session, Destroy>;
using CorpusOwner = std::unique_ptr<specinfer_corpus, Destroy>;
using Tokens = std::vector<specinfer_token>;

inline std::string TinyModel(std::string_view name = "tiny-llama.gguf") {
  return std::string(SPECINFER_TESTDATA "/").append(name);
}

inline specinfer_engine_config EngineConfig() {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.num_threads = 2;
  return config;
}

// A config whose answer has exactly `max_tokens` tokens.
inline specinfer_generation_config AnswerOf(uint32_t max_tokens) {
  specinfer_generation_config config = SPECINFER_GENERATION_CONFIG_INIT;
  config.max_tokens = max_tokens;
  config.ignore_end = 1;
  return config;
}

inline EngineOwner CreateEngine(
    const specinfer_engine_config& config = EngineConfig()) {
  specinfer_engine* engine = nullptr;
  EXPECT_OK(specinfer_engine_create(&config, &engine));
  return EngineOwner(engine);
}

inline ModelOwner LoadModel(const EngineOwner& engine,
                            const std::string& path = TinyModel()) {
  specinfer_model* model = nullptr;
  EXPECT_OK(specinfer_model_load(engine.get(), path.data(), path.size(),
                                 nullptr, &model));
  return ModelOwner(model);
}

inline SessionOwner CreateSession(const ModelOwner& model,
                                  uint32_t max_context_tokens = 256,
                                  int32_t overflow = SPECINFER_OVERFLOW_ERROR,
                                  int32_t cache_type = SPECINFER_CACHE_F16) {
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.max_context_tokens = max_context_tokens;
  config.overflow = overflow;
  config.cache_type = cache_type;
  specinfer_session* session = nullptr;
  EXPECT_OK(specinfer_session_create(model.get(), &config, &session));
  return SessionOwner(session);
}

inline SessionOwner CreateDraftedSession(const ModelOwner& model,
                                         const ModelOwner& draft_model,
                                         uint32_t max_tree_nodes = 0) {
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.max_context_tokens = 256;
  config.max_tree_nodes = max_tree_nodes;
  config.draft_model = draft_model.get();
  specinfer_session* session = nullptr;
  EXPECT_OK(specinfer_session_create(model.get(), &config, &session));
  return SessionOwner(session);
}

inline specinfer_status SetPrompt(const SessionOwner& session,
                                  std::string_view text) {
  return specinfer_session_set_prompt(session.get(), text.data(), text.size(),
                                      SPECINFER_TEXT_ADD_BOS, nullptr);
}

inline specinfer_status AppendMessage(const SessionOwner& session,
                                      std::string_view role,
                                      std::string_view content) {
  return specinfer_session_append_message(
      session.get(), role.data(), role.size(), content.data(), content.size());
}

inline Tokens GetTokens(const SessionOwner& session) {
  size_t length = 0;
  EXPECT_OK(specinfer_session_get_tokens(session.get(), nullptr, 0, &length));
  Tokens tokens(length);
  EXPECT_OK(specinfer_session_get_tokens(session.get(), tokens.data(),
                                         tokens.size(), &length));
  return tokens;
}

// All events of an answer put together.
struct Answer {
  specinfer_status status = SPECINFER_OK;
  int32_t finish = SPECINFER_FINISH_NONE;
  int num_done = 0;
  std::string text;
  Tokens tokens;
  std::vector<float> log_probabilities;
  std::vector<std::vector<specinfer_alternative>> alternatives;

  void Add(const specinfer_event& event) {
    text.append(event.text_length > 0 ? event.text : "", event.text_length);
    for (size_t i = 0; i < event.num_tokens; ++i) {
      const auto* token = reinterpret_cast<const specinfer_generated_token*>(
          reinterpret_cast<const char*>(event.tokens) + i * event.token_size);
      tokens.push_back(token->token);
      log_probabilities.push_back(token->log_probability);
      alternatives.emplace_back(token->alternatives,
                                token->alternatives + token->num_alternatives);
    }
    if (event.state == SPECINFER_STEP_DONE) {
      ++num_done;
      finish = event.finish;
    }
  }
};

inline Answer Generate(
    const SessionOwner& session,
    const specinfer_generation_config& config = AnswerOf(24)) {
  Answer answer;
  answer.status = specinfer_session_generate(
      session.get(), &config,
      [](void* user_data, const specinfer_event* event) -> int32_t {
        static_cast<Answer*>(user_data)->Add(*event);
        return 0;
      },
      &answer);
  EXPECT_EQ(answer.status, SPECINFER_OK) << specinfer_last_error();
  return answer;
}

// Steps through an answer that has been started.
inline Answer StepUntilDone(const SessionOwner& session,
                            uint64_t max_microseconds) {
  Answer answer;
  while (answer.num_done == 0 && answer.status == SPECINFER_OK) {
    specinfer_event event = SPECINFER_EVENT_INIT;
    answer.status =
        specinfer_session_step(session.get(), max_microseconds, &event);
    if (answer.status == SPECINFER_OK) answer.Add(event);
  }
  return answer;
}

inline std::string Save(const SessionOwner& session) {
  std::string saved;
  EXPECT_OK(specinfer_session_save(
      session.get(),
      [](void* user_data, const void* data, size_t num_bytes) -> int32_t {
        static_cast<std::string*>(user_data)->append(
            static_cast<const char*>(data), num_bytes);
        return 0;
      },
      &saved));
  return saved;
}

inline specinfer_session_statistics Statistics(const SessionOwner& session) {
  specinfer_session_statistics statistics = SPECINFER_SESSION_STATISTICS_INIT;
  EXPECT_OK(specinfer_session_get_statistics(session.get(), &statistics));
  return statistics;
}

inline specinfer_speculation_statistics SpeculationStatistics(
    const SessionOwner& session) {
  specinfer_speculation_statistics statistics =
      SPECINFER_SPECULATION_STATISTICS_INIT;
  EXPECT_OK(
      specinfer_session_get_speculation_statistics(session.get(), &statistics));
  return statistics;
}

constexpr std::string_view kPrompt =
    "The quick brown fox jumps over the lazy dog, and then it sleeps.";

inline specinfer_generation_config Drafted(uint32_t max_tokens) {
  specinfer_generation_config config = AnswerOf(max_tokens);
  config.strategy = SPECINFER_STRATEGY_DRAFT;
  return config;
}

// Sessions whose draft model is the model itself.
class DraftedTest : public testing::Test {
 protected:
  SessionOwner Prompted() {
    SessionOwner session = CreateDraftedSession(model_, model_);
    EXPECT_OK(SetPrompt(session, kPrompt));
    return session;
  }

  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
};

}  // namespace specinfer_test

#endif  // SPECINFER_TESTS_ENDTOEND_C_API_FIXTURE_H_
