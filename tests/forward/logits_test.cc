// Whole passes of the tiny models against an independent double-precision
// implementation (tests/testdata/make_logits_golden.py).
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "nlohmann/json.hpp"
#include "src/forward/decoder.h"
#include "src/session/model.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

constexpr int kKept = 4;  // positions in the golden files, the prompt's last

std::vector<Token> GoldenPrompt() {
  std::ifstream file(TestdataPath("logits/prompt.json"));
  return nlohmann::json::parse(file).get<std::vector<Token>>();
}

std::vector<float> GoldenLogits(const std::string& name, size_t count) {
  std::vector<float> logits(count);
  std::ifstream file(TestdataPath("logits/" + name + ".bin"), std::ios::binary);
  file.read(reinterpret_cast<char*>(logits.data()),
            static_cast<std::streamsize>(count * sizeof(float)));
  EXPECT_TRUE(file.good()) << name;
  return logits;
}

// Logits of the prompt's last kKept positions.
std::vector<float> Logits(const Model& model) {
  const std::vector<Token> prompt = GoldenPrompt();
  Backend& backend = *model.engine().backend;
  const int32_t num_rows = static_cast<int32_t>(prompt.size());
  const size_t width = model.architecture().vocabulary_size;
  auto decoder =
      *Decoder::Create(backend, model.architecture(), model.cache_layout(),
                       model.weights(), num_rows, kKept);
  auto sequence =
      *Sequence::Create(backend, model.cache_layout(), num_rows, num_rows);
  EXPECT_TRUE(sequence->Prepare(num_rows).ok());
  std::vector<float> logits(kKept * width);
  std::vector<int32_t> rows;
  std::vector<HeadQuery> queries;
  for (int i = 0; i < kKept; ++i) {
    rows.push_back(num_rows - kKept + i);
    queries.push_back(
        {.row = i, .full = absl::MakeSpan(logits).subspan(i * width, width)});
  }
  const SequenceNodes nodes = {.sequence = sequence.get(), .tokens = prompt};
  const absl::Status status =
      decoder->Forward({&nodes, 1}, {.rows = rows, .queries = queries}, {});
  EXPECT_TRUE(status.ok()) << status;
  return logits;
}

// Relative to the spread of the golden logits.
double RootMeanSquareError(const std::vector<float>& actual,
                           const std::vector<float>& golden) {
  double error = 0.0, spread = 0.0;
  for (size_t i = 0; i < golden.size(); ++i) {
    error += (actual[i] - golden[i]) * (actual[i] - golden[i]);
    spread += golden[i] * golden[i];
  }
  return std::sqrt(error / spread);
}

struct GoldenCase {
  const char* name;
  // Float weights differ by rounding alone, and the cache's half floats;
  // quantised ones also by 8-bit activations.
  double tolerance;
};

class GoldenLogitsTest : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenLogitsTest, AreThoseOfTheIndependentImplementation) {
  const auto model = LoadTiny(GetParam().name, MakeEngine());
  ASSERT_NE(model, nullptr);

  const std::vector<float> logits = Logits(*model);

  EXPECT_LT(
      RootMeanSquareError(logits, GoldenLogits(GetParam().name, logits.size())),
      GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenLogitsTest,
                         testing::Values(GoldenCase{"tiny-llama", 2e-3},
                                         GoldenCase{"tiny-llama3", 2e-3},
                                         GoldenCase{"tiny-llama-yarn", 2e-3},
                                         GoldenCase{"tiny-qwen2", 2e-3},
                                         GoldenCase{"tiny-qwen3", 2e-3},
                                         GoldenCase{"tiny-gemma3", 2e-3},
                                         GoldenCase{"tiny-quantized", 3e-2}),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Safetensors, GivesTheLogitsOfTheSameModelInGguf) {
  const auto engine = MakeEngine();
  const auto gguf = LoadTiny("tiny-llama", engine);
  const auto safetensors =
      Model::Load(engine, TestdataPath("tiny-llama-hf"), {});
  ASSERT_NE(gguf, nullptr);
  ASSERT_TRUE(safetensors.ok()) << safetensors.status();

  // Rotated pairs lie elsewhere in a head, so sums over a head run in another
  // order.
  EXPECT_LT(RootMeanSquareError(Logits(**safetensors), Logits(*gguf)), 1e-3);
}

}  // namespace
}  // namespace specinfer
