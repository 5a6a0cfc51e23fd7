// Speculation in sessions: the text never depends on who guesses, however they
// behave.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/session/session.h"
#include "tests/session/faulty_backend.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

uint32_t Next(uint32_t* state) {
  return (*state = *state * 1664525u + 1013904223u) >> 8;
}

// Random tokens with a part that comes again and again.
std::vector<Token> Prompt(const Model& model, uint32_t seed, size_t length) {
  const uint32_t size =
      static_cast<uint32_t>(model.architecture().vocabulary_size);
  std::vector<Token> tokens;
  while (tokens.size() < length) {
    if (tokens.size() > 20 && Next(&seed) % 12 == 0) {
      const std::vector<Token> part(tokens.begin() + 3, tokens.begin() + 15);
      tokens.insert(tokens.end(), part.begin(), part.end());
    } else {
      tokens.push_back(static_cast<Token>(Next(&seed) % size));
    }
  }
  tokens.resize(length);
  return tokens;
}

struct Setting {
  std::string model = "tiny-llama";
  std::string draft;  // of a session; empty: none
  Strategy strategy = Strategy::kOff;
  int num_threads = 1;
  int32_t max_tree_nodes = 0;
  int64_t step_us = 0;
};

SamplingOptions Greedy() { return {}; }
SamplingOptions Sampled() {
  SamplingOptions sampling;
  sampling.temperature = 0.8f;
  sampling.seed = 5;
  return sampling;
}
SamplingOptions WithEverything() {
  SamplingOptions sampling = Sampled();
  sampling.top_k = 40;
  sampling.top_p = 0.95f;
  sampling.min_p = 0.01f;
  sampling.repetition_penalty = 1.1f;
  sampling.frequency_penalty = 0.1f;
  sampling.presence_penalty = 0.1f;
  sampling.dry_multiplier = 0.5f;
  sampling.logit_biases = {{3, 2.0f}, {7, -1.0f}};
  return sampling;
}

std::unique_ptr<Session> MakeSession(const Setting& setting,
                                     std::shared_ptr<const Engine> engine) {
  SessionOptions options;
  options.max_context_tokens = 256;
  options.max_tree_nodes = setting.max_tree_nodes;
  const auto model = LoadTiny(setting.model, engine);
  if (!setting.draft.empty())
    options.draft_model = setting.draft == setting.model
                              ? model
                              : LoadTiny(setting.draft, engine);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Create(model, options);
  EXPECT_TRUE(session.ok()) << session.status();
  return session.ok() ? *std::move(session) : nullptr;
}

std::unique_ptr<Session> MakeSession(const Setting& setting) {
  return MakeSession(setting, MakeEngine("cpu", setting.num_threads));
}

// Runs an answer that was started. The text of all events.
std::string Finish(Session& session, int64_t step_us = 0) {
  std::string text;
  while (true) {
    const absl::StatusOr<Event> event = session.Step(step_us);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok()) return text;
    text += std::string(event->text);
    if (event->state == StepState::kDone) return text;
  }
}

std::vector<Token> Tokens(const Session& session) {
  return {session.tokens().begin(), session.tokens().end()};
}

GenerationOptions Options(const Setting& setting,
                          const SamplingOptions& sampling,
                          int32_t max_tokens = 100) {
  GenerationOptions options;
  options.max_tokens = max_tokens;
  options.sampling = sampling;
  options.strategy = setting.strategy;
  options.ignore_end = true;
  return options;
}

std::vector<Token> Generate(const Setting& setting,
                            const SamplingOptions& sampling,
                            int32_t max_tokens = 100) {
  const auto session = MakeSession(setting);
  EXPECT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 90)).ok());
  EXPECT_TRUE(session->Start(Options(setting, sampling, max_tokens)).ok());
  Finish(*session, setting.step_us);
  return Tokens(*session);
}

class SameTextWhoeverGuesses : public testing::TestWithParam<Setting> {};

TEST_P(SameTextWhoeverGuesses, AtAnyTemperatureAndWithAnyRules) {
  Setting off = GetParam();
  off.strategy = Strategy::kOff;
  off.draft.clear();
  off.step_us = 0;
  off.num_threads = 1;
  for (const SamplingOptions& sampling :
       {Greedy(), Sampled(), WithEverything()}) {
    EXPECT_EQ(Generate(GetParam(), sampling), Generate(off, sampling))
        << "temperature " << sampling.temperature;
  }
}

std::vector<Setting> AllSettings() {
  std::vector<Setting> settings;
  for (const char* model : {"tiny-llama", "tiny-gemma3", "tiny-quantized"}) {
    for (const Strategy strategy :
         {Strategy::kAuto, Strategy::kNgram, Strategy::kDraft, Strategy::kTree,
          Strategy::kEarlyExit}) {
      settings.push_back(
          {.model = model, .draft = model, .strategy = strategy});
      settings.push_back({.model = model,
                          .draft = model,
                          .strategy = strategy,
                          .num_threads = 2,
                          .max_tree_nodes = 7,
                          .step_us = 100});
    }
  }
  return settings;
}

std::string NameOf(const testing::TestParamInfo<Setting>& tested) {
  static constexpr const char* kNames[] = {"Auto",  "Off",  "Ngram",
                                           "Draft", "Tree", "EarlyExit"};
  std::string name = tested.param.model.substr(5);
  name += kNames[static_cast<int>(tested.param.strategy)];
  if (tested.param.step_us > 0) name += "InSmallSteps";
  return name;
}

INSTANTIATE_TEST_SUITE_P(Settings, SameTextWhoeverGuesses,
                         testing::ValuesIn(AllSettings()), NameOf);

TEST(Speculation, OfTheModelByItselfIsAlwaysRight) {
  const Setting setting = {.draft = "tiny-llama", .strategy = Strategy::kDraft};
  const auto session = MakeSession(setting);
  ASSERT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 90)).ok());
  ASSERT_TRUE(session->Start(Options(setting, Greedy())).ok());
  Finish(*session);

  const SpeculationStatistics& statistics = session->speculation_statistics();
  const DrafterStatistics& draft = statistics.drafters.back();
  EXPECT_EQ(draft.name, "draft");
  EXPECT_GT(draft.num_reached, 20u);
  EXPECT_EQ(draft.num_accepted, draft.num_reached);
  EXPECT_LT(statistics.num_rounds, statistics.num_tokens);
}

// The next turn is that of plain decoding: cache, penalties, index, noise.
TEST(Speculation, LeavesTheNextTurnAsPlainDecodingDoes) {
  const auto run = [](Strategy strategy) {
    const Setting setting = {.draft = "tiny-llama", .strategy = strategy};
    const auto session = MakeSession(setting);
    EXPECT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 90)).ok());
    std::vector<std::vector<Token>> texts;
    GenerationOptions options = Options(setting, WithEverything(), 60);
    EXPECT_TRUE(session->Start(options).ok());
    const std::string text = Finish(*session);
    texts.push_back(Tokens(*session));
    // A stop string from the middle of that text falls inside a burst.
    EXPECT_TRUE(session->Truncate(90).ok());
    options.stop_strings = {text.substr(text.size() / 2, 3)};
    options.banned_strings = {text.substr(text.size() / 3, 4)};
    EXPECT_TRUE(session->Start(options).ok());
    Finish(*session);
    texts.push_back(Tokens(*session));
    EXPECT_TRUE(session->Regenerate(options).ok());
    Finish(*session);
    texts.push_back(Tokens(*session));
    const auto fork = *session->Fork();
    for (Session* each : {session.get(), fork.get()}) {
      EXPECT_TRUE(each->AppendTokens(Prompt(each->model(), 9, 10)).ok());
      EXPECT_TRUE(each->Start(Options(setting, WithEverything(), 50)).ok());
      Finish(*each);
      texts.push_back(Tokens(*each));
    }
    return texts;
  };
  const auto expected = run(Strategy::kOff);
  for (const Strategy strategy :
       {Strategy::kAuto, Strategy::kNgram, Strategy::kDraft, Strategy::kTree,
        Strategy::kEarlyExit}) {
    EXPECT_EQ(run(strategy), expected) << static_cast<int>(strategy);
  }
}

TEST(Speculation, EndsAtTheLimitsOfAnswerAndContext) {
  for (const int32_t max_tokens : {1, 2, 7, 0}) {
    const auto run = [max_tokens](Strategy strategy) {
      const Setting setting = {.draft = "tiny-llama", .strategy = strategy};
      const auto session = MakeSession(setting);
      EXPECT_TRUE(
          session->SetPromptTokens(Prompt(session->model(), 3, 200)).ok());
      EXPECT_TRUE(session->Start(Options(setting, Greedy(), max_tokens)).ok());
      Finish(*session);
      return Tokens(*session);
    };
    const auto expected = run(Strategy::kOff);
    EXPECT_EQ(expected.size(),
              max_tokens == 0 ? 256u : 200u + static_cast<size_t>(max_tokens));
    EXPECT_EQ(run(Strategy::kTree), expected);
    EXPECT_EQ(run(Strategy::kAuto), expected);
  }
}

TEST(Speculation, GivesTheLogProbabilitiesOfPlainDecoding) {
  const auto run = [](Strategy strategy) {
    const Setting setting = {.draft = "tiny-llama", .strategy = strategy};
    const auto session = MakeSession(setting);
    EXPECT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 90)).ok());
    GenerationOptions options = Options(setting, Sampled(), 40);
    options.wants_log_probabilities = true;
    EXPECT_TRUE(session->Start(options).ok());
    std::vector<float> values;
    while (true) {
      const Event event = *session->Step(0);
      for (const GeneratedToken& token : event.tokens)
        values.push_back(token.log_probability);
      if (event.state == StepState::kDone) return values;
    }
  };
  const std::vector<float> expected = run(Strategy::kOff);
  EXPECT_EQ(expected.size(), 40u);
  EXPECT_EQ(run(Strategy::kTree), expected);
}

// A question in the middle of a draft that stopped at its deadline: what it
// had in the cache is gone.
TEST(Speculation, GoesOnAfterQuestionsInTheMiddleOfADraft) {
  for (const Strategy strategy :
       {Strategy::kDraft, Strategy::kTree, Strategy::kEarlyExit}) {
    const Setting setting = {.draft = "tiny-llama", .strategy = strategy};
    const auto session = MakeSession(setting);
    // Guesses reach into a page that is not held yet.
    ASSERT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 64)).ok());
    ASSERT_TRUE(session->Start(Options(setting, Greedy(), 80)).ok());
    const std::vector<Token> asked = {4, 5, 6};
    std::vector<float> scores(asked.size());
    int num_questions = 0;
    StepState state = StepState::kMore;
    for (int step = 1; state != StepState::kDone; ++step) {
      const absl::StatusOr<Event> event = session->Step(/*max_us=*/30);
      ASSERT_TRUE(event.ok()) << event.status();
      state = event->state;
      if (state == StepState::kDone || step % 3 != 0 || num_questions >= 60)
        continue;
      ++num_questions;
      if (step % 2 == 0) {
        ASSERT_TRUE(session->MeasurePass(2, 1).ok());
      } else {
        ASSERT_TRUE(session->ScoreTokens(asked, absl::MakeSpan(scores)).ok());
      }
    }

    const auto plain = MakeSession(setting);
    ASSERT_TRUE(plain->SetPromptTokens(Prompt(plain->model(), 3, 64)).ok());
    GenerationOptions options = Options(setting, Greedy(), 80);
    options.strategy = Strategy::kOff;
    ASSERT_TRUE(plain->Start(options).ok());
    Finish(*plain);
    EXPECT_EQ(Tokens(*session), Tokens(*plain));
    EXPECT_GT(num_questions, 3);
  }
}

TEST(Speculation, ExpectedTextIsDraftedInBursts) {
  Setting setting = {.strategy = Strategy::kOff};
  const auto session = MakeSession(setting);
  const std::vector<Token> prompt = Prompt(session->model(), 3, 90);
  ASSERT_TRUE(session->SetPromptTokens(prompt).ok());
  ASSERT_TRUE(session->Start(Options(setting, Sampled())).ok());
  Finish(*session);
  const std::vector<Token> expected = Tokens(*session);
  const std::string text = [&] {
    std::string bytes;
    for (size_t i = prompt.size(); i < expected.size(); ++i)
      bytes += session->model().tokenizer().TokenBytes(expected[i], false);
    return bytes;
  }();

  setting.strategy = Strategy::kNgram;
  ASSERT_TRUE(session->SetPromptTokens(prompt).ok());
  ASSERT_TRUE(session->SetExpectedOutput(text).ok());
  ASSERT_TRUE(session->Start(Options(setting, Sampled())).ok());
  const uint64_t rounds_before = session->statistics().num_rounds;
  Finish(*session);

  EXPECT_EQ(Tokens(*session), expected);
  EXPECT_LT(session->statistics().num_rounds - rounds_before, 60u);
}

TEST(Speculation, RefusesADraftModelItCannotUse) {
  const auto engine = MakeEngine();
  const auto model = LoadTiny("tiny-llama", engine);
  const auto stranger = LoadTiny("tiny-llama", MakeEngine());

  EXPECT_TRUE(absl::IsFailedPrecondition(
      Session::Create(model, {.draft_model = stranger}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Session::Create(model, {.max_tree_nodes = 1025}).status()));
  const auto session = *Session::Create(model, {});
  ASSERT_TRUE(session->AppendTokens(std::vector<Token>{1, 2}).ok());
  GenerationOptions options;
  options.strategy = Strategy::kTree;
  EXPECT_TRUE(absl::IsFailedPrecondition(session->Start(options)));
}

// ---- Drafters that misbehave ------------------------------------------------

constexpr uint64_t kBudget = uint64_t{32} << 20;

// Proposes nonsense with confidence, and can be slow, fail, or take all memory
// that is left.
class BadDrafter : public Drafter {
 public:
  enum class Manner { kLies, kStalls, kFails, kEats };
  BadDrafter(Manner manner, Memory& memory)
      : manner_(manner), memory_(memory) {}

  std::string_view name() const override { return "bad"; }
  absl::Status Draft(const DraftRequest& request, TokenTree* tree) override {
    ++num_drafts_;
    int32_t node = 0;
    while (tree->size() < request.budget.max_nodes && tree->size() < 20 &&
           tree->depth(node) < request.budget.max_depth) {
      node = tree->AddNode(node, static_cast<Token>(Next(&state_) % 200), 0.9f,
                           request.source);
    }
    if (manner_ == Manner::kStalls)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (manner_ == Manner::kEats) Eat();
    return manner_ == Manner::kFails ? absl::InternalError("out of ideas")
                                     : absl::OkStatus();
  }
  bool GiveBackMemory() override {
    const bool had_any = !eaten_.empty();
    eaten_.clear();
    return had_any;
  }
  void Accept(absl::Span<const Token>, const TokenTree&, const Walk&,
              const WalkFeatures&) override {}
  void Rollback(size_t) override {}
  absl::StatusOr<std::unique_ptr<Drafter>> Fork() override {
    return std::make_unique<BadDrafter>(manner_, memory_);
  }
  int num_drafts() const { return num_drafts_; }

 private:
  void Eat() {
    for (size_t size = kBudget; size >= 4096;) {
      absl::StatusOr<Block> block = memory_.Allocate(size, "a bad drafter");
      if (block.ok()) {
        eaten_.push_back(*std::move(block));
      } else {
        size /= 2;
      }
    }
  }

  Manner manner_;
  Memory& memory_;
  std::vector<Block> eaten_;
  uint32_t state_ = 1;
  int num_drafts_ = 0;
};

class Misbehaviour : public testing::TestWithParam<BadDrafter::Manner> {};

TEST_P(Misbehaviour, ChangesNoTextAndIsLeftOut) {
  const Setting setting = {.strategy = Strategy::kAuto};
  EngineOptions engine_options;
  engine_options.num_threads = 1;
  engine_options.memory_budget_bytes = kBudget;
  const std::shared_ptr<const Engine> engine =
      *CreateEngine(std::move(engine_options));
  const auto session = MakeSession(setting, engine);
  auto owned = std::make_unique<BadDrafter>(GetParam(), *engine->memory);
  BadDrafter& drafter = *owned;
  session->AddDrafter(std::move(owned), DrafterKind::kFree);
  ASSERT_TRUE(session->SetPromptTokens(Prompt(session->model(), 3, 90)).ok());
  ASSERT_TRUE(session->Start(Options(setting, Sampled(), 128)).ok());
  int drafts_at_32 = 0;
  session->SetRoundObserver([&, rounds = 0](const RoundReport&) mutable {
    if (++rounds == 32) drafts_at_32 = drafter.num_drafts();
  });
  Finish(*session);

  Setting off = setting;
  off.strategy = Strategy::kOff;
  EXPECT_EQ(Tokens(*session), Generate(off, Sampled(), 128));
  // Within 32 rounds it is found out; later trials are rare.
  EXPECT_LT(drafts_at_32, 24);
  EXPECT_LT(drafter.num_drafts() - drafts_at_32, 32);
  if (GetParam() == BadDrafter::Manner::kFails) {
    const SpeculationStatistics& statistics = session->speculation_statistics();
    EXPECT_GT(statistics.drafters.back().num_errors, 0u);
    EXPECT_EQ(statistics.last_error.message(), "out of ideas");
  }
  if (GetParam() == BadDrafter::Manner::kEats) {
    const SpeculationStatistics& statistics = session->speculation_statistics();
    EXPECT_GT(statistics.drafters.back().num_errors, 0u);
    EXPECT_TRUE(absl::IsResourceExhausted(statistics.last_error));
  }
}

INSTANTIATE_TEST_SUITE_P(Manners, Misbehaviour,
                         testing::Values(BadDrafter::Manner::kLies,
                                         BadDrafter::Manner::kStalls,
                                         BadDrafter::Manner::kFails,
                                         BadDrafter::Manner::kEats));

// ---- Failures in the middle of a round --------------------------------------

TEST(Speculation, AFailureAtAnyOpLeavesTheLastCommit) {
  FaultPlan faults;
  const auto engine = MakeFaultyEngine(&faults);
  ASSERT_NE(engine, nullptr);
  const Setting setting = {.draft = "tiny-llama", .strategy = Strategy::kTree};
  const auto session = MakeSession(setting, engine);
  const std::vector<Token> prompt = Prompt(session->model(), 3, 90);
  const GenerationOptions options = Options(setting, Sampled(), 30);
  ASSERT_TRUE(session->SetPromptTokens(prompt).ok());
  ASSERT_TRUE(session->Start(options).ok());
  faults.num_ops = 0;
  Finish(*session);
  const std::vector<Token> expected = Tokens(*session);
  const long num_ops = faults.num_ops;

  for (long op = 0; op < num_ops; op += 1 + op / 40) {
    ASSERT_TRUE(session->Truncate(0).ok());
    ASSERT_TRUE(session->SetPromptTokens(prompt).ok());
    ASSERT_TRUE(session->Start(options).ok());
    faults.num_ops = 0;
    faults.fails_at = op;
    absl::StatusOr<Event> event;
    do {
      event = session->Step(0);
    } while (event.ok() && event->state != StepState::kDone);
    faults.fails_at = -1;
    // A draft's failure costs nothing but time; the target's ends the call.
    const size_t num_kept = session->tokens().size();
    ASSERT_EQ(Tokens(*session),
              std::vector<Token>(
                  expected.begin(),
                  expected.begin() + static_cast<std::ptrdiff_t>(num_kept)))
        << "op " << op;
    if (event.ok()) {
      ASSERT_EQ(num_kept, expected.size());
      continue;
    }
    // Going on from there gives the same text, as nothing was half done.
    GenerationOptions rest = options;
    rest.max_tokens =
        static_cast<int32_t>(expected.size() - session->tokens().size());
    ASSERT_TRUE(session->Start(rest).ok());
    Finish(*session);
    ASSERT_EQ(Tokens(*session), expected) << "op " << op;
  }
}

}  // namespace
}  // namespace specinfer
