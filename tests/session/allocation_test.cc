// Rounds allocate nothing once the session is warm.

#include "gtest/gtest.h"

#include "src/session/session.h"
#include "src/speculate/model_drafter.h"
#include "tests/base/count_allocations.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

struct AllocationCase {
  const char* name;
  float temperature;
  float top_p;
  float presence_penalty;
};

class Round : public testing::TestWithParam<AllocationCase> {};

TEST_P(Round, AllocatesNothingAfterTheFirst) {
  const auto model = LoadTiny("tiny-llama", MakeEngine("cpu", 2));
  ASSERT_NE(model, nullptr);
  std::vector<Token> text = {1, 2, 3, 4, 5};
  text.reserve(512);
  auto generator = *Generator::Create(*model, 16);
  auto sequence = *Sequence::Create(*model->engine().backend,
                                    model->cache_layout(), 400, 16);
  ASSERT_TRUE(generator->Prefill(*sequence, text, 16, {}).ok());
  SamplingOptions sampling;
  sampling.temperature = GetParam().temperature;
  sampling.top_p = GetParam().top_p;
  sampling.presence_penalty = GetParam().presence_penalty;
  Sampler sampler(sampling, model->endless_tokens());
  Lane lane(1);
  lane.sequence = sequence.get();
  lane.sampler = &sampler;
  Lane* const lanes[] = {&lane};
  const auto round = [&] {
    lane.text = text;
    ASSERT_TRUE(generator->Round(lanes, {}).ok());
    text.push_back(lane.walk.tokens[0]);
  };
  for (int i = 0; i < 70; ++i) round();  // fills the penalty window, too

  const long before = num_allocations.load();
  for (int i = 0; i < 200; ++i) round();  // over several pages

  EXPECT_EQ(num_allocations.load() - before, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Laws, Round,
    testing::Values(AllocationCase{"Greedy", 0.0f, 1.0f, 0.0f},
                    AllocationCase{"Sampled", 0.9f, 1.0f, 0.0f},
                    AllocationCase{"WithCutsAndPenalties", 0.9f, 0.8f, 0.5f}),
    [](const auto& tested) { return tested.param.name; });

// The same with guesses that a network samples.
class SampledRound : public testing::TestWithParam<float> {};

TEST_P(SampledRound, AllocatesNothingAfterTheFirst) {
  const auto model = LoadTiny("tiny-llama", MakeEngine("cpu", 2));
  ASSERT_NE(model, nullptr);
  std::vector<Token> text = {1, 2, 3, 4, 5};
  text.reserve(1024);
  auto generator = *Generator::Create(*model, 16);
  auto sequence = *Sequence::Create(*model->engine().backend,
                                    model->cache_layout(), 1000, 16);
  ASSERT_TRUE(generator->Prefill(*sequence, text, 16, {}).ok());
  SamplingOptions sampling;
  sampling.temperature = 0.9f;
  sampling.top_p = GetParam();
  sampling.presence_penalty = 0.5f;
  Sampler sampler(sampling, model->endless_tokens());
  Speculation speculation({.max_nodes = 16, .has_model = true},
                          &model->pass_times());
  DecoderCut cut;
  cut.num_layers = 1;
  speculation.AddDrafter(
      *ModelDrafter::Create({.backend = model->engine().backend.get(),
                             .architecture = &model->architecture(),
                             .layout = &model->cache_layout(),
                             .weights = &model->weights(),
                             .proposable = model->samplable_tokens(),
                             .cut = cut,
                             .times = &model->draft_times()},
                            {.max_nodes = 16, .max_context_tokens = 1000}),
      DrafterKind::kModel);
  Lane lane(16);
  ASSERT_TRUE(lane.proposal
                  .AllowSampled(model->architecture().vocabulary_size,
                                speculation.num_sampled_tokens(),
                                *model->engine().memory)
                  .ok());
  speculation.Begin({.strategy = Strategy::kTree,
                     .verifier = Verifier::kWithoutReplacement,
                     .sampling = &sampling,
                     .allowed = sampler.allowed()});
  lane.sequence = sequence.get();
  lane.sampler = &sampler;
  lane.speculation = &speculation;
  lane.max_depth = 8;
  Lane* const lanes[] = {&lane};
  const auto round = [&] {
    lane.text = text;
    ASSERT_TRUE(generator->Round(lanes, {}).ok());
    text.insert(text.end(), lane.walk.tokens.begin(), lane.walk.tokens.end());
  };
  for (int i = 0; i < 70; ++i) round();

  const long before = num_allocations.load();
  for (int i = 0; i < 100; ++i) round();

  EXPECT_EQ(num_allocations.load() - before, 0);
  EXPECT_EQ(speculation.statistics().num_speculative_rounds, 170u);
}

INSTANTIATE_TEST_SUITE_P(CutsAndNone, SampledRound, testing::Values(0.8f, 1.0f),
                         [](const auto& tested) {
                           return tested.param < 1.0f ? "Cut" : "Uncut";
                         });

}  // namespace
}  // namespace specinfer
