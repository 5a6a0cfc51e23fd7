// A draft model of another vocabulary: the text is the target's alone.
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/session/session.h"
#include "src/speculate/translated_drafter.h"
#include "tests/session/faulty_backend.h"
#include "tests/session/tiny_models.h"
#include "tests/speculate/knowing_drafter.h"

namespace specinfer {
namespace {

// Byte-level BPE and SentencePiece.
struct Pair {
  const char* target;
  const char* draft;
};

SamplingOptions Greedy() { return {}; }
SamplingOptions Sampled() {
  SamplingOptions sampling;
  sampling.temperature = 0.8f;
  sampling.seed = 5;
  return sampling;
}

GenerationOptions Options(Strategy strategy, const SamplingOptions& sampling,
                          int32_t max_tokens = 100) {
  GenerationOptions options;
  options.max_tokens = max_tokens;
  options.sampling = sampling;
  options.strategy = strategy;
  options.ignore_end = true;
  return options;
}

std::vector<Token> Finish(Session& session, int64_t step_us = 0) {
  while (true) {
    const absl::StatusOr<Event> event = session.Step(step_us);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok() || event->state == StepState::kDone) break;
  }
  return {session.tokens().begin(), session.tokens().end()};
}

std::unique_ptr<Session> MakeSession(const Pair& pair,
                                     std::shared_ptr<const Engine> engine,
                                     int32_t max_tree_nodes = 0) {
  SessionOptions options;
  options.max_context_tokens = 256;
  options.max_tree_nodes = max_tree_nodes;
  options.draft_model = LoadTiny(pair.draft, engine);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Create(LoadTiny(pair.target, engine), options);
  EXPECT_TRUE(session.ok()) << session.status();
  return session.ok() ? *std::move(session) : nullptr;
}

void SetPrompt(Session& session) {
  ASSERT_TRUE(session
                  .SetPrompt("The old man said that it was the best of times "
                             "in café 中文 and then ",
                             {})
                  .ok());
}

class TranslatedDraft
    : public testing::TestWithParam<std::tuple<Pair, Strategy>> {
 protected:
  const Pair& pair() const { return std::get<0>(GetParam()); }
  Strategy strategy() const { return std::get<1>(GetParam()); }
};

// Turns, questions back, forks: everything a drafter has to follow.
std::vector<std::vector<Token>> Converse(const Pair& pair, Strategy strategy,
                                         const SamplingOptions& sampling,
                                         int64_t step_us,
                                         int32_t max_tree_nodes) {
  const auto session = MakeSession(pair, MakeEngine("cpu", 1), max_tree_nodes);
  std::vector<std::vector<Token>> texts;
  SetPrompt(*session);
  EXPECT_TRUE(session->Start(Options(strategy, sampling, 60)).ok());
  texts.push_back(Finish(*session, step_us));
  EXPECT_TRUE(session->Regenerate(Options(strategy, sampling, 50)).ok());
  texts.push_back(Finish(*session, step_us));
  EXPECT_TRUE(session->Truncate(session->tokens().size() - 17).ok());
  EXPECT_TRUE(session->Start(Options(strategy, sampling, 20)).ok());
  texts.push_back(Finish(*session, step_us));
  const auto fork = *session->Fork();
  for (Session* each : {session.get(), fork.get()}) {
    EXPECT_TRUE(each->AppendText(" and more of it", {}).ok());
    EXPECT_TRUE(each->Start(Options(strategy, sampling, 40)).ok());
    texts.push_back(Finish(*each, step_us));
  }
  return texts;
}

TEST_P(TranslatedDraft, LeavesTheTextAsPlainDecodingDoes) {
  for (const SamplingOptions& sampling : {Greedy(), Sampled()}) {
    const auto expected = Converse(pair(), Strategy::kOff, sampling, 0, 0);
    EXPECT_EQ(Converse(pair(), strategy(), sampling, 0, 0), expected)
        << "temperature " << sampling.temperature;
    EXPECT_EQ(Converse(pair(), strategy(), sampling, 100, 7), expected)
        << "in small steps, temperature " << sampling.temperature;
  }
}

constexpr Pair kPairs[] = {{"tiny-llama", "tiny-gemma3"},
                           {"tiny-gemma3", "tiny-llama"},
                           {"tiny-quantized", "tiny-gemma3"}};

std::string NameOf(
    const testing::TestParamInfo<std::tuple<Pair, Strategy>>& tested) {
  static constexpr const char* kNames[] = {"Auto",  "Off",  "Ngram",
                                           "Draft", "Tree", "EarlyExit"};
  const Pair& pair = std::get<0>(tested.param);
  return std::string(pair.target).substr(5) + "By" +
         std::string(pair.draft).substr(5) +
         kNames[static_cast<int>(std::get<1>(tested.param))];
}

INSTANTIATE_TEST_SUITE_P(Pairs, TranslatedDraft,
                         testing::Combine(testing::ValuesIn(kPairs),
                                          testing::Values(Strategy::kAuto,
                                                          Strategy::kDraft,
                                                          Strategy::kTree)),
                         NameOf);

TEST(TranslatedDraftModel, IsAskedAndMakesNoErrors) {
  const auto session = MakeSession({"tiny-gemma3", "tiny-llama"}, MakeEngine());
  SetPrompt(*session);
  ASSERT_TRUE(session->Start(Options(Strategy::kTree, Greedy())).ok());
  Finish(*session);

  const DrafterStatistics& draft =
      session->speculation_statistics().drafters.back();
  EXPECT_EQ(draft.name, "draft");
  EXPECT_EQ(draft.num_errors, 0u);
  EXPECT_GT(draft.num_drafts, 50u);
}

// Random models hardly agree. One that knows what comes shows that what is
// guessed in other tokens is accepted, and that lies change nothing.
TEST(TranslatedDraftModel, ThatKnowsTheTextSavesRounds) {
  for (const SamplingOptions& sampling : {Greedy(), Sampled()}) {
    const auto engine = MakeEngine();
    const Pair pair = {"tiny-llama", "tiny-gemma3"};
    const auto other = LoadTiny(pair.draft, engine);
    const auto plain = MakeSession(pair, engine);
    SetPrompt(*plain);
    ASSERT_TRUE(plain->Start(Options(Strategy::kOff, sampling)).ok());
    const std::vector<Token> expected = Finish(*plain);
    std::string text;
    for (const Token token : expected)
      text += plain->model().tokenizer().TokenBytes(token, false);

    for (const int lies_every : {0, 3}) {
      auto knowing = std::make_unique<KnowingDrafter>(other->tokenizer(), text);
      knowing->lies_every = lies_every;
      knowing->num_deadlines = 1;
      const auto session = MakeSession(pair, engine);
      session->AddDrafter(
          *TranslatedDrafter::Create(std::move(knowing), other->tokenizer(),
                                     session->model().tokenizer(),
                                     *engine->memory, {}),
          DrafterKind::kFree);
      SetPrompt(*session);
      ASSERT_TRUE(session->Start(Options(Strategy::kNgram, sampling)).ok());
      EXPECT_EQ(Finish(*session), expected);

      const SpeculationStatistics& statistics =
          session->speculation_statistics();
      const DrafterStatistics& draft = statistics.drafters.back();
      EXPECT_EQ(draft.num_errors, 0u);
      if (lies_every > 0) {
        EXPECT_LT(draft.num_accepted, draft.num_reached);
        continue;
      }
      EXPECT_GT(draft.num_accepted, draft.num_reached * 8 / 10);
      EXPECT_LT(statistics.num_rounds, statistics.num_tokens / 2);
    }
  }
}

TEST(TranslatedDraftModel, AFailureAtAnyOpLeavesTheText) {
  FaultPlan faults;
  const auto engine = MakeFaultyEngine(&faults);
  ASSERT_NE(engine, nullptr);
  const auto session = MakeSession({"tiny-llama", "tiny-gemma3"}, engine);
  const GenerationOptions options = Options(Strategy::kTree, Sampled(), 20);
  const auto start = [&] {
    ASSERT_TRUE(session->Truncate(0).ok());
    SetPrompt(*session);
    ASSERT_TRUE(session->Start(options).ok());
    faults.num_ops = 0;
  };
  start();
  const std::vector<Token> expected = Finish(*session);
  const long num_ops = faults.num_ops;

  for (long op = 0; op < num_ops; op += 1 + op / 40) {
    start();
    faults.fails_at = op;
    absl::StatusOr<Event> event;
    do {
      event = session->Step(0);
    } while (event.ok() && event->state != StepState::kDone);
    faults.fails_at = -1;
    if (!event.ok()) {
      GenerationOptions rest = options;
      rest.max_tokens =
          static_cast<int32_t>(expected.size() - session->tokens().size());
      ASSERT_TRUE(session->Start(rest).ok());
      Finish(*session);
    }
    ASSERT_EQ(
        std::vector<Token>(session->tokens().begin(), session->tokens().end()),
        expected)
        << "op " << op;
  }
}

}  // namespace
}  // namespace specinfer
