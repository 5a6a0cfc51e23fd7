// Saved sessions: complete, and safe to read when damaged.
#include <random>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

class CApiSave : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(SetPrompt(session_, kPrompt));
    Generate(session_, AnswerOf(8));
    saved_ = Save(session_);
    ASSERT_GT(saved_.size(), 100u);
  }

  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  SessionOwner session_ = CreateSession(model_);
  std::string saved_;

  static specinfer_status Restore(const SessionOwner& session,
                                  const std::string& bytes) {
    return specinfer_session_restore(session.get(), bytes.data(), bytes.size());
  }
};

specinfer_generation_config Random(uint32_t max_tokens) {
  specinfer_generation_config config = AnswerOf(max_tokens);
  config.temperature = 1.0f;
  return config;
}

TEST_F(CApiSave, ARestoredSessionContinuesTheSame) {
  const SessionOwner restored = CreateSession(model_);

  ASSERT_OK(Restore(restored, saved_));

  EXPECT_EQ(GetTokens(restored), GetTokens(session_));
  EXPECT_EQ(Generate(restored, Random(24)).tokens,
            Generate(session_, Random(24)).tokens);
}

TEST_F(CApiSave, RestoringComputesNothingAgain) {
  const SessionOwner restored = CreateSession(model_);
  ASSERT_OK(Restore(restored, saved_));

  Generate(restored, AnswerOf(1));

  EXPECT_LE(Statistics(restored).num_prefilled_tokens, 2u);
}

TEST_F(CApiSave, AQ8CacheIsSavedForkedAndCutBack) {
  const auto create = [&] {
    return CreateSession(model_, 256, SPECINFER_OVERFLOW_ERROR,
                         SPECINFER_CACHE_Q8);
  };
  const SessionOwner session = create();
  ASSERT_OK(SetPrompt(session, kPrompt));
  Generate(session, AnswerOf(70));
  const SessionOwner restored = create();
  ASSERT_OK(Restore(restored, Save(session)));
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session.get(), &copy));
  const SessionOwner fork(copy);
  const size_t num_tokens = GetTokens(session).size();
  const std::vector<specinfer_token> expected =
      Generate(session, AnswerOf(16)).tokens;

  EXPECT_EQ(Generate(restored, AnswerOf(16)).tokens, expected);
  EXPECT_EQ(Generate(fork, AnswerOf(16)).tokens, expected);
  ASSERT_OK(specinfer_session_truncate(session.get(), num_tokens));
  EXPECT_EQ(Generate(session, AnswerOf(16)).tokens, expected);
}

TEST_F(CApiSave, ASessionWithAnotherCacheTypeIsRefused) {
  const SessionOwner other =
      CreateSession(model_, 256, SPECINFER_OVERFLOW_ERROR, SPECINFER_CACHE_Q8);

  EXPECT_FAILS(Restore(other, saved_), SPECINFER_FAILED_PRECONDITION,
               "saved with a f16 cache, this one has q8");
}

TEST_F(CApiSave, RandomStateIsSaved) {
  specinfer_session* copy = nullptr;
  ASSERT_OK(specinfer_session_fork(session_.get(), &copy));
  const SessionOwner fork(copy);
  const std::string saved = Save(fork);
  const SessionOwner restored = CreateSession(model_);
  ASSERT_OK(Restore(restored, saved));

  EXPECT_EQ(Generate(restored, Random(24)).tokens,
            Generate(fork, Random(24)).tokens);
}

TEST_F(CApiSave, AConversationIsSaved) {
  const SessionOwner chat = CreateSession(model_, 256);
  ASSERT_OK(AppendMessage(chat, "user", "Remember me."));
  Generate(chat, AnswerOf(8));
  const SessionOwner restored = CreateSession(model_, 256);
  ASSERT_OK(Restore(restored, Save(chat)));

  ASSERT_OK(AppendMessage(chat, "user", "Who am I?"));
  ASSERT_OK(AppendMessage(restored, "user", "Who am I?"));

  EXPECT_EQ(GetTokens(restored), GetTokens(chat));
  EXPECT_EQ(Generate(restored, AnswerOf(8)).tokens,
            Generate(chat, AnswerOf(8)).tokens);
}

TEST_F(CApiSave, AnEmptySessionIsSaved) {
  const SessionOwner empty = CreateSession(model_);
  const std::string saved = Save(empty);

  ASSERT_OK(Restore(session_, saved));

  EXPECT_TRUE(GetTokens(session_).empty());
}

TEST_F(CApiSave, SessionsOfAnotherModelAreRefused) {
  const ModelOwner other = LoadModel(engine_, TinyModel("tiny-qwen2.gguf"));
  const SessionOwner session = CreateSession(other);
  ASSERT_OK(SetPrompt(session, kPrompt));
  const Tokens before = GetTokens(session);

  EXPECT_EQ(Restore(session, saved_), SPECINFER_FAILED_PRECONDITION);

  EXPECT_EQ(GetTokens(session), before);
}

TEST_F(CApiSave, ASessionTooLongForTheContextIsRefused) {
  const SessionOwner small = CreateSession(model_, 64);
  const SessionOwner large = CreateSession(model_, 256);
  const Tokens prompt(200, 5);
  ASSERT_OK(specinfer_session_append_tokens(large.get(), prompt.data(),
                                            prompt.size()));
  Generate(large, AnswerOf(1));

  EXPECT_EQ(Restore(small, Save(large)), SPECINFER_RESOURCE_EXHAUSTED);

  EXPECT_TRUE(GetTokens(small).empty());
}

// A status with a sentence, and the session as it was.
void ExpectRefused(const SessionOwner& session, const std::string& bytes,
                   const Tokens& before) {
  const specinfer_status status =
      specinfer_session_restore(session.get(), bytes.data(), bytes.size());
  EXPECT_TRUE(status == SPECINFER_INVALID_ARGUMENT ||
              status == SPECINFER_DATA_LOSS ||
              status == SPECINFER_FAILED_PRECONDITION ||
              status == SPECINFER_RESOURCE_EXHAUSTED)
      << specinfer_status_name(status);
  EXPECT_GT(std::string_view(specinfer_last_error()).size(), 10u);
  ASSERT_EQ(GetTokens(session), before);
}

TEST_F(CApiSave, EveryDamagedByteIsNoticed) {
  const Tokens before = GetTokens(session_);
  for (size_t i = 0; i < saved_.size(); i += i < 200 ? 1 : 997) {
    SCOPED_TRACE(i);
    std::string damaged = saved_;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);

    ExpectRefused(session_, damaged, before);
  }
}

TEST_F(CApiSave, EveryCutIsNoticed) {
  const Tokens before = GetTokens(session_);
  for (size_t length = 0; length < saved_.size();
       length += length < 200 ? 1 : 997) {
    SCOPED_TRACE(length);
    // Exactly so large that a sanitizer sees reading past the end.
    const std::vector<char> bytes(
        saved_.begin(), saved_.begin() + static_cast<std::ptrdiff_t>(length));

    ExpectRefused(session_, std::string(bytes.begin(), bytes.end()), before);
  }
}

TEST_F(CApiSave, RandomMutationsAreNoticed) {
  const Tokens before = GetTokens(session_);
  std::mt19937 random(20240601);
  for (int i = 0; i < 2000; ++i) {
    SCOPED_TRACE(i);
    std::string damaged = saved_;
    const int num_changes = 1 + static_cast<int>(random() % 8);
    for (int k = 0; k < num_changes; ++k) {
      // Half of the changes hit the head, where the structure is.
      const size_t range = random() % 2 == 0
                               ? damaged.size()
                               : std::min<size_t>(damaged.size(), 512);
      damaged[random() % range] = static_cast<char>(random());
    }
    if (random() % 4 == 0) damaged.resize(random() % damaged.size());
    if (damaged == saved_) continue;

    ExpectRefused(session_, damaged, before);
  }
}

TEST_F(CApiSave, ASessionWorksAfterRefusedRestores) {
  const SessionOwner reference = CreateSession(model_);
  ASSERT_OK(Restore(reference, saved_));
  std::string damaged = saved_;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_NE(Restore(session_, damaged), SPECINFER_OK);

  EXPECT_EQ(Generate(session_, AnswerOf(16)).tokens,
            Generate(reference, AnswerOf(16)).tokens);
}

}  // namespace
}  // namespace specinfer_test
