// Corpora: earlier texts make rounds fewer and change nothing else.
#include <cstdint>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr specinfer_status kInvalid = SPECINFER_INVALID_ARGUMENT;

int32_t Append(void* user_data, const void* data, size_t num_bytes) {
  static_cast<std::string*>(user_data)->append(static_cast<const char*>(data),
                                               num_bytes);
  return 0;
}

CorpusOwner CreateCorpus(const ModelOwner& model, uint32_t max_tokens = 4096) {
  specinfer_corpus* corpus = nullptr;
  EXPECT_OK(specinfer_corpus_create(model.get(), max_tokens, &corpus));
  return CorpusOwner(corpus);
}

std::string Save(const CorpusOwner& corpus) {
  std::string saved;
  EXPECT_OK(specinfer_corpus_save(corpus.get(), Append, &saved));
  return saved;
}

specinfer_status Restore(const CorpusOwner& corpus, std::string_view saved) {
  return specinfer_corpus_restore(corpus.get(), saved.data(), saved.size());
}

specinfer_status AddText(const CorpusOwner& corpus, std::string_view text) {
  return specinfer_corpus_add_text(corpus.get(), text.data(), text.size());
}

class CApiCorpus : public testing::Test {
 protected:
  struct Told {
    Answer answer;
    uint64_t num_rounds;
  };

  // A text without repetitions of its own, guessed from `corpus` if not null.
  Told Tell(const CorpusOwner& corpus, uint32_t flags = 0) {
    const SessionOwner session = CreateSession(model_);
    EXPECT_OK(SetPrompt(session, kPrompt));
    EXPECT_OK(specinfer_session_set_corpus(session.get(), corpus.get(), flags));
    return Tell(session);
  }
  Told Tell(const SessionOwner& session) {
    specinfer_generation_config config = AnswerOf(kLength);
    config.strategy = SPECINFER_STRATEGY_NGRAM;
    config.temperature = 1.0f;
    config.seed = 11;
    Told told = {Generate(session, config), 0};
    told.num_rounds = SpeculationStatistics(session).num_rounds;
    return told;
  }

  static constexpr uint32_t kLength = 100;
  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
  CorpusOwner corpus_ = CreateCorpus(model_);
};

TEST_F(CApiCorpus, RefusesWrongUse) {
  specinfer_corpus* corpus = nullptr;
  EXPECT_FAILS(specinfer_corpus_create(nullptr, 0, &corpus), kInvalid,
               "model is NULL");
  EXPECT_FAILS(specinfer_corpus_create(model_.get(), 0, nullptr), kInvalid,
               "out_corpus is NULL");
  EXPECT_FAILS(specinfer_corpus_create(model_.get(), UINT32_MAX, &corpus),
               kInvalid, "max_tokens");
  EXPECT_FAILS(specinfer_corpus_create(model_.get(), 1, &corpus), kInvalid,
               "max_tokens is 1");
  EXPECT_EQ(corpus, nullptr);
  specinfer_corpus_destroy(nullptr);
  EXPECT_FAILS(specinfer_corpus_add_text(nullptr, "a", 1), kInvalid,
               "corpus is NULL");
  EXPECT_FAILS(specinfer_corpus_add_text(corpus_.get(), nullptr, 1), kInvalid,
               "text is NULL");
  EXPECT_FAILS(specinfer_corpus_add_text(corpus_.get(), "a", size_t{1} << 33),
               kInvalid, "text");
  EXPECT_OK(specinfer_corpus_add_text(corpus_.get(), nullptr, 0));
  EXPECT_FAILS(specinfer_corpus_clear(nullptr), kInvalid, "corpus is NULL");
  std::string saved;
  EXPECT_FAILS(specinfer_corpus_save(nullptr, Append, &saved), kInvalid,
               "corpus is NULL");
  EXPECT_FAILS(specinfer_corpus_save(corpus_.get(), nullptr, nullptr), kInvalid,
               "write is NULL");
  EXPECT_FAILS(specinfer_corpus_restore(nullptr, "a", 1), kInvalid,
               "corpus is NULL");
  EXPECT_FAILS(specinfer_corpus_restore(corpus_.get(), nullptr, 1), kInvalid,
               "data is NULL");
  EXPECT_EQ(specinfer_corpus_restore(corpus_.get(), nullptr, 0), kInvalid);
  const SessionOwner session = CreateSession(model_);
  EXPECT_FAILS(specinfer_session_set_corpus(nullptr, corpus_.get(), 0),
               kInvalid, "session is NULL");
  EXPECT_FAILS(specinfer_session_set_corpus(session.get(), corpus_.get(), 2),
               kInvalid, "flags");
  EXPECT_FAILS(specinfer_session_set_corpus(session.get(), nullptr, 0x80000000),
               kInvalid, "flags");
}

TEST_F(CApiCorpus, RefusesAnotherVocabulary) {
  const ModelOwner other = LoadModel(engine_, TinyModel("tiny-gemma3.gguf"));
  const CorpusOwner stranger = CreateCorpus(other);
  ASSERT_OK(AddText(stranger, "Once upon a time"));
  const SessionOwner session = CreateSession(model_);

  EXPECT_FAILS(specinfer_session_set_corpus(session.get(), stranger.get(), 0),
               SPECINFER_FAILED_PRECONDITION, "vocabulary");
  EXPECT_FAILS(Restore(corpus_, Save(stranger)), SPECINFER_FAILED_PRECONDITION,
               "vocabulary");
}

TEST_F(CApiCorpus, AnAddedTextIsGuessed) {
  const Told alone = Tell(CorpusOwner());
  ASSERT_OK(AddText(corpus_, std::string(kPrompt) + alone.answer.text));

  const Told guessed = Tell(corpus_);

  EXPECT_EQ(guessed.answer.tokens, alone.answer.tokens);
  EXPECT_LT(guessed.num_rounds, alone.num_rounds);
}

TEST_F(CApiCorpus, ALearnedAnswerIsGuessedUntilTheCorpusIsCleared) {
  const Told first = Tell(corpus_, SPECINFER_CORPUS_LEARN);
  EXPECT_GT(first.num_rounds, kLength * 3 / 4);

  const Told second = Tell(corpus_);
  EXPECT_EQ(second.answer.tokens, first.answer.tokens);
  EXPECT_LT(second.num_rounds, kLength / 2);

  ASSERT_OK(specinfer_corpus_clear(corpus_.get()));
  const Told third = Tell(corpus_);
  EXPECT_EQ(third.answer.tokens, first.answer.tokens);
  EXPECT_GT(third.num_rounds, kLength * 3 / 4);
}

TEST_F(CApiCorpus, LearnsOnlyWhereAsked) {
  ASSERT_OK(AddText(corpus_, "Once upon a time"));
  const std::string before = Save(corpus_);
  const SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  ASSERT_OK(specinfer_session_set_corpus(session.get(), corpus_.get(), 0));
  Tell(session);
  EXPECT_EQ(Save(corpus_), before);

  ASSERT_OK(specinfer_session_set_corpus(session.get(), corpus_.get(),
                                         SPECINFER_CORPUS_LEARN));
  Tell(session);
  const std::string after = Save(corpus_);
  EXPECT_NE(after, before);

  ASSERT_OK(specinfer_session_set_corpus(session.get(), nullptr,
                                         SPECINFER_CORPUS_LEARN));
  Tell(session);
  EXPECT_EQ(Save(corpus_), after);
}

TEST_F(CApiCorpus, ASavedCorpusGuessesInAnotherProcess) {
  const Told first = Tell(corpus_, SPECINFER_CORPUS_LEARN);
  const std::string saved = Save(corpus_);
  const CorpusOwner restored = CreateCorpus(model_);
  ASSERT_OK(AddText(restored, "Replaced."));

  ASSERT_OK(Restore(restored, saved));

  EXPECT_EQ(Save(restored), saved);
  const Told second = Tell(restored);
  EXPECT_EQ(second.answer.tokens, first.answer.tokens);
  EXPECT_LT(second.num_rounds, kLength / 2);
}

TEST_F(CApiCorpus, DamagedBytesLeaveItUnchanged) {
  Tell(corpus_, SPECINFER_CORPUS_LEARN);
  const std::string saved = Save(corpus_);
  const CorpusOwner kept = CreateCorpus(model_);
  ASSERT_OK(AddText(kept, "What is there stays there."));
  const std::string before = Save(kept);
  for (size_t i = 0; i < saved.size(); ++i) {
    std::string damaged = saved;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    const specinfer_status status = Restore(kept, damaged);
    EXPECT_TRUE(status == kInvalid || status == SPECINFER_DATA_LOSS ||
                status == SPECINFER_FAILED_PRECONDITION)
        << "byte " << i << ": " << specinfer_status_name(status);
  }
  for (size_t length = 0; length < saved.size(); ++length) {
    EXPECT_NE(Restore(kept, std::string_view(saved).substr(0, length)),
              SPECINFER_OK)
        << length;
  }
  EXPECT_EQ(Restore(kept, "not a corpus at all, but a text of some length"),
            kInvalid);

  EXPECT_EQ(Save(kept), before);
}

TEST_F(CApiCorpus, AWriterThatFailsStopsTheSave) {
  ASSERT_OK(AddText(corpus_, "Once upon a time"));

  EXPECT_EQ(
      specinfer_corpus_save(
          corpus_.get(),
          [](void*, const void*, size_t) -> int32_t { return 1; }, nullptr),
      SPECINFER_CANCELLED);
}

TEST_F(CApiCorpus, ForgetsTheOldestWhereItIsFull) {
  const CorpusOwner small = CreateCorpus(model_, 256);
  Tell(small, SPECINFER_CORPUS_LEARN);
  EXPECT_LT(Tell(small).num_rounds, kLength / 2);

  for (int i = 0; i < 60; ++i)
    ASSERT_OK(AddText(small, "Words and words and words without an end."));

  EXPECT_GT(Tell(small).num_rounds, kLength / 2);
}

// ---- Life ----

TEST_F(CApiCorpus, OutlivesModelAndEngine) {
  ASSERT_OK(AddText(corpus_, "Once upon a time"));
  const std::string saved = Save(corpus_);

  engine_.reset();
  model_.reset();

  EXPECT_EQ(Save(corpus_), saved);
  EXPECT_OK(AddText(corpus_, "there was a fox."));
}

TEST_F(CApiCorpus, TheSessionKeepsItAliveWhateverGoesFirst) {
  const Told first = Tell(corpus_, SPECINFER_CORPUS_LEARN);
  const SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  ASSERT_OK(specinfer_session_set_corpus(session.get(), corpus_.get(),
                                         SPECINFER_CORPUS_LEARN));

  corpus_.reset();
  model_.reset();
  engine_.reset();

  const Told second = Tell(session);
  EXPECT_EQ(second.answer.tokens, first.answer.tokens);
  EXPECT_LT(second.num_rounds, kLength / 2);
}

TEST_F(CApiCorpus, AForkLearnsIntoItToo) {
  SessionOwner session = CreateSession(model_);
  ASSERT_OK(SetPrompt(session, kPrompt));
  ASSERT_OK(specinfer_session_set_corpus(session.get(), corpus_.get(),
                                         SPECINFER_CORPUS_LEARN));
  specinfer_session* forked = nullptr;
  ASSERT_OK(specinfer_session_fork(session.get(), &forked));
  const SessionOwner fork(forked);
  session.reset();
  const std::string before = Save(corpus_);

  Tell(fork);

  EXPECT_NE(Save(corpus_), before);
}

TEST_F(CApiCorpus, ItsMemoryIsCountedAndGivenBack) {
  const auto used = [&] {
    specinfer_engine_statistics statistics = SPECINFER_ENGINE_STATISTICS_INIT;
    EXPECT_OK(specinfer_engine_get_statistics(engine_.get(), &statistics));
    return statistics.memory_used_bytes;
  };
  const uint64_t before = used();
  CorpusOwner large = CreateCorpus(model_, 100000);
  EXPECT_GT(used(), before + 100000 * 8);

  large.reset();

  EXPECT_EQ(used(), before);
}

}  // namespace
}  // namespace specinfer_test
