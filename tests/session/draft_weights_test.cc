// Models loaded for drafting: other weights, and never another text.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/session/model_pack.h"
#include "src/session/session.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

std::shared_ptr<const Model> LoadForDrafting(
    const std::string& name, std::shared_ptr<const Engine> engine) {
  LoadOptions options;
  options.weight_form = WeightForm::kForDrafting;
  absl::StatusOr<std::shared_ptr<const Model>> model =
      Model::Load(std::move(engine), TestdataPath(name + ".gguf"), options);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

std::unique_ptr<Session> SessionOf(std::shared_ptr<const Model> model,
                                   std::shared_ptr<const Model> draft) {
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Create(
      std::move(model),
      {.max_context_tokens = 256, .draft_model = std::move(draft)});
  EXPECT_TRUE(session.ok()) << session.status();
  return session.ok() ? *std::move(session) : nullptr;
}

std::vector<Token> Generate(Session& session, Strategy strategy,
                            float temperature) {
  EXPECT_TRUE(session.Truncate(0).ok());
  std::vector<Token> prompt;
  for (Token i = 0; i < 60; ++i) prompt.push_back(i * i % 97 + 3);
  EXPECT_TRUE(session.AppendTokens(prompt).ok());
  GenerationOptions options;
  options.max_tokens = 80;
  options.ignore_end = true;
  options.strategy = strategy;
  options.sampling.temperature = temperature;
  options.sampling.seed = 7;
  EXPECT_TRUE(session.Start(options).ok());
  while (true) {
    const absl::StatusOr<Event> event = session.Step(0);
    EXPECT_TRUE(event.ok()) << event.status();
    if (!event.ok() || event->state == StepState::kDone) break;
  }
  return {session.tokens().begin(), session.tokens().end()};
}

class DraftWeights : public testing::TestWithParam<const char*> {};

TEST_P(DraftWeights, ChangeNoTextOfTheTarget) {
  const auto engine = MakeEngine();
  const auto session = SessionOf(LoadTiny(GetParam(), engine),
                                 LoadForDrafting(GetParam(), engine));
  ASSERT_NE(session, nullptr);

  for (const float temperature : {0.0f, 0.9f}) {
    const auto expected = Generate(*session, Strategy::kOff, temperature);
    EXPECT_EQ(Generate(*session, Strategy::kDraft, temperature), expected);
    EXPECT_EQ(Generate(*session, Strategy::kTree, temperature), expected);
  }
  EXPECT_GT(session->speculation_statistics().drafters.back().num_reached, 0u);
}

TEST_P(DraftWeights, GuessTheSameOnEveryBackend) {
  const auto generate = [](const std::string& backend, int num_threads) {
    const auto engine = MakeEngine(backend, num_threads);
    if (engine == nullptr) return std::vector<Token>();
    const auto session =
        SessionOf(LoadForDrafting(GetParam(), engine), nullptr);
    return Generate(*session, Strategy::kOff, 0.9f);
  };
  const std::vector<Token> expected = generate("cpu-reference", 1);
  ASSERT_FALSE(expected.empty());

  for (const char* backend : {"cpu-avx2", "cpu-avx512", "cpu-amx", "cpu-neon"})
    for (const int num_threads : {1, 3}) {
      const std::vector<Token> tokens = generate(backend, num_threads);
      if (!tokens.empty()) {
        EXPECT_EQ(tokens, expected) << backend;
      }
    }
}

TEST_P(DraftWeights, FitNoSessionOfTheFilesOwn) {
  const auto engine = MakeEngine();
  const auto plain = SessionOf(LoadTiny(GetParam(), engine), nullptr);
  const auto draft = SessionOf(LoadForDrafting(GetParam(), engine), nullptr);
  ASSERT_TRUE(plain->AppendTokens(std::vector<Token>{5, 6, 7}).ok());
  std::vector<uint8_t> saved;
  ASSERT_TRUE(plain
                  ->Save([&](const void* data, size_t num_bytes) {
                    const auto* bytes = static_cast<const uint8_t*>(data);
                    saved.insert(saved.end(), bytes, bytes + num_bytes);
                    return true;
                  })
                  .ok());

  EXPECT_TRUE(plain->Restore(saved).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(draft->Restore(saved)));
}

INSTANTIATE_TEST_SUITE_P(Models, DraftWeights,
                         testing::Values("tiny-llama", "tiny-quantized",
                                         "tiny-gemma3"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

double BitsPerWeight(const Weight& weight) {
  return 8.0 * static_cast<double>(weight.packed_bytes) /
         static_cast<double>(weight.outputs * weight.inputs);
}

TEST(DraftWeight, TakesAtMostSixBitsWhereAPassReadsIt) {
  // With a head of its own, with a tied one, and of mixed types.
  for (const char* name : {"tiny-llama", "tiny-gemma3", "tiny-quantized"}) {
    const auto model = LoadForDrafting(name, MakeEngine());
    // Q5_1's six, and the rest of groups that are not full. What had more has
    // four and a half now.
    constexpr double kBits = 6.25;
    EXPECT_LE(BitsPerWeight(model->weights().head()), kBits) << name;
    for (const LayerWeights& layer : model->weights().layers) {
      for (const LinearWeights* linear : layer.linears())
        EXPECT_LE(BitsPerWeight(*linear->weight), kBits) << name;
    }
  }
  const auto floats = LoadForDrafting("tiny-llama", MakeEngine());
  EXPECT_LE(BitsPerWeight(floats->weights().head()), 4.75);
}

TEST(DraftWeight, OfALookUpTableAloneStaysAsItIs) {
  const auto plain = LoadTiny("tiny-llama", MakeEngine());
  const auto draft = LoadForDrafting("tiny-llama", MakeEngine());
  ASSERT_NE(draft->weights().untied_head.weight, nullptr);

  EXPECT_EQ(draft->weights().embedding.weight->dtype,
            plain->weights().embedding.weight->dtype);
  EXPECT_NE(draft->weights().head().dtype, plain->weights().head().dtype);
}

TEST(DraftWeight, OfAPackedFileIsUsedAsItIs) {
  const std::string path =
      std::filesystem::path(testing::TempDir()) / "draft-weights.spec";
  const auto engine = MakeEngine();
  ASSERT_TRUE(
      PackModel(*engine, TestdataPath("tiny-llama.gguf"), path, {}).ok());
  LoadOptions options;
  options.weight_form = WeightForm::kForDrafting;

  const auto plain = Model::Load(engine, path, {});
  const auto draft = Model::Load(engine, path, options);

  ASSERT_TRUE(draft.ok()) << draft.status();
  EXPECT_EQ((*draft)->weights().head().dtype, (*plain)->weights().head().dtype);
  EXPECT_EQ((*draft)->Fingerprint(), (*plain)->Fingerprint());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace specinfer
