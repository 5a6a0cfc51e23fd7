// The verifiers by ratio in sessions: the text depends on who guesses, its law
// never does.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/session/session.h"
#include "tests/session/faulty_backend.h"
#include "tests/session/tiny_models.h"
#include "tests/speculate/goodness_of_fit.h"

namespace specinfer {
namespace {

constexpr uint64_t kNumTexts = 2500;

using Text = std::vector<Token>;

struct Setting {
  Verifier verifier = Verifier::kRatio;
  Strategy strategy = Strategy::kDraft;
  // Of the same vocabulary; "tiny-llama" is the target itself.
  std::string draft = "tiny-llama";
};

constexpr const char* kTarget = "tiny-llama";
constexpr const char* kStranger = "tiny-qwen3";

SamplingOptions Cool() {
  SamplingOptions sampling;
  sampling.temperature = 0.4f;
  sampling.top_k = 4;
  sampling.min_p = 0.05f;
  return sampling;
}
SamplingOptions Hot() {
  SamplingOptions sampling;
  sampling.temperature = 1.6f;
  sampling.top_k = 5;
  sampling.top_p = 0.9f;
  return sampling;
}
// Too wide for the candidates that are asked for at first.
SamplingOptions Wide() {
  SamplingOptions sampling;
  sampling.temperature = 1.0f;
  sampling.top_p = 0.999f;
  return sampling;
}
SamplingOptions Uncut() {
  SamplingOptions sampling;
  sampling.temperature = 0.7f;
  return sampling;
}
// Which tokens are likely depends on the path.
SamplingOptions WithRules() {
  SamplingOptions sampling;
  sampling.temperature = 0.9f;
  sampling.top_k = 4;
  sampling.presence_penalty = 2.0f;
  sampling.frequency_penalty = 0.5f;
  sampling.logit_biases = {{3, 2.0f}, {7, -1.0f}, {60, 3.0f}};
  return sampling;
}

Text Prompt(size_t length = 40) {
  Text tokens;
  uint32_t state = 11;
  while (tokens.size() < length) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(static_cast<Token>((state >> 8) % 200));
  }
  return tokens;
}

std::unique_ptr<Session> MakeSession(
    const Setting& setting,
    std::shared_ptr<const Engine> engine = MakeEngine()) {
  SessionOptions options;
  options.max_context_tokens = 256;
  options.draft_model = LoadTiny(setting.draft, engine);
  absl::StatusOr<std::unique_ptr<Session>> session =
      Session::Create(LoadTiny(kTarget, engine), options);
  EXPECT_TRUE(session.ok()) << session.status();
  return session.ok() ? *std::move(session) : nullptr;
}

GenerationOptions Options(const Setting& setting,
                          const SamplingOptions& sampling, int32_t max_tokens) {
  GenerationOptions options;
  options.max_tokens = max_tokens;
  options.sampling = sampling;
  options.strategy = setting.strategy;
  options.verifier = setting.verifier;
  options.ignore_end = true;
  return options;
}

void Finish(Session& session, int64_t step_us = 0) {
  while (true) {
    const absl::StatusOr<Event> event = session.Step(step_us);
    ASSERT_TRUE(event.ok()) << event.status();
    if (event->state == StepState::kDone) return;
  }
}

Text Tokens(const Session& session) {
  return {session.tokens().begin(), session.tokens().end()};
}

Text Generate(Session& session, const Text& prompt,
              const GenerationOptions& options, int64_t step_us = 0) {
  EXPECT_TRUE(session.SetPromptTokens(prompt).ok());
  const absl::Status status = session.Start(options);
  EXPECT_TRUE(status.ok()) << status;
  if (!status.ok()) return {};
  Finish(session, step_us);
  return Tokens(session);
}

// What tells whether a session's cache is that of its text: what follows.
void ExpectToGoOnAsAFreshSession(Session& session) {
  const Text text = Tokens(session);
  const auto fresh = MakeSession({});
  GenerationOptions greedy = Options({}, {}, 12);
  greedy.strategy = Strategy::kOff;
  const Text expected = Generate(*fresh, text, greedy);
  const absl::Status status = session.Start(greedy);
  ASSERT_TRUE(status.ok()) << status;
  Finish(session);
  EXPECT_EQ(Tokens(session), expected);
}

// ---- The law, by its definition ---------------------------------------------

// Of the token after `text`, from the model's own scores: rules, cuts,
// temperature.
std::map<Token, double> NextLaw(Session& scorer, const Text& text,
                                const SamplingOptions& sampling,
                                Token without = -1) {
  EXPECT_TRUE(scorer.SetPromptTokens(text).ok());
  std::vector<std::pair<double, Token>> logits;
  const absl::Span<const uint64_t> allowed = scorer.model().endless_tokens();
  for (Token token = 0; token < scorer.model().architecture().vocabulary_size;
       ++token) {
    const size_t id = static_cast<size_t>(token);
    if ((allowed[id / 64] >> (id % 64) & 1) == 0 || token == without) continue;
    float score = 0.0f;
    EXPECT_TRUE(scorer.ScoreTokens({&token, 1}, {&score, 1}).ok());
    double logit = static_cast<double>(score);
    for (const LogitBias& bias : sampling.logit_biases)
      if (bias.token == token) logit += static_cast<double>(bias.bias);
    const int64_t count = std::count(
        text.end() - std::min<int64_t>(sampling.penalty_window,
                                       static_cast<int64_t>(text.size())),
        text.end(), token);
    logit -= static_cast<double>(sampling.frequency_penalty) *
             static_cast<double>(count);
    if (count > 0) logit -= static_cast<double>(sampling.presence_penalty);
    logits.push_back({-logit, token});
  }
  std::sort(logits.begin(), logits.end());
  if (sampling.top_k > 0) logits.resize(static_cast<size_t>(sampling.top_k));
  double total = 0.0;
  for (const auto& [negative, token] : logits) total += std::exp(-negative);
  std::map<Token, double> law;
  double before = 0.0, sum = 0.0;
  for (const auto& [negative, token] : logits) {
    if (before / total >= static_cast<double>(sampling.top_p) && !law.empty())
      break;
    if (std::exp(logits[0].first - negative) <
        static_cast<double>(sampling.min_p))
      break;
    before += std::exp(-negative);
    law[token] =
        std::exp(-negative / static_cast<double>(sampling.temperature));
    sum += law[token];
  }
  for (auto& [token, mass] : law) mass /= sum;
  return law;
}

// Of all texts of so many tokens.
std::map<Text, double> TextLaw(Session& scorer, const Text& prompt,
                               const SamplingOptions& sampling,
                               size_t num_tokens) {
  if (num_tokens == 0) return {{{}, 1.0}};
  std::map<Text, double> texts;
  for (const auto& [token, mass] : NextLaw(scorer, prompt, sampling)) {
    Text longer = prompt;
    longer.push_back(token);
    for (const auto& [rest, below] :
         TextLaw(scorer, longer, sampling, num_tokens - 1)) {
      Text text = {token};
      text.insert(text.end(), rest.begin(), rest.end());
      texts[text] = mass * below;
    }
  }
  return texts;
}

double DeviationOf(const std::map<Text, int64_t>& counts,
                   const std::map<Text, double>& law) {
  std::vector<int64_t> cells;
  std::vector<double> masses;
  for (const auto& [text, mass] : law) {
    const auto found = counts.find(text);
    cells.push_back(found == counts.end() ? 0 : found->second);
    masses.push_back(mass);
  }
  for (const auto& [text, count] : counts) {
    if (law.count(text) == 0) return 1e9;
  }
  return Deviation(cells, masses);
}

struct LawCase {
  const char* name;
  Setting setting;
  SamplingOptions (*sampling)();
  size_t num_tokens;  // of a text; all of them are counted together
};

class SampledTexts : public testing::TestWithParam<LawCase> {};

TEST_P(SampledTexts, HaveTheTargetsLaw) {
  const LawCase& tested = GetParam();
  const SamplingOptions sampling = tested.sampling();
  const auto scorer = MakeSession({});
  const std::map<Text, double> law =
      TextLaw(*scorer, Prompt(), sampling, tested.num_tokens);
  const auto session = MakeSession(tested.setting);
  std::map<Text, int64_t> counts;
  for (uint64_t seed = 1; seed <= kNumTexts; ++seed) {
    // Guesses reach beyond what is counted.
    GenerationOptions options = Options(
        tested.setting, sampling, static_cast<int32_t>(tested.num_tokens) + 2);
    options.sampling.seed = seed;
    const Text text = Generate(*session, Prompt(), options);
    ASSERT_EQ(text.size(), Prompt().size() + tested.num_tokens + 2);
    ++counts[Text(text.begin() + static_cast<int64_t>(Prompt().size()),
                  text.end() - 2)];
  }

  EXPECT_LT(DeviationOf(counts, law), kFiveSigma);
  const SpeculationStatistics& statistics = session->speculation_statistics();
  const DrafterStatistics& draft = statistics.drafters.back();
  std::cout << law.size() << " texts, " << statistics.num_tokens
            << " tokens in " << statistics.num_rounds << " rounds, "
            << draft.num_accepted << " of " << draft.num_reached
            << " guesses accepted\n";
  EXPECT_EQ(draft.num_errors, 0u);
  // Nobody says that drafts by the model itself pay.
  if (tested.setting.strategy == Strategy::kAuto) return;
  EXPECT_GT(draft.num_reached, kNumTexts);
  if (tested.setting.draft != kStranger) {
    EXPECT_GT(draft.num_accepted, 0u);
  }
}

constexpr Verifier kRatio = Verifier::kRatio;
constexpr Verifier kTrees = Verifier::kWithoutReplacement;

INSTANTIATE_TEST_SUITE_P(
    All, SampledTexts,
    testing::Values(
        LawCase{"CoolChains", {kRatio, Strategy::kDraft}, Cool, 3},
        LawCase{"CoolTrees", {kTrees, Strategy::kTree}, Cool, 3},
        LawCase{"HotChains", {kRatio, Strategy::kDraft}, Hot, 3},
        LawCase{"HotTrees", {kTrees, Strategy::kTree}, Hot, 3},
        LawCase{"CoolChainsOfTheFirstLayers",
                {kRatio, Strategy::kEarlyExit},
                Cool,
                3},
        LawCase{"HotChainsOfTheFirstLayers",
                {kRatio, Strategy::kEarlyExit},
                Hot,
                3},
        LawCase{"HotTreesOfAStranger",
                {kTrees, Strategy::kTree, kStranger},
                Hot,
                2},
        LawCase{"UncutChainsOfAStranger",
                {kRatio, Strategy::kDraft, kStranger},
                Uncut,
                1},
        LawCase{"UncutTreesOfAStranger",
                {kTrees, Strategy::kTree, kStranger},
                Uncut,
                1},
        LawCase{"WideTreesOfAStranger",
                {kTrees, Strategy::kTree, kStranger},
                Wide,
                1},
        LawCase{"ChainsWithRules", {kRatio, Strategy::kDraft}, WithRules, 3},
        LawCase{"TreesWithRules", {kTrees, Strategy::kTree}, WithRules, 3},
        LawCase{"Automatic", {kTrees, Strategy::kAuto}, Hot, 3}),
    [](const auto& tested) { return std::string(tested.param.name); });

// ---- What else an answer needs ----------------------------------------------

constexpr const char* kDrafts[] = {kTarget, kStranger};

std::vector<Setting> AllSettings() {
  std::vector<Setting> settings;
  for (const char* draft : kDrafts) {
    settings.push_back({kRatio, Strategy::kDraft, draft});
    settings.push_back({kTrees, Strategy::kTree, draft});
    settings.push_back({kTrees, Strategy::kDraft, draft});
  }
  settings.push_back({kRatio, Strategy::kEarlyExit});
  return settings;
}

TEST(SampledSpeculation, GivesTheSameTextForTheSameCalls) {
  for (const Setting& setting : AllSettings()) {
    const Text text =
        Generate(*MakeSession(setting), Prompt(), Options(setting, Hot(), 60));
    EXPECT_EQ(
        Generate(*MakeSession(setting), Prompt(), Options(setting, Hot(), 60)),
        text);
    GenerationOptions other = Options(setting, Hot(), 60);
    other.sampling.seed = 2;
    EXPECT_NE(Generate(*MakeSession(setting), Prompt(), other), text);
  }
}

TEST(SampledSpeculation, StoppedAtDeadlinesGivesTheSameText) {
  for (const Setting& setting : AllSettings()) {
    // Long enough that the draft reads it first.
    const Text prompt = Prompt(150);
    const GenerationOptions options = Options(setting, WithRules(), 60);
    EXPECT_EQ(Generate(*MakeSession(setting), prompt, options, /*step_us=*/20),
              Generate(*MakeSession(setting), prompt, options));
  }
}

TEST(SampledSpeculation, IsMatchingAtTemperatureZero) {
  for (const Setting& setting : AllSettings()) {
    Setting plain = setting;
    plain.strategy = Strategy::kOff;
    plain.verifier = Verifier::kMatch;
    EXPECT_EQ(
        Generate(*MakeSession(setting), Prompt(), Options(setting, {}, 60)),
        Generate(*MakeSession(plain), Prompt(), Options(plain, {}, 60)));
  }
}

TEST(SampledSpeculation, IsPlainDecodingWhereNothingIsDrafted) {
  Setting plain = {Verifier::kMatch, Strategy::kOff};
  const Text expected =
      Generate(*MakeSession(plain), Prompt(), Options(plain, Hot(), 60));
  const Setting off = {kRatio, Strategy::kOff};

  EXPECT_EQ(Generate(*MakeSession(off), Prompt(), Options(off, Hot(), 60)),
            expected);
}

// All that a draft of the model by itself guesses is accepted.
TEST(SampledSpeculation, AcceptsADraftThatIsTheTarget) {
  for (const Setting& setting :
       {Setting{kRatio, Strategy::kDraft}, Setting{kTrees, Strategy::kTree}}) {
    const auto session = MakeSession(setting);
    Generate(*session, Prompt(), Options(setting, Hot(), 101));

    const SpeculationStatistics& statistics = session->speculation_statistics();
    EXPECT_EQ(statistics.last_error, absl::OkStatus());
    // Five tokens a chain, four levels a tree at least.
    EXPECT_LE(statistics.num_rounds, 26u);
  }
}

TEST(SampledSpeculation, LeavesTheCacheOfItsText) {
  for (const Setting& setting : AllSettings()) {
    const auto session = MakeSession(setting);
    Generate(*session, Prompt(), Options(setting, Hot(), 50));
    const auto fork = *session->Fork();
    ExpectToGoOnAsAFreshSession(*session);
    ASSERT_TRUE(session->Truncate(70).ok());
    ExpectToGoOnAsAFreshSession(*session);
    ExpectToGoOnAsAFreshSession(*fork);
  }
}

TEST(SampledSpeculation, TakesBackForksAndRestores) {
  for (const Setting& setting : AllSettings()) {
    const GenerationOptions options = Options(setting, Hot(), 30);
    const auto session = MakeSession(setting);
    const Text first = Generate(*session, Prompt(), options);
    ASSERT_TRUE(session->Regenerate(options).ok());
    Finish(*session);
    const Text second = Tokens(*session);
    EXPECT_NE(second, first);
    EXPECT_EQ(second.size(), first.size());

    std::string saved;
    ASSERT_TRUE(session
                    ->Save([&](const void* data, size_t num_bytes) {
                      saved.append(static_cast<const char*>(data), num_bytes);
                      return true;
                    })
                    .ok());
    const auto restored = MakeSession(setting);
    ASSERT_TRUE(restored
                    ->Restore({reinterpret_cast<const uint8_t*>(saved.data()),
                               saved.size()})
                    .ok());
    // Early exits are not there for forks.
    const auto fork = *session->Fork();
    for (Session* each : {session.get(), restored.get(), fork.get()}) {
      ASSERT_TRUE(each->Start(options).ok());
      Finish(*each);
    }
    EXPECT_EQ(Tokens(*restored), Tokens(*session));
    EXPECT_NE(Tokens(*fork), Tokens(*session));
    EXPECT_EQ(Tokens(*fork).size(), Tokens(*session).size());
  }
}

TEST(SampledSpeculation, GivesTheLogProbabilitiesOfItsText) {
  for (const Setting& setting : AllSettings()) {
    const auto session = MakeSession(setting);
    ASSERT_TRUE(session->SetPromptTokens(Prompt()).ok());
    GenerationOptions options = Options(setting, Hot(), 30);
    options.wants_log_probabilities = true;
    ASSERT_TRUE(session->Start(options).ok());
    std::vector<float> values;
    for (bool is_done = false; !is_done;) {
      const Event event = *session->Step(0);
      for (const GeneratedToken& token : event.tokens)
        values.push_back(token.log_probability);
      is_done = event.state == StepState::kDone;
    }
    const Text text = Tokens(*session);
    const Text answer(text.begin() + static_cast<int64_t>(Prompt().size()),
                      text.end());
    ASSERT_TRUE(session->SetPromptTokens(Prompt()).ok());
    std::vector<float> expected(answer.size());
    ASSERT_TRUE(session->ScoreTokens(answer, absl::MakeSpan(expected)).ok());
    EXPECT_EQ(values, expected);
  }
}

TEST(SampledSpeculation, EndsAtStopStringsAndLimits) {
  for (const Setting& setting : AllSettings()) {
    const auto session = MakeSession(setting);
    const Text whole =
        Generate(*session, Prompt(), Options(setting, Hot(), 40));
    for (const int32_t max_tokens : {1, 2, 7}) {
      EXPECT_EQ(
          Generate(*session, Prompt(), Options(setting, Hot(), max_tokens))
              .size(),
          Prompt().size() + static_cast<size_t>(max_tokens));
    }
    GenerationOptions options = Options(setting, Hot(), 40);
    options.stop_strings = {
        std::string(session->model().tokenizer().TokenBytes(whole[60], false))};
    const Text stopped = Generate(*session, Prompt(), options);
    EXPECT_LE(stopped.size(), 60u);
    EXPECT_EQ(stopped,
              Text(whole.begin(),
                   whole.begin() + static_cast<int64_t>(stopped.size())));
    // A context that is nearly full.
    const Text full =
        Generate(*session, Prompt(250), Options(setting, Hot(), 0));
    EXPECT_EQ(full.size(), 256u);
  }
}

// The first token, when one is banned: what was banned is drawn again from the
// law of the others. (A draft that is the target would hide a mistake here.)
TEST(SampledSpeculation, HasTheLawOfTheOthersWhereATokenIsBanned) {
  const Setting setting = {kRatio, Strategy::kEarlyExit};
  const auto scorer = MakeSession({});
  const auto session = MakeSession(setting);
  const std::map<Token, double> law = NextLaw(*scorer, Prompt(), Hot());
  for (const auto& [banned, banned_mass] : law) {
    std::map<Text, double> expected;
    for (const auto& [token, mass] : law)
      if (token != banned) expected[{token}] = mass;
    for (const auto& [token, mass] : NextLaw(*scorer, Prompt(), Hot(), banned))
      expected[{token}] += mass * banned_mass;
    std::map<Text, int64_t> counts;
    for (uint64_t seed = 1; seed <= 2000; ++seed) {
      GenerationOptions options = Options(setting, Hot(), 2);
      options.sampling.seed = seed;
      options.banned_strings = {
          std::string(session->model().tokenizer().TokenBytes(banned, false))};
      ++counts[{Generate(*session, Prompt(), options)[Prompt().size()]}];
    }
    EXPECT_LT(DeviationOf(counts, expected), kFiveSigma) << banned;
  }
}

TEST(SampledSpeculation, AFailedDraftCostsOneRound) {
  FaultPlan faults;
  const auto engine = MakeFaultyEngine(&faults);
  const Setting setting = {kRatio, Strategy::kDraft};
  const GenerationOptions options = Options(setting, Hot(), 41);
  const auto run = [&](long fails_at, uint64_t* num_errors) {
    const auto session = MakeSession(setting, engine);
    faults.num_ops = 0;
    faults.fails_at = fails_at;
    EXPECT_TRUE(session->SetPromptTokens(Prompt()).ok());
    EXPECT_TRUE(session->Start(options).ok());
    absl::StatusOr<Event> event;
    do {
      event = session->Step(0);
    } while (event.ok() && event->state != StepState::kDone);
    faults.fails_at = -1;
    *num_errors = session->speculation_statistics().drafters.back().num_errors;
    return session->speculation_statistics().num_rounds;
  };
  uint64_t num_errors = 0;
  const uint64_t num_rounds = run(-1, &num_errors);
  ASSERT_EQ(num_errors, 0u);
  const long num_ops = faults.num_ops;
  int num_failed_drafts = 0;
  for (long op = num_ops / 4; op < num_ops / 2; op += 7) {
    const uint64_t num_rounds_then = run(op, &num_errors);
    if (num_errors == 0) continue;
    ++num_failed_drafts;
    EXPECT_EQ(num_errors, 1u);
    EXPECT_LE(num_rounds_then, num_rounds + 1) << "op " << op;
  }
  EXPECT_GT(num_failed_drafts, 5);
}

TEST(SampledSpeculation, AFailureAtAnyOpLeavesTheLastCommit) {
  FaultPlan faults;
  const auto engine = MakeFaultyEngine(&faults);
  for (const Setting& setting : {Setting{kTrees, Strategy::kTree, kStranger},
                                 Setting{kRatio, Strategy::kEarlyExit}}) {
    const auto session = MakeSession(setting, engine);
    const GenerationOptions options = Options(setting, Hot(), 12);
    faults.num_ops = 0;
    Generate(*session, Prompt(), options);
    const long num_ops = faults.num_ops;
    long num_failed_drafts = 0;
    for (long op = 0; op < num_ops; op += 1 + op / 20) {
      ASSERT_TRUE(session->Truncate(0).ok());
      ASSERT_TRUE(session->SetPromptTokens(Prompt()).ok());
      ASSERT_TRUE(session->Start(options).ok());
      faults.num_ops = 0;
      faults.fails_at = op;
      absl::StatusOr<Event> event;
      do {
        event = session->Step(0);
      } while (event.ok() && event->state != StepState::kDone);
      faults.fails_at = -1;
      const int64_t num_errors = static_cast<int64_t>(
          session->speculation_statistics().drafters.back().num_errors);
      // A draft's failure costs a round of plain decoding; the target's ends
      // the call.
      if (num_errors > num_failed_drafts) {
        EXPECT_TRUE(event.ok()) << event.status();
        EXPECT_EQ(session->tokens().size(), Prompt().size() + 12);
      }
      num_failed_drafts = num_errors;
      ExpectToGoOnAsAFreshSession(*session);
    }
    EXPECT_GT(num_failed_drafts, 0);
  }
}

TEST(SampledSpeculation, GoesOnAfterQuestionsInTheMiddleOfADraft) {
  for (const Setting& setting : AllSettings()) {
    const GenerationOptions options = Options(setting, Hot(), 60);
    const Text expected = Generate(*MakeSession(setting), Prompt(), options);
    const auto session = MakeSession(setting);
    ASSERT_TRUE(session->SetPromptTokens(Prompt()).ok());
    ASSERT_TRUE(session->Start(options).ok());
    const Text asked = {4, 5, 6};
    std::vector<float> scores(asked.size());
    StepState state = StepState::kMore;
    for (int step = 1; state != StepState::kDone; ++step) {
      const absl::StatusOr<Event> event = session->Step(/*max_us=*/30);
      ASSERT_TRUE(event.ok()) << event.status();
      state = event->state;
      if (state != StepState::kDone && step % 5 == 0 && step < 200) {
        ASSERT_TRUE(session->ScoreTokens(asked, absl::MakeSpan(scores)).ok());
      }
    }
    EXPECT_EQ(Tokens(*session), expected);
  }
}

TEST(SampledSpeculation, SaysWhatItsLawsNeedAndTheSessionGoesOn) {
  const Setting setting = {kTrees, Strategy::kTree};
  const auto session_bytes = [&](uint64_t budget, Text* text) {
    EngineOptions options;
    options.num_threads = 1;
    options.memory_budget_bytes = budget;
    const std::shared_ptr<const Engine> engine =
        *CreateEngine(std::move(options));
    const auto session = MakeSession(setting, engine);
    const uint64_t used = engine->memory->peak_bytes();
    if (text == nullptr) return used;
    EXPECT_TRUE(session->SetPromptTokens(Prompt()).ok());
    const absl::Status status = session->Start(Options(setting, Hot(), 9));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                testing::HasSubstr("fewer tree nodes"));
    GenerationOptions match = Options(setting, Hot(), 9);
    match.verifier = Verifier::kMatch;
    *text = Generate(*session, Prompt(), match);
    return used;
  };
  Text text;
  session_bytes(session_bytes(0, nullptr) + 65536, &text);

  EXPECT_EQ(text.size(), Prompt().size() + 9);
}

}  // namespace
}  // namespace specinfer
