// One wrong field of specinfer_generation_config at a time: refused by the
// field's name, whoever takes the config.
#include <cstdint>
#include <limits>
#include <ostream>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;
constexpr size_t kTooLong = size_t{1} << 33;

struct WrongField {
  const char* name;
  void (*set)(specinfer_generation_config& config);
};

void PrintTo(const WrongField& field, std::ostream* out) { *out << field.name; }

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
using Config = specinfer_generation_config;

constexpr specinfer_text kEmptyText = {"", 0};
constexpr specinfer_text kNullText = {nullptr, 3};
constexpr specinfer_text kLongText = {"a", kTooLong};
constexpr specinfer_logit_bias kNoToken = {-1, 0.0f};
constexpr specinfer_logit_bias kHugeToken = {INT32_MAX, 0.0f};
constexpr specinfer_logit_bias kNanBias = {1, kNan};
constexpr specinfer_logit_bias kInfiniteBias = {1, kInfinity};

const WrongField kWrongFields[] = {
    {"struct_size", [](Config& c) { c.struct_size = 100; }},
    {"struct_size", [](Config& c) { c.struct_size = 1u << 30; }},
    {"max_tokens", [](Config& c) { c.max_tokens = 0x80000000u; }},
    {"temperature", [](Config& c) { c.temperature = kNan; }},
    {"temperature", [](Config& c) { c.temperature = -0.5f; }},
    {"temperature", [](Config& c) { c.temperature = kInfinity; }},
    {"top_p", [](Config& c) { c.top_p = kNan; }},
    {"top_p", [](Config& c) { c.top_p = 1.5f; }},
    {"top_p", [](Config& c) { c.top_p = -0.1f; }},
    {"min_p", [](Config& c) { c.min_p = kNan; }},
    {"min_p", [](Config& c) { c.min_p = 1.01f; }},
    {"top_k", [](Config& c) { c.top_k = 0xffffffffu; }},
    {"repetition_penalty", [](Config& c) { c.repetition_penalty = -1.0f; }},
    {"repetition_penalty", [](Config& c) { c.repetition_penalty = kNan; }},
    {"frequency_penalty", [](Config& c) { c.frequency_penalty = kInfinity; }},
    {"presence_penalty", [](Config& c) { c.presence_penalty = kNan; }},
    {"penalty_window", [](Config& c) { c.penalty_window = 0xffffffffu; }},
    {"dry_multiplier", [](Config& c) { c.dry_multiplier = -1.0f; }},
    {"dry_base", [](Config& c) { c.dry_base = kNan; }},
    {"dry_allowed_length", [](Config& c) { c.dry_allowed_length = 1u << 31; }},
    {"dry_window", [](Config& c) { c.dry_window = 1u << 31; }},
    {"num_top_log_probabilities",
     [](Config& c) { c.num_top_log_probabilities = 65; }},
    {"strategy", [](Config& c) { c.strategy = 99; }},
    {"strategy", [](Config& c) { c.strategy = -1; }},
    {"stop_strings", [](Config& c) { c.num_stop_strings = 1; }},
    {"num_stop_strings",
     [](Config& c) {
       c.stop_strings = &kEmptyText;
       c.num_stop_strings = SIZE_MAX;
     }},
    {"stop_strings[0]",
     [](Config& c) {
       c.stop_strings = &kEmptyText;
       c.num_stop_strings = 1;
     }},
    {"stop_strings[0]",
     [](Config& c) {
       c.stop_strings = &kNullText;
       c.num_stop_strings = 1;
     }},
    {"banned_strings[0]",
     [](Config& c) {
       c.banned_strings = &kLongText;
       c.num_banned_strings = 1;
     }},
    {"banned_strings", [](Config& c) { c.num_banned_strings = 3; }},
    {"logit_biases", [](Config& c) { c.num_logit_biases = 3; }},
    {"num_logit_biases",
     [](Config& c) {
       c.logit_biases = &kNoToken;
       c.num_logit_biases = 1025;
     }},
    {"logit_biases[0].token",
     [](Config& c) {
       c.logit_biases = &kNoToken;
       c.num_logit_biases = 1;
     }},
    {"logit_biases[0].token",
     [](Config& c) {
       c.logit_biases = &kHugeToken;
       c.num_logit_biases = 1;
     }},
    {"logit_biases[0].bias",
     [](Config& c) {
       c.logit_biases = &kNanBias;
       c.num_logit_biases = 1;
     }},
    {"logit_biases[0].bias",
     [](Config& c) {
       c.logit_biases = &kInfiniteBias;
       c.num_logit_biases = 1;
     }},
};

class CApiWrongGenerationConfig : public testing::TestWithParam<WrongField> {
 protected:
  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  SessionOwner session_ = CreateSession(model_);
  specinfer_session* session() { return session_.get(); }
};

TEST_P(CApiWrongGenerationConfig, IsRefusedByName) {
  Config config = AnswerOf(4);
  GetParam().set(config);
  ASSERT_OK(SetPrompt(session_, kPrompt));
  const Tokens before = GetTokens(session_);

  EXPECT_FAILS(specinfer_session_start(session(), &config), kInvalid,
               GetParam().name);
  EXPECT_FAILS(specinfer_session_generate(session(), &config, nullptr, nullptr),
               kInvalid, GetParam().name);
  EXPECT_FAILS(specinfer_session_regenerate(session(), &config), kInvalid,
               GetParam().name);

  EXPECT_EQ(GetTokens(session_), before);
}

INSTANTIATE_TEST_SUITE_P(Fields, CApiWrongGenerationConfig,
                         testing::ValuesIn(kWrongFields));

}  // namespace
}  // namespace specinfer_test
