// Speculation under a memory budget: what plain decoding has room for, every
// strategy has room for.
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "src/session/session.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

constexpr uint64_t kBudget = uint64_t{64} << 20;
constexpr int32_t kMaxTokens = 200;

std::shared_ptr<const Engine> MakeBoundedEngine() {
  EngineOptions options;
  options.num_threads = 1;
  options.memory_budget_bytes = kBudget;
  return *CreateEngine(std::move(options));
}

struct Setting {
  Strategy strategy = Strategy::kOff;
  std::string model = "tiny-llama";
  std::string draft;  // empty: none
  Verifier verifier = Verifier::kMatch;
};

std::unique_ptr<Session> MakeSession(const Setting& setting,
                                     std::shared_ptr<const Engine> engine) {
  SessionOptions options;
  options.max_context_tokens = 256;
  const auto model = LoadTiny(setting.model, engine);
  if (!setting.draft.empty())
    options.draft_model = LoadTiny(setting.draft, engine);
  return *Session::Create(model, options);
}

std::vector<Token> Prompt(int num_tokens = 40) {
  std::vector<Token> tokens;
  for (int i = 0; i < num_tokens; ++i) tokens.push_back(i * 7 % 50 + 3);
  return tokens;
}

GenerationOptions Options(const Setting& setting) {
  GenerationOptions options;
  options.max_tokens = kMaxTokens;
  options.strategy = setting.strategy;
  options.verifier = setting.verifier;
  options.ignore_end = true;
  return options;
}

// The text of prompt and answer, or of as much of it as there was memory for.
std::vector<Token> Generate(Session& session, const GenerationOptions& options,
                            absl::Status* status,
                            const std::vector<Token>& prompt = Prompt()) {
  EXPECT_TRUE(session.SetPromptTokens(prompt).ok());
  *status = session.Start(options);
  while (status->ok()) {
    const absl::StatusOr<Event> event = session.Step(0);
    *status = event.status();
    if (event.ok() && event->state == StepState::kDone) break;
  }
  return {session.tokens().begin(), session.tokens().end()};
}

struct PlainRun {
  std::vector<Token> text;
  uint64_t num_bytes = 0;  // that the answer took
};

PlainRun RunPlain(const std::string& model) {
  const auto engine = MakeBoundedEngine();
  const Setting setting = {.model = model};
  const auto session = MakeSession(setting, engine);
  const uint64_t num_before = engine->memory->used_bytes();
  PlainRun run;
  absl::Status status;
  run.text = Generate(*session, Options(setting), &status);
  EXPECT_TRUE(status.ok()) << status;
  run.num_bytes = engine->memory->used_bytes() - num_before;
  return run;
}

// All that a session may still take but for `num_left` bytes.
Block TakeAllBut(const Engine& engine, uint64_t num_left) {
  return *engine.memory->Allocate(
      kBudget - engine.memory->used_bytes() - num_left, "the rest");
}

class BoundedSpeculation : public testing::TestWithParam<Setting> {};

TEST_P(BoundedSpeculation, WritesWhatPlainDecodingHasRoomFor) {
  const PlainRun plain = RunPlain(GetParam().model);
  ASSERT_EQ(plain.text.size(), Prompt().size() + kMaxTokens);
  const auto engine = MakeBoundedEngine();
  const auto session = MakeSession(GetParam(), engine);
  const Block rest = TakeAllBut(*engine, plain.num_bytes);
  // The second answer begins while the first one's drafts hold memory.
  for (int answer = 0; answer < 2; ++answer) {
    absl::Status status;
    EXPECT_EQ(Generate(*session, Options(GetParam()), &status), plain.text);
    EXPECT_TRUE(status.ok()) << status;
    ASSERT_TRUE(session->Truncate(0).ok());
  }
  const SpeculationStatistics& statistics = session->speculation_statistics();
  EXPECT_GT(statistics.num_speculative_rounds, 0u);
  if (GetParam().draft.empty()) return;
  EXPECT_TRUE(absl::IsResourceExhausted(statistics.last_error))
      << statistics.last_error;
}

INSTANTIATE_TEST_SUITE_P(Strategies, BoundedSpeculation,
                         testing::Values(Setting{.strategy = Strategy::kNgram},
                                         Setting{.strategy = Strategy::kTree,
                                                 .draft = "tiny-llama"},
                                         Setting{.strategy = Strategy::kDraft,
                                                 .draft = "tiny-llama"},
                                         Setting{.strategy = Strategy::kTree,
                                                 .model = "tiny-gemma3",
                                                 .draft = "tiny-llama"},
                                         Setting{.strategy = Strategy::kTree,
                                                 .model = "tiny-gemma3",
                                                 .draft = "tiny-gemma3"}));

// Their text is not plain decoding's, but there is as much of it.
TEST(BoundedSpeculation, SampledGuessesGiveWayToo) {
  for (const Setting& setting : {Setting{.strategy = Strategy::kDraft,
                                .draft = "tiny-llama",
                                .verifier = Verifier::kRatio},
                                 Setting{.strategy = Strategy::kTree,
                                 .draft = "tiny-llama",
                                 .verifier = Verifier::kWithoutReplacement}}) {
    const PlainRun plain = RunPlain(setting.model);
    const auto engine = MakeBoundedEngine();
    const auto session = MakeSession(setting, engine);
    GenerationOptions options = Options(setting);
    options.sampling.temperature = 0.8f;
    // What laws need is taken by the first answer.
    options.max_tokens = 1;
    absl::Status status;
    Generate(*session, options, &status);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(session->Truncate(0).ok());
    // One of the text's four pages is there.
    const Block rest = TakeAllBut(*engine, plain.num_bytes / 4 * 3);

    options.max_tokens = kMaxTokens;
    EXPECT_EQ(Generate(*session, options, &status).size(),
              Prompt().size() + kMaxTokens);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(absl::IsResourceExhausted(
        session->speculation_statistics().last_error));
  }
}

TEST(BoundedSpeculation, ReadsAPromptWhereDraftsHoldTheMemory) {
  const auto engine = MakeBoundedEngine();
  const Setting setting = {.strategy = Strategy::kTree, .draft = "tiny-llama"};
  const auto session = MakeSession(setting, engine);
  GenerationOptions options = Options(setting);
  options.max_tokens = 60;
  absl::Status status;
  Generate(*session, options, &status);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(session->Truncate(0).ok());
  const Block rest = TakeAllBut(*engine, 0);

  // Three pages, where the text had two.
  options.max_tokens = 1;
  EXPECT_EQ(Generate(*session, options, &status, Prompt(180)).size(), 181u);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(BoundedSpeculation, ScoresAndEmbedsWhereDraftsHoldTheMemory) {
  const auto engine = MakeBoundedEngine();
  const Setting setting = {.strategy = Strategy::kTree, .draft = "tiny-llama"};
  const auto session = MakeSession(setting, engine);
  const auto score = [&] {
    std::vector<float> scores(Prompt().size());
    EXPECT_TRUE(session->Truncate(0).ok());
    const absl::Status status =
        session->ScoreTokens(Prompt(), absl::MakeSpan(scores));
    EXPECT_TRUE(status.ok()) << status;
    return scores;
  };
  const auto embed = [&] {
    const absl::StatusOr<std::vector<float>> vector =
        session->Embed("one two three", {}, Pooling::kMean, true);
    EXPECT_TRUE(vector.ok()) << vector.status();
    return vector.ok() ? *vector : std::vector<float>();
  };
  const std::vector<float> scores = score();
  const std::vector<float> vector = embed();
  const auto write = [&] {
    absl::Status status;
    Generate(*session, Options(setting), &status);
    EXPECT_TRUE(status.ok()) << status;
  };

  write();
  {
    const Block rest = TakeAllBut(*engine, 0);
    EXPECT_EQ(score(), scores);
  }
  write();
  const Block rest = TakeAllBut(*engine, 0);
  EXPECT_EQ(embed(), vector);
}

TEST(BoundedSpeculation, ATextThatPlainDecodingHasNoRoomForEndsWithASentence) {
  const PlainRun plain = RunPlain("tiny-llama");
  const Setting setting = {.strategy = Strategy::kTree, .draft = "tiny-llama"};
  const auto engine = MakeBoundedEngine();
  const auto session = MakeSession(setting, engine);
  Block rest = TakeAllBut(*engine, plain.num_bytes / 2);
  absl::Status status;
  const std::vector<Token> text = Generate(*session, Options(setting), &status);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("memory budget"));
  ASSERT_LT(text.size(), plain.text.size());
  EXPECT_TRUE(std::equal(text.begin(), text.end(), plain.text.begin()));
  // With memory again it goes on.
  rest.Reset();
  EXPECT_EQ(Generate(*session, Options(setting), &status), plain.text);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace specinfer
