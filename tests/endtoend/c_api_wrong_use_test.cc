// Every public function with what it must refuse: a status and a sentence that
// names the parameter, never a crash.
#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;
constexpr size_t kTooLong = size_t{1} << 33;

int32_t IgnoreBytes(void*, const void*, size_t) { return 0; }

class CApiWrongUse : public testing::Test {
 protected:
  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  SessionOwner session_ = CreateSession(model_);
  specinfer_engine* engine() { return engine_.get(); }
  specinfer_model* model() { return model_.get(); }
  specinfer_session* session() { return session_.get(); }
  std::string path_ = TinyModel();
  size_t length_ = 12345;
  specinfer_token token_ = 1;
};

TEST(CApiStatus, NamesEveryStatus) {
  EXPECT_STREQ(specinfer_status_name(SPECINFER_OK), "OK");
  EXPECT_STREQ(specinfer_status_name(SPECINFER_INVALID_ARGUMENT),
               "INVALID_ARGUMENT");
  EXPECT_STREQ(specinfer_status_name(SPECINFER_DATA_LOSS), "DATA_LOSS");
  EXPECT_STREQ(specinfer_status_name(16), "UNKNOWN");
  EXPECT_STREQ(specinfer_status_name(-1), "UNKNOWN");
  EXPECT_STREQ(specinfer_status_name(INT32_MIN), "UNKNOWN");
}

TEST(CApiStatus, VersionIsTheHeaders) {
  EXPECT_EQ(specinfer_version(), uint32_t{SPECINFER_VERSION});
}

TEST(CApiDestroy, AcceptsNull) {
  specinfer_engine_destroy(nullptr);
  specinfer_model_destroy(nullptr);
  specinfer_load_destroy(nullptr);
  specinfer_session_destroy(nullptr);
  specinfer_load_cancel(nullptr);
  specinfer_session_cancel(nullptr);
}

// ---- Engine ----

TEST(CApiEngine, TakesNullConfig) {
  specinfer_engine* engine = nullptr;

  ASSERT_OK(specinfer_engine_create(nullptr, &engine));

  specinfer_engine_destroy(engine);
}

TEST(CApiEngine, RefusesNullOutput) {
  EXPECT_FAILS(specinfer_engine_create(nullptr, nullptr), kInvalid,
               "out_engine");
}

specinfer_status TryEngine(const specinfer_engine_config& config) {
  specinfer_engine* engine = nullptr;
  const specinfer_status status = specinfer_engine_create(&config, &engine);
  if (status != SPECINFER_OK) {
    EXPECT_EQ(engine, nullptr);
  }
  specinfer_engine_destroy(engine);
  return status;
}

TEST(CApiEngine, RefusesSizeBelowTheFirstRelease) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  for (const uint32_t size : {0u, 4u, config.struct_size - 8}) {
    config.struct_size = size;
    EXPECT_FAILS(TryEngine(config), kInvalid, "SPECINFER_ENGINE_CONFIG_INIT");
  }
}

TEST(CApiEngine, RefusesAbsurdSize) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.struct_size = 0xababababu;

  EXPECT_FAILS(TryEngine(config), kInvalid, "struct_size");
}

struct LaterEngineConfig {
  specinfer_engine_config known;
  uint64_t later_field;
};

TEST(CApiEngine, TakesLaterStructWithUnusedFields) {
  LaterEngineConfig config = {SPECINFER_ENGINE_CONFIG_INIT, 0};
  config.known.struct_size = sizeof(config);

  EXPECT_OK(TryEngine(config.known));
}

TEST(CApiEngine, RefusesLaterStructWithUsedFields) {
  LaterEngineConfig config = {SPECINFER_ENGINE_CONFIG_INIT, 1};
  config.known.struct_size = sizeof(config);

  EXPECT_FAILS(TryEngine(config.known), kInvalid, "does not know");
}

TEST(CApiEngine, RefusesReservedFields) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.reserved = 1;
  EXPECT_FAILS(TryEngine(config), kInvalid, "reserved");
  config = SPECINFER_ENGINE_CONFIG_INIT;
  config.reserved2 = 1;
  EXPECT_FAILS(TryEngine(config), kInvalid, "reserved2");
}

TEST(CApiEngine, RefusesHeaderItDoesNotFit) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  for (const uint32_t version : {0u, SPECINFER_VERSION + 100u, 20000u}) {
    config.header_version = version;
    EXPECT_FAILS(TryEngine(config), SPECINFER_FAILED_PRECONDITION, "header");
  }
}

TEST(CApiEngine, RefusesHalfOfAPairOfHooks) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.allocate = [](void*, size_t, size_t) -> void* { return nullptr; };
  EXPECT_FAILS(TryEngine(config), kInvalid, "release");

  config = SPECINFER_ENGINE_CONFIG_INIT;
  config.file_size = [](void*, const char*, size_t) -> int64_t { return -1; };
  EXPECT_FAILS(TryEngine(config), kInvalid, "file_read");

  config = SPECINFER_ENGINE_CONFIG_INIT;
  config.executor_workers = 2;
  EXPECT_FAILS(TryEngine(config), kInvalid, "run_tasks");
}

TEST(CApiEngine, RefusesAbsurdThreads) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.num_threads = 0xffffffffu;

  EXPECT_FAILS(TryEngine(config), kInvalid, "num_threads");
}

TEST(CApiEngine, NamesUnknownBackend) {
  specinfer_engine_config config = SPECINFER_ENGINE_CONFIG_INIT;
  config.backend = "abacus";

  EXPECT_FAILS(TryEngine(config), SPECINFER_NOT_FOUND, "abacus");
}

TEST_F(CApiWrongUse, StatisticsRefuseNullAndSizes) {
  specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
  EXPECT_FAILS(specinfer_engine_get_statistics(nullptr, &statistics), kInvalid,
               "engine");
  EXPECT_FAILS(specinfer_engine_get_statistics(engine(), nullptr), kInvalid,
               "out_statistics");
  statistics.struct_size = 8;
  EXPECT_FAILS(specinfer_engine_get_statistics(engine(), &statistics), kInvalid,
               "struct_size");
  EXPECT_EQ(statistics.num_threads, 0u);
}

TEST_F(CApiWrongUse, StatisticsKeepTheSizeOfALaterStruct) {
  struct {
    specinfer_engine_statistics known = SPECINFER_ENGINE_STATISTICS_INIT;
    uint64_t later_field = 77;
  } statistics;
  statistics.known.struct_size = sizeof(statistics);

  ASSERT_OK(specinfer_engine_get_statistics(engine(), &statistics.known));

  EXPECT_EQ(statistics.known.struct_size, sizeof(statistics));
  EXPECT_EQ(statistics.known.num_threads, 2u);
  EXPECT_EQ(std::string_view(statistics.known.backend).substr(0, 3), "cpu");
  EXPECT_EQ(statistics.later_field, 77u);
}

// ---- Model ----

TEST_F(CApiWrongUse, LoadRefusesNullAndBadPaths) {
  specinfer_model* out = nullptr;
  EXPECT_FAILS(
      specinfer_model_load(nullptr, path_.data(), path_.size(), nullptr, &out),
      kInvalid, "engine");
  EXPECT_FAILS(specinfer_model_load(engine(), nullptr, 4, nullptr, &out),
               kInvalid, "path");
  EXPECT_FAILS(specinfer_model_load(engine(), nullptr, 0, nullptr, &out),
               kInvalid, "path");
  EXPECT_FAILS(
      specinfer_model_load(engine(), path_.data(), kTooLong, nullptr, &out),
      kInvalid, "path");
  EXPECT_FAILS(specinfer_model_load(engine(), "a\0b", 3, nullptr, &out),
               kInvalid, "path");
  EXPECT_FAILS(specinfer_model_load(engine(), path_.data(), path_.size(),
                                    nullptr, nullptr),
               kInvalid, "out_model");
  EXPECT_FAILS(
      specinfer_model_load(engine(), "/nowhere.gguf", 13, nullptr, &out),
      SPECINFER_NOT_FOUND, "nowhere.gguf");
  EXPECT_EQ(out, nullptr);
}

TEST_F(CApiWrongUse, LoadRefusesBadConfig) {
  specinfer_model* out = nullptr;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;
  config.struct_size = 1;
  EXPECT_FAILS(
      specinfer_model_load(engine(), path_.data(), path_.size(), &config, &out),
      kInvalid, "struct_size");
  config = SPECINFER_MODEL_CONFIG_INIT;
  config.reserved = 1;
  EXPECT_FAILS(
      specinfer_model_load(engine(), path_.data(), path_.size(), &config, &out),
      kInvalid, "reserved");
  config = SPECINFER_MODEL_CONFIG_INIT;
  config.flags = SPECINFER_MODEL_COPY | SPECINFER_MODEL_DRAFT | 0x80;
  EXPECT_FAILS(
      specinfer_model_load(engine(), path_.data(), path_.size(), &config, &out),
      kInvalid, "config->flags has bits 0x80");
  config.flags = SPECINFER_MODEL_FLOAT | SPECINFER_MODEL_DRAFT;
  EXPECT_FAILS(
      specinfer_model_load(engine(), path_.data(), path_.size(), &config, &out),
      kInvalid, "different things");
  EXPECT_EQ(out, nullptr);
}

TEST_F(CApiWrongUse, AsynchronousLoadRefusesTheSame) {
  specinfer_load* out = nullptr;
  specinfer_model* loaded = nullptr;
  EXPECT_FAILS(
      specinfer_load_start(nullptr, path_.data(), path_.size(), nullptr, &out),
      kInvalid, "engine");
  EXPECT_FAILS(specinfer_load_start(engine(), nullptr, 1, nullptr, &out),
               kInvalid, "path");
  EXPECT_FAILS(specinfer_load_start(engine(), path_.data(), path_.size(),
                                    nullptr, nullptr),
               kInvalid, "out_load");
  EXPECT_FAILS(specinfer_load_wait(nullptr, 0, nullptr, &loaded), kInvalid,
               "load");
  EXPECT_EQ(out, nullptr);
  EXPECT_EQ(loaded, nullptr);
}

TEST_F(CApiWrongUse, LoadWaitRefusesNullOutput) {
  specinfer_load* load = nullptr;
  ASSERT_OK(specinfer_load_start(engine(), path_.data(), path_.size(), nullptr,
                                 &load));
  const LoadOwner owner(load);

  EXPECT_FAILS(specinfer_load_wait(load, 0, nullptr, nullptr), kInvalid,
               "out_model");
}

TEST_F(CApiWrongUse, PlanRefusesNullAndBadSizes) {
  specinfer_model_memory memory = SPECINFER_MODEL_MEMORY_INIT;
  EXPECT_FAILS(
      specinfer_model_plan(nullptr, path_.data(), path_.size(), 0, &memory),
      kInvalid, "engine");
  EXPECT_FAILS(specinfer_model_plan(engine(), nullptr, 3, 0, &memory), kInvalid,
               "path");
  EXPECT_FAILS(
      specinfer_model_plan(engine(), path_.data(), path_.size(), 0, nullptr),
      kInvalid, "out_memory");
  EXPECT_FAILS(specinfer_model_plan(engine(), path_.data(), path_.size(),
                                    0xffffffffu, &memory),
               kInvalid, "num_context_tokens");
  memory.struct_size = 3;
  EXPECT_FAILS(
      specinfer_model_plan(engine(), path_.data(), path_.size(), 0, &memory),
      kInvalid, "struct_size");
}

TEST_F(CApiWrongUse, PropertiesRefuseNull) {
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  EXPECT_FAILS(specinfer_model_get_properties(nullptr, &properties), kInvalid,
               "model");
  EXPECT_FAILS(specinfer_model_get_properties(model(), nullptr), kInvalid,
               "out_properties");
  properties.struct_size = 12;
  EXPECT_FAILS(specinfer_model_get_properties(model(), &properties), kInvalid,
               "struct_size");
}

TEST_F(CApiWrongUse, MetadataRefusesNullAndUnknownKeys) {
  char buffer[8] = "abc";
  EXPECT_FAILS(
      specinfer_model_get_metadata(nullptr, "k", 1, buffer, 8, &length_),
      kInvalid, "model");
  EXPECT_FAILS(
      specinfer_model_get_metadata(model(), nullptr, 1, buffer, 8, &length_),
      kInvalid, "key");
  EXPECT_FAILS(
      specinfer_model_get_metadata(model(), "k", 1, nullptr, 8, &length_),
      kInvalid, "buffer");
  EXPECT_FAILS(
      specinfer_model_get_metadata(model(), "k", 1, buffer, 8, nullptr),
      kInvalid, "out_length");
  EXPECT_FAILS(
      specinfer_model_get_metadata(model(), "no.key", 6, buffer, 8, &length_),
      SPECINFER_NOT_FOUND, "no.key");
  EXPECT_FAILS(
      specinfer_model_get_metadata(model(), nullptr, 0, buffer, 8, &length_),
      SPECINFER_NOT_FOUND, "metadata");
  EXPECT_EQ(length_, 12345u);
  EXPECT_STREQ(buffer, "abc");
}

TEST_F(CApiWrongUse, SpecialTokenRefusesNullAndUnknownKinds) {
  EXPECT_FAILS(specinfer_model_get_special_token(nullptr, 0, &token_), kInvalid,
               "model");
  EXPECT_FAILS(specinfer_model_get_special_token(model(), 0, nullptr), kInvalid,
               "out_token");
  EXPECT_FAILS(specinfer_model_get_special_token(model(), -1, &token_),
               kInvalid, "special");
  EXPECT_FAILS(specinfer_model_get_special_token(model(), 6, &token_), kInvalid,
               "special");
  EXPECT_EQ(token_, 1);
}

TEST_F(CApiWrongUse, TokenizeRefusesNullLengthsAndFlags) {
  specinfer_token buffer[4] = {};
  EXPECT_FAILS(
      specinfer_model_tokenize(nullptr, "a", 1, 0, buffer, 4, &length_),
      kInvalid, "model");
  EXPECT_FAILS(
      specinfer_model_tokenize(model(), nullptr, 1, 0, buffer, 4, &length_),
      kInvalid, "text");
  EXPECT_FAILS(
      specinfer_model_tokenize(model(), "a", kTooLong, 0, buffer, 4, &length_),
      kInvalid, "text");
  EXPECT_FAILS(
      specinfer_model_tokenize(model(), "a", 1, 8, buffer, 4, &length_),
      kInvalid, "flags");
  EXPECT_FAILS(
      specinfer_model_tokenize(model(), "a", 1, 0, nullptr, 4, &length_),
      kInvalid, "buffer");
  EXPECT_FAILS(specinfer_model_tokenize(model(), "a", 1, 0, buffer, 4, nullptr),
               kInvalid, "out_length");
  EXPECT_EQ(length_, 12345u);
}

TEST_F(CApiWrongUse, TokenizesNothingToNothing) {
  EXPECT_OK(
      specinfer_model_tokenize(model(), nullptr, 0, 0, nullptr, 0, &length_));
  EXPECT_EQ(length_, 0u);
}

TEST_F(CApiWrongUse, TokenizeWritesNothingToASmallBuffer) {
  specinfer_token buffer[2] = {-7, -7};

  ASSERT_OK(specinfer_model_tokenize(model(), kPrompt.data(), kPrompt.size(), 0,
                                     buffer, 2, &length_));

  EXPECT_GT(length_, 2u);
  EXPECT_EQ(buffer[0], -7);
  EXPECT_EQ(buffer[1], -7);
}

TEST_F(CApiWrongUse, DetokenizeRefusesNullAndUnknownTokens) {
  char buffer[8];
  EXPECT_FAILS(
      specinfer_model_detokenize(nullptr, &token_, 1, 0, buffer, 8, &length_),
      kInvalid, "model");
  EXPECT_FAILS(
      specinfer_model_detokenize(model(), nullptr, 1, 0, buffer, 8, &length_),
      kInvalid, "tokens");
  EXPECT_FAILS(specinfer_model_detokenize(model(), &token_, kTooLong, 0, buffer,
                                          8, &length_),
               kInvalid, "tokens");
  EXPECT_FAILS(
      specinfer_model_detokenize(model(), &token_, 1, 64, buffer, 8, &length_),
      kInvalid, "flags");
  EXPECT_FAILS(
      specinfer_model_detokenize(model(), &token_, 1, 0, nullptr, 8, &length_),
      kInvalid, "buffer");
  EXPECT_FAILS(
      specinfer_model_detokenize(model(), &token_, 1, 0, buffer, 8, nullptr),
      kInvalid, "out_length");
  for (const specinfer_token token : {-1, INT32_MAX, INT32_MIN}) {
    EXPECT_FAILS(
        specinfer_model_detokenize(model(), &token, 1, 0, buffer, 8, &length_),
        SPECINFER_OUT_OF_RANGE, "tokens[0]");
  }
  EXPECT_EQ(length_, 12345u);
}

TEST_F(CApiWrongUse, RenderChatRefusesNullAndBrokenJson) {
  char buffer[8];
  EXPECT_FAILS(specinfer_model_render_chat(nullptr, "[]", 2, nullptr, 0, 1,
                                           buffer, 8, &length_),
               kInvalid, "model");
  EXPECT_FAILS(specinfer_model_render_chat(model(), nullptr, 2, nullptr, 0, 1,
                                           buffer, 8, &length_),
               kInvalid, "messages_json");
  EXPECT_FAILS(specinfer_model_render_chat(model(), "[]", 2, nullptr, 7, 1,
                                           buffer, 8, &length_),
               kInvalid, "tools_json");
  EXPECT_FAILS(specinfer_model_render_chat(model(), "[]", 2, nullptr, 0, 1,
                                           nullptr, 8, &length_),
               kInvalid, "buffer");
  EXPECT_FAILS(specinfer_model_render_chat(model(), "[]", 2, nullptr, 0, 1,
                                           buffer, 8, nullptr),
               kInvalid, "out_length");
  for (const std::string_view json :
       {"", "[", "{}", "[1]", "[{}]", "\xff", "[{\"role\":1}]", "null"}) {
    EXPECT_EQ(specinfer_model_render_chat(model(), json.data(), json.size(),
                                          nullptr, 0, 1, nullptr, 0, &length_),
              kInvalid)
        << json;
  }
  EXPECT_EQ(specinfer_model_render_chat(model(), "[]", 2, "{", 1, 1, nullptr, 0,
                                        &length_),
            kInvalid);
  EXPECT_EQ(length_, 12345u);
}

// ---- Session ----

TEST_F(CApiWrongUse, CreateRefusesNullAndBadConfig) {
  specinfer_session* out = nullptr;
  EXPECT_FAILS(specinfer_session_create(nullptr, nullptr, &out), kInvalid,
               "model");
  EXPECT_FAILS(specinfer_session_create(model(), nullptr, nullptr), kInvalid,
               "out_session");
  specinfer_session_config config = SPECINFER_SESSION_CONFIG_INIT;
  config.struct_size = 12;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "struct_size");
  config = SPECINFER_SESSION_CONFIG_INIT;
  config.overflow = 2;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "overflow");
  config = SPECINFER_SESSION_CONFIG_INIT;
  config.prefill_chunk_tokens = 513;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "prefill_chunk_tokens");
  config = SPECINFER_SESSION_CONFIG_INIT;
  config.cache_type = 2;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "cache_type");
  config = SPECINFER_SESSION_CONFIG_INIT;
  config.max_context_tokens = 0xffffffffu;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "max_context_tokens");
  for (const int32_t urgency : {-1, 3}) {
    config = SPECINFER_SESSION_CONFIG_INIT;
    config.urgency = urgency;
    EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
                 "urgency");
  }
  config = SPECINFER_SESSION_CONFIG_INIT;
  config.reserved = 1;
  EXPECT_FAILS(specinfer_session_create(model(), &config, &out), kInvalid,
               "reserved");
  EXPECT_EQ(out, nullptr);
}

TEST_F(CApiWrongUse, EveryFunctionRefusesANullSession) {
  specinfer_session* out = nullptr;
  specinfer_event event = SPECINFER_EVENT_INIT;
  specinfer_session_statistics statistics = SPECINFER_SESSION_STATISTICS_INIT;
  float number = 0;
  const specinfer_status statuses[] = {
      specinfer_session_append_text(nullptr, "a", 1, 0),
      specinfer_session_append_tokens(nullptr, &token_, 1),
      specinfer_session_append_message(nullptr, "user", 4, "a", 1),
      specinfer_session_append_messages_json(nullptr, "[]", 2),
      specinfer_session_set_chat_options(nullptr, "[]", 2, "{}", 2),
      specinfer_session_set_prompt(nullptr, "a", 1, 0, &length_),
      specinfer_session_set_prompt_tokens(nullptr, &token_, 1, &length_),
      specinfer_session_set_fill_in_middle(nullptr, "a", 1, "b", 1, &length_),
      specinfer_session_set_expected_output(nullptr, "a", 1),
      specinfer_session_start(nullptr, nullptr),
      specinfer_session_regenerate(nullptr, nullptr),
      specinfer_session_step(nullptr, 0, &event),
      specinfer_session_generate(nullptr, nullptr, nullptr, nullptr),
      specinfer_session_get_tokens(nullptr, nullptr, 0, &length_),
      specinfer_session_truncate(nullptr, 0),
      specinfer_session_fork(nullptr, &out),
      specinfer_session_save(nullptr, &IgnoreBytes, nullptr),
      specinfer_session_restore(nullptr, "a", 1),
      specinfer_session_score_tokens(nullptr, &token_, 1, &number),
      specinfer_session_embed(nullptr, "a", 1, 0, 0, 0, nullptr, 0, &length_),
      specinfer_session_get_statistics(nullptr, &statistics),
  };

  for (const specinfer_status status : statuses) EXPECT_EQ(status, kInvalid);
  EXPECT_STREQ(specinfer_last_error(), "session is NULL");
  EXPECT_EQ(length_, 12345u);
}

TEST_F(CApiWrongUse, ContentRefusesNullAndLengths) {
  EXPECT_FAILS(specinfer_session_append_text(session(), nullptr, 1, 0),
               kInvalid, "text");
  EXPECT_FAILS(specinfer_session_append_text(session(), "a", kTooLong, 0),
               kInvalid, "text");
  EXPECT_FAILS(specinfer_session_append_text(session(), "a", 1, 4), kInvalid,
               "flags");
  EXPECT_FAILS(specinfer_session_append_tokens(session(), nullptr, 1), kInvalid,
               "tokens");
  EXPECT_FAILS(specinfer_session_append_tokens(session(), &token_, kTooLong),
               kInvalid, "tokens");
  EXPECT_FAILS(specinfer_session_append_message(session(), nullptr, 4, "a", 1),
               kInvalid, "role");
  EXPECT_FAILS(specinfer_session_append_message(session(), "", 0, "a", 1),
               kInvalid, "role");
  EXPECT_FAILS(
      specinfer_session_append_message(session(), "user", 4, nullptr, 1),
      kInvalid, "content");
  EXPECT_FAILS(specinfer_session_append_messages_json(session(), nullptr, 1),
               kInvalid, "json");
  EXPECT_FAILS(
      specinfer_session_set_chat_options(session(), nullptr, 1, "{}", 2),
      kInvalid, "tools_json");
  EXPECT_FAILS(
      specinfer_session_set_chat_options(session(), "[]", 2, nullptr, 1),
      kInvalid, "variables_json");
  EXPECT_FAILS(specinfer_session_set_prompt(session(), nullptr, 1, 0, &length_),
               kInvalid, "text");
  EXPECT_FAILS(specinfer_session_set_prompt(session(), "a", 1, 16, &length_),
               kInvalid, "flags");
  EXPECT_FAILS(
      specinfer_session_set_prompt_tokens(session(), nullptr, 1, &length_),
      kInvalid, "tokens");
  EXPECT_FAILS(specinfer_session_set_fill_in_middle(session(), nullptr, 1, "",
                                                    0, &length_),
               kInvalid, "prefix");
  EXPECT_FAILS(specinfer_session_set_fill_in_middle(session(), "", 0, nullptr,
                                                    1, &length_),
               kInvalid, "suffix");
  EXPECT_FAILS(specinfer_session_set_expected_output(session(), nullptr, 1),
               kInvalid, "text");
  EXPECT_EQ(length_, 12345u);
  EXPECT_TRUE(GetTokens(session_).empty());
}

TEST_F(CApiWrongUse, UnknownTokensAreOutOfRange) {
  for (const specinfer_token token : {-1, INT32_MAX, INT32_MIN}) {
    float number = 7.0f;
    EXPECT_EQ(specinfer_session_append_tokens(session(), &token, 1),
              SPECINFER_OUT_OF_RANGE);
    EXPECT_EQ(
        specinfer_session_set_prompt_tokens(session(), &token, 1, &length_),
        SPECINFER_OUT_OF_RANGE);
    EXPECT_EQ(specinfer_session_score_tokens(session(), &token, 1, &number),
              SPECINFER_OUT_OF_RANGE);
    EXPECT_EQ(number, 7.0f);
  }
  EXPECT_TRUE(GetTokens(session_).empty());
}

TEST_F(CApiWrongUse, BrokenJsonLeavesTheSessionAsItWas) {
  ASSERT_OK(AppendMessage(session_, "user", "hello"));
  const Tokens before = GetTokens(session_);

  for (const std::string_view json :
       {"", "[", "{}", "[1]", "[{}]", "\xff\xfe", "null", "[[[[[[[[[["}) {
    EXPECT_EQ(specinfer_session_append_messages_json(session(), json.data(),
                                                     json.size()),
              kInvalid)
        << json;
  }
  for (const std::string_view json : {"[", "1", "\"a\"", "{\"a\":"}) {
    EXPECT_EQ(specinfer_session_set_chat_options(session(), json.data(),
                                                 json.size(), nullptr, 0),
              kInvalid)
        << json;
    EXPECT_EQ(specinfer_session_set_chat_options(session(), nullptr, 0,
                                                 json.data(), json.size()),
              kInvalid)
        << json;
  }

  EXPECT_EQ(GetTokens(session_), before);
}

TEST_F(CApiWrongUse, OutputsRefuseNull) {
  specinfer_event event = SPECINFER_EVENT_INIT;
  specinfer_session_statistics statistics = SPECINFER_SESSION_STATISTICS_INIT;
  EXPECT_FAILS(specinfer_session_step(session(), 0, nullptr), kInvalid,
               "out_event");
  event.struct_size = 40;
  EXPECT_FAILS(specinfer_session_step(session(), 0, &event), kInvalid,
               "struct_size");
  EXPECT_FAILS(specinfer_session_get_tokens(session(), nullptr, 0, nullptr),
               kInvalid, "out_length");
  EXPECT_FAILS(specinfer_session_get_tokens(session(), nullptr, 1, &length_),
               kInvalid, "buffer");
  EXPECT_FAILS(specinfer_session_fork(session(), nullptr), kInvalid,
               "out_session");
  EXPECT_FAILS(specinfer_session_save(session(), nullptr, nullptr), kInvalid,
               "write");
  EXPECT_FAILS(specinfer_session_restore(session(), nullptr, 5), kInvalid,
               "data");
  EXPECT_FAILS(specinfer_session_score_tokens(session(), &token_, 1, nullptr),
               kInvalid, "buffer");
  EXPECT_FAILS(specinfer_session_get_statistics(session(), nullptr), kInvalid,
               "out_statistics");
  statistics.struct_size = 80;
  EXPECT_FAILS(specinfer_session_get_statistics(session(), &statistics),
               kInvalid, "struct_size");
}

TEST_F(CApiWrongUse, EmbedRefusesNullAndEnums) {
  float buffer[2] = {5, 5};
  EXPECT_FAILS(specinfer_session_embed(session(), nullptr, 1, 0, 0, 0, buffer,
                                       2, &length_),
               kInvalid, "text");
  EXPECT_FAILS(
      specinfer_session_embed(session(), "a", 1, 32, 0, 0, buffer, 2, &length_),
      kInvalid, "flags");
  for (const int32_t pooling : {-1, 3}) {
    EXPECT_FAILS(specinfer_session_embed(session(), "a", 1, 0, pooling, 0,
                                         buffer, 2, &length_),
                 kInvalid, "pooling");
  }
  EXPECT_FAILS(
      specinfer_session_embed(session(), "a", 1, 0, 0, 0, nullptr, 2, &length_),
      kInvalid, "buffer");
  EXPECT_FAILS(
      specinfer_session_embed(session(), "a", 1, 0, 0, 0, buffer, 2, nullptr),
      kInvalid, "out_length");
  EXPECT_EQ(length_, 12345u);
  EXPECT_EQ(buffer[0], 5);
}

TEST_F(CApiWrongUse, StepNeedsAStart) {
  specinfer_event event = SPECINFER_EVENT_INIT;
  ASSERT_OK(SetPrompt(session_, kPrompt));

  EXPECT_EQ(specinfer_session_step(session(), 1000, &event),
            SPECINFER_FAILED_PRECONDITION);
}

TEST_F(CApiWrongUse, RegenerateNeedsAnAnswer) {
  ASSERT_OK(SetPrompt(session_, kPrompt));

  EXPECT_EQ(specinfer_session_regenerate(session(), nullptr),
            SPECINFER_FAILED_PRECONDITION);
}

TEST_F(CApiWrongUse, NothingCanBeGeneratedFromNothing) {
  EXPECT_OK(specinfer_session_append_text(session(), nullptr, 0, 0));
  EXPECT_OK(specinfer_session_append_tokens(session(), nullptr, 0));
  EXPECT_OK(specinfer_session_set_prompt(session(), nullptr, 0, 0, &length_));
  EXPECT_EQ(length_, 0u);
  EXPECT_OK(
      specinfer_session_set_prompt_tokens(session(), nullptr, 0, nullptr));

  EXPECT_EQ(specinfer_session_start(session(), nullptr),
            SPECINFER_FAILED_PRECONDITION);
  EXPECT_EQ(specinfer_session_generate(session(), nullptr, nullptr, nullptr),
            SPECINFER_FAILED_PRECONDITION);
}

TEST_F(CApiWrongUse, TruncateRefusesMoreThanThereIs) {
  ASSERT_OK(SetPrompt(session_, kPrompt));
  const Tokens before = GetTokens(session_);

  EXPECT_EQ(specinfer_session_truncate(session(), before.size() + 1),
            SPECINFER_OUT_OF_RANGE);
  EXPECT_EQ(specinfer_session_truncate(session(), SIZE_MAX),
            SPECINFER_OUT_OF_RANGE);

  EXPECT_EQ(GetTokens(session_), before);
}

TEST_F(CApiWrongUse, RestoreRefusesWhatIsNoSession) {
  const std::string zeros(100000, '\0');
  EXPECT_EQ(specinfer_session_restore(session(), nullptr, 0), kInvalid);
  EXPECT_EQ(specinfer_session_restore(session(), "a", 1), kInvalid);
  EXPECT_EQ(specinfer_session_restore(session(), zeros.data(), zeros.size()),
            kInvalid);
}

}  // namespace
}  // namespace specinfer_test
