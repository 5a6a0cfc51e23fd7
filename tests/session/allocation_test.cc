// Rounds allocate nothing once the session is warm.

#include "gtest/gtest.h"

#include "src/session/session.h"
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

}  // namespace
}  // namespace specinfer
